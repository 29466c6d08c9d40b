//! Files and folders of the store: private to the user, and replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The end of the name of a file that is not complete.
pub(crate) const PART: &str = ".part";

/// Creates a folder that only the user can enter, with its parents.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// How a file that only the user can read is opened for writing.
pub(crate) fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes a value as JSON. The file is there as a whole or not at all, also after a power cut.
pub(crate) fn write_json(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    let mut out = private().truncate(true).open(&temporary)?;
    out.write_all(&serde_json::to_vec_pretty(value)?)?;
    out.sync_all()?;
    drop(out);
    fs::rename(&temporary, file)
}

/// Reads a value from JSON; `None` when the file is missing or holds something else.
pub(crate) fn read_json<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Makes renames in a folder last through a power cut, where the system can do that.
pub(crate) fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Err(cause) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%cause, "a folder could not be synced");
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// Removes a folder with all that it holds. Succeeds when it is not there.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// The size of a file; 0 when it is not there.
pub(crate) fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// The bytes of the files in a folder and the folders in it.
pub(crate) fn folder_size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => folder_size(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |file| file.len()),
        _ => 0,
    });
    sizes.sum()
}
