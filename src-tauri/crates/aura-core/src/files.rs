//! Files that other users must not read, and that are replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::Builder;

/// The start of the name of a file that is not complete.
const UNFINISHED: &str = ".unfinished-";

/// Options to write a file that only the current user can read. The caller says whether it is created.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Replaces a file by one that only the current user can read. A crash or a power cut leaves either the old or the new content. A symbolic
/// link stays one: the file that it names is replaced.
///
/// # Errors
/// The new content cannot be written to the file's folder. The old file is still there then.
pub fn replace_file(file: &Path, content: &[u8]) -> io::Result<()> {
    let file = target(file);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // In the same folder, because a rename must stay on one file system. The name is one of its own, as two processes may write at once.
    let mut new = Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(&file).map_err(|failed| failed.error)?;
    // The name must be on the disk, too.
    #[cfg(unix)]
    if let Err(cause) = fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%cause, folder = %folder.display(), "the folder of a new file cannot be synchronised");
    }
    Ok(())
}

/// The file itself, behind symbolic links. A link to a missing file names the file to create.
fn target(file: &Path) -> PathBuf {
    if let Ok(target) = fs::canonicalize(file) {
        return target;
    }
    match fs::read_link(file) {
        Ok(target) => file.parent().map_or(target.clone(), |folder| folder.join(target)),
        Err(_) => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file.json");
        replace_file(&file, b"old").unwrap();
        replace_file(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        // A folder cannot be replaced.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        replace_file(&taken, b"new").unwrap_err();
        replace_file(&folder.path().join("missing/file.json"), b"new").unwrap_err();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["file.json", "taken"]);
    }
}
