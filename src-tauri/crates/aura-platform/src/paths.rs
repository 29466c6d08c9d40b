//! Where AURA keeps its files.

use std::path::{Path, PathBuf};

use aura_core::error::{Error, Result};

/// The two folders of AURA: what the person set, and what AURA gathered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Settings.
    pub config: PathBuf,
    /// History, recordings and logs.
    pub data: PathBuf,
}

impl Paths {
    /// The folders that `AURA_CONFIG_DIR` and `AURA_DATA_DIR` name, else the operating system's usual ones. They are created,
    /// readable by this person alone.
    pub fn find() -> Result<Self> {
        let usual = directories::ProjectDirs::from("", "", "aura");
        let folder = |variable: &str, usual: Option<&Path>| {
            std::env::var_os(variable)
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from)
                .or(usual.map(Path::to_owned))
        };
        let config = folder("AURA_CONFIG_DIR", usual.as_ref().map(|dirs| dirs.config_dir()));
        let data = folder("AURA_DATA_DIR", usual.as_ref().map(|dirs| dirs.data_dir()));
        match (config, data) {
            (Some(config), Some(data)) => Self::at(config, data),
            _ => Err(Error::storage(
                "find your home folder",
                "set AURA_CONFIG_DIR and AURA_DATA_DIR to say where to keep files",
            )),
        }
    }

    /// These folders, created when they are not there.
    pub fn at(config: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Result<Self> {
        let paths = Self { config: config.into(), data: data.into() };
        for folder in [&paths.config, &paths.data] {
            create(folder)
                .map_err(|cause| Error::storage(&format!("create the folder {}", folder.display()), cause))?;
        }
        Ok(paths)
    }
}

/// Where the person keeps documents, if the desktop says so: there an export is found again.
pub fn documents() -> Option<PathBuf> {
    let dirs = directories::UserDirs::new()?;
    dirs.document_dir().filter(|folder| folder.is_dir()).map(Path::to_owned)
}

/// Creates a folder for this person alone. One that is there already keeps its permissions: it may be shared on purpose.
fn create(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creates_both_folders_for_one_person() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::at(home.path().join("a/config"), home.path().join("data")).unwrap();
        for folder in [&paths.config, &paths.data] {
            assert!(folder.is_dir());
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
            }
        }
    }

    #[test]
    fn says_which_folder_cannot_be_created() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Paths::at(file.join("config"), home.path()).unwrap_err();
        assert_eq!(error.code, aura_core::error::Code::Storage);
        assert!(error.message.contains("file/config"), "{}", error.message);
    }
}
