//! Checks the size and SHA-256 of a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::error::StoreError;

/// The size and SHA-256 of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// Reads a file and compares it with what is expected, as far as that is known.
pub(crate) fn verify(
    path: &Path,
    name: &str,
    size: Option<u64>,
    sha256: Option<&str>,
    stop: &CancellationToken,
) -> Result<Measured, StoreError> {
    let unreadable = |cause: std::io::Error| StoreError::storage("read a file of a model", &cause);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        if stop.is_cancelled() {
            return Err(StoreError::Stopped);
        }
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        length += count as u64;
        hash.update(&buffer[..count]);
    }
    let measured = Measured { size: length, sha256: hex(&hash.finalize()) };
    let damaged = |what| Err(StoreError::Damaged { file: name.to_owned(), what });
    if size.is_some_and(|size| size != measured.size) {
        return damaged("size");
    }
    if sha256.is_some_and(|sha256| sha256 != measured.sha256) {
        return damaged("checksum");
    }
    Ok(measured)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
