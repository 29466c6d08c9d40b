//! Takes files out of a zip archive, such as a Python wheel.

use std::fs::File;
use std::io;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::error::StoreError;
use super::files;

/// Writes one member of an archive to a file. The member's size must be that which its archive states, and no more than `limit`.
pub(crate) fn unpack(
    archive: &Path,
    member: &str,
    to: &Path,
    limit: u64,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let failed = |cause: String| StoreError::Archive { file: member.to_owned(), cause };
    let file = File::open(archive).map_err(|cause| StoreError::storage("read an archive", &cause))?;
    let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|cause| failed(cause.to_string()))?;
    let mut from = zip.by_name(member).map_err(|cause| failed(cause.to_string()))?;
    if from.size() > limit {
        return Err(failed("it is larger than the catalog says".into()));
    }
    let size = from.size();
    let mut out = files::private()
        .truncate(true)
        .open(to)
        .map_err(|cause| StoreError::storage("write a file of a model", &cause))?;
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        if stop.is_cancelled() {
            return Err(StoreError::Stopped);
        }
        let count = io::Read::read(&mut from, &mut buffer).map_err(|cause| failed(cause.to_string()))?;
        if count == 0 {
            break;
        }
        done += count as u64;
        if done > size {
            return Err(failed("it is longer than its archive says".into()));
        }
        io::Write::write_all(&mut out, &buffer[..count])
            .map_err(|cause| StoreError::storage("write a file of a model", &cause))?;
    }
    if done != size {
        return Err(failed("it is cut short".into()));
    }
    out.sync_all().map_err(|cause| StoreError::storage("write a file of a model", &cause))
}
