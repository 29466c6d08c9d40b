//! Files that other users must not read.

use std::fs::OpenOptions;

/// Options to write a file that only the current user can read. The caller says whether it is created.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
