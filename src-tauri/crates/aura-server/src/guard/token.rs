//! The token that lets a program in that the operating system cannot vouch for.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use aura_core::error::{Error, Result};
use subtle::ConstantTimeEq;

/// Its file in the data folder.
const FILE: &str = "door-token";

/// The secret of this door.
#[derive(Clone)]
pub struct Token {
    secret: String,
    file: PathBuf,
}

impl Token {
    /// The token in the data folder, made when there is none. Only this person can read its file; one that others could read is
    /// replaced. Blocks for the disk.
    pub fn open(data: &Path) -> Result<Self> {
        let file = data.join(FILE);
        let failed = |cause: std::io::Error| Error::storage("keep the token of the HTTP door", cause);
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

    /// Where it is kept.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether this is it. Takes as long for one that is almost right.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        self.secret.as_bytes().ct_eq(given).into()
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
        // The data folder is in the person's own profile.
        fs::metadata(file).map(|_| true)
    }
}

/// Writes it beside and puts it in its place: no moment in which others can read it, and none in which it is half.
fn write(file: &Path, secret: &str) -> std::io::Result<()> {
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&beside);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut new = options.open(&beside)?;
    new.write_all(secret.as_bytes())?;
    new.sync_all()?;
    fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_the_same_and_only_it_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::open(folder.path()).unwrap();
        let again = Token::open(folder.path()).unwrap();
        assert!(again.is(token.secret.as_bytes()));
        assert!(!again.is(b"") && !again.is(&token.secret.as_bytes()[1..]));
        assert!(!again.is(token.secret.replace(&token.secret[..1], "_").as_bytes()));
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_others_could_read_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let token = Token::open(folder.path()).unwrap();
        let mode = || fs::metadata(token.file()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(token.file(), fs::Permissions::from_mode(0o644)).unwrap();
        let next = Token::open(folder.path()).unwrap();
        assert!(!next.is(token.secret.as_bytes()));
        assert_eq!(mode(), 0o600);
    }
}
