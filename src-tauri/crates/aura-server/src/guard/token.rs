//! The token of the local API, for callers that the operating system does not identify as the user who started AURA.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_core::error::{Error, Result};
use aura_core::{private_file, replace_file};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The file in the data folder. Servers that run beside the first one on the same data folder append `-2`, `-3` and so on.
const FILE: &str = "api-token";
/// The most servers on one data folder.
const MAX_SERVERS: usize = 16;
/// The name of the file in older versions, whose token stayed the same for ever.
const OLD_FILE: &str = "door-token";

/// The token of the local API: 64 hexadecimal digits.
#[derive(Clone)]
pub struct Token {
    secret: String,
    file: PathBuf,
    /// Keeps the file for this server, as long as it lives.
    _lock: Option<Arc<fs::File>>,
}

impl Token {
    /// Makes a new token and writes it to its file in the data folder, which only its owner can read. A server that ended leaves nothing of
    /// use to whoever takes its port or finds its token. Blocks on the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(data: &Path) -> Result<Self> {
        let (file, lock) =
            free_file(data).map_err(|cause| Error::storage("find a place for the token of the local API", cause))?;
        // Two random UUIDs: 244 random bits.
        let secret = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        replace_file(&file, secret.as_bytes())
            .map_err(|cause| Error::storage("save the token of the local API", cause))?;
        let _ = fs::remove_file(data.join(OLD_FILE));
        Ok(Self { secret, file, _lock: Some(Arc::new(lock)) })
    }

    /// The file that holds the token.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether the value is the token, compared in constant time.
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        self.secret.as_bytes().ct_eq(value).into()
    }

    /// The HMAC-SHA256 of a message under the token, in hexadecimal digits.
    pub(crate) fn sign(&self, message: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()) else { unreachable!() };
        mac.update(message.as_bytes());
        mac.finalize().into_bytes().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }
}

/// The first file name that no running server uses, and the lock that keeps it for this one. The lock is a file beside it: Windows lets
/// nobody read a locked file.
fn free_file(data: &Path) -> std::io::Result<(PathBuf, fs::File)> {
    let names = std::iter::once(FILE.to_owned()).chain((2..=MAX_SERVERS).map(|number| format!("{FILE}-{number}")));
    for name in names {
        let lock = private_file().truncate(false).create(true).open(data.join(format!("{name}.lock")))?;
        // A file system without locks has one server per data folder: the last one started.
        if !matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)) {
            return Ok((data.join(name), lock));
        }
    }
    Err(std::io::Error::other(format!("{MAX_SERVERS} servers already use this data folder")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_a_token_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(OLD_FILE), "0".repeat(64)).unwrap();
        let mut token = Token::create(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(token.file()).unwrap(), token.secret);
        let beside = Token::create(folder.path()).unwrap();
        assert_eq!(beside.file(), folder.path().join("api-token-2"), "the first server still runs");
        assert_eq!(fs::read_to_string(token.file()).unwrap(), token.secret);
        token._lock = None;
        let next = Token::create(folder.path()).unwrap();
        assert_eq!(next.file(), token.file(), "the first server has ended");
        assert_eq!(fs::read_to_string(next.file()).unwrap(), next.secret);
        assert!(next.matches(next.secret.as_bytes()) && !next.matches(token.secret.as_bytes()));
        assert!(!next.matches(b"") && !next.matches(&next.secret.as_bytes()[1..]));
        assert!(!next.matches(&[b"0".repeat(64), next.secret.clone().into_bytes()].concat()));
        assert!(!folder.path().join(OLD_FILE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, "0".repeat(64)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        Token::create(folder.path()).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["api-token", "api-token.lock"], "no temporary file is left");
    }

    #[test]
    fn a_signature_is_hmac_sha256() {
        // Test case 2 of RFC 4231.
        let token = Token { secret: "Jefe".into(), file: PathBuf::new(), _lock: None };
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(token.sign("what do ya want for nothing?"), expected);
    }
}
