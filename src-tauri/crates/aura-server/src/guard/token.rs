//! The token of the local API, for callers that the operating system does not identify as the user who started AURA.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use aura_core::error::{Error, Result};
use subtle::ConstantTimeEq;

/// The file in the data folder.
const FILE: &str = "api-token";
/// The name of the file in older versions.
const OLD_FILE: &str = "door-token";

/// The token of the local API: 64 hexadecimal digits.
#[derive(Clone)]
pub struct Token {
    secret: String,
    file: PathBuf,
}

impl Token {
    /// Reads the token in the data folder, or creates one. The file is readable by its owner only; a token in a file that others can read
    /// is replaced. Blocks on the disk.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(data: &Path) -> Result<Self> {
        let file = data.join(FILE);
        let old = data.join(OLD_FILE);
        if !file.exists() && old.exists() {
            // The old token stays valid, so programs that use it keep working.
            let _ = fs::rename(&old, &file);
        }
        let failed = |cause: std::io::Error| Error::storage("save the token of the local API", cause);
        match fs::read_to_string(&file) {
            Ok(secret) if secret.trim().len() == 64 && is_private(&file).map_err(failed)? => {
                return Ok(Self { secret: secret.trim().to_owned(), file });
            }
            Ok(_) => {}
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
            Err(cause) => return Err(failed(cause)),
        }
        // Two random UUIDs: 244 random bits.
        let secret = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        write(&file, &secret).map_err(failed)?;
        Ok(Self { secret, file })
    }

    /// The file that holds the token.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether the value is the token, compared in constant time.
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        self.secret.as_bytes().ct_eq(value).into()
    }
}

fn is_private(file: &Path) -> std::io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Ok(fs::metadata(file)?.permissions().mode() & 0o077 == 0)
    }
    #[cfg(not(unix))]
    {
        // The data folder is in the user's own profile.
        fs::metadata(file).map(|_| true)
    }
}

/// Writes a temporary file and renames it, so that the file is never incomplete or readable by others.
fn write(file: &Path, secret: &str) -> std::io::Result<()> {
    let temporary = file.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&temporary);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut new = options.open(&temporary)?;
    new.write_all(secret.as_bytes())?;
    new.sync_all()?;
    fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_survives_a_restart_and_nothing_else_matches() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::open(folder.path()).unwrap();
        let again = Token::open(folder.path()).unwrap();
        assert!(again.matches(token.secret.as_bytes()));
        assert!(!again.matches(b"") && !again.matches(&token.secret.as_bytes()[1..]));
        assert!(!again.matches(token.secret.replace(&token.secret[..1], "_").as_bytes()));
    }

    #[test]
    fn a_token_file_with_the_old_name_is_renamed_and_stays_valid() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::open(folder.path()).unwrap();
        fs::rename(token.file(), folder.path().join(OLD_FILE)).unwrap();
        let migrated = Token::open(folder.path()).unwrap();
        assert!(migrated.matches(token.secret.as_bytes()));
        assert!(!folder.path().join(OLD_FILE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_other_users_can_read_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let token = Token::open(folder.path()).unwrap();
        let mode = || fs::metadata(token.file()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(token.file(), fs::Permissions::from_mode(0o644)).unwrap();
        let next = Token::open(folder.path()).unwrap();
        assert!(!next.matches(token.secret.as_bytes()));
        assert_eq!(mode(), 0o600);
    }
}
