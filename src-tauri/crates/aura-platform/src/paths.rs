//! The folders in which AURA keeps its files.

use std::path::{Path, PathBuf};

use aura_core::config::Environment;
use aura_core::error::{Error, Result};

/// AURA's two folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The settings.
    pub config: PathBuf,
    /// History, recordings, the API token and other data.
    pub data: PathBuf,
}

impl Paths {
    /// The folders that `AURA_CONFIG_DIR` and `AURA_DATA_DIR` name, else the operating system's default ones. Missing folders are
    /// created; only the current user can read them.
    ///
    /// # Errors
    /// There is no home folder and a variable is not set, or a folder cannot be created.
    pub fn find(environment: &Environment) -> Result<Self> {
        let default = directories::ProjectDirs::from("", "", "aura");
        let folder = |variable: &str, default: Option<&Path>| {
            // `environment` holds only UTF-8 values; a path in a variable of the process may be something else.
            std::env::var_os(variable)
                .or_else(|| environment.get(variable).map(Into::into))
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from)
                .or(default.map(Path::to_owned))
        };
        let config = folder("AURA_CONFIG_DIR", default.as_ref().map(|dirs| dirs.config_dir()));
        // Only Windows tells them apart: the other data folder is copied to every computer of a domain, and models have gigabytes.
        let data = folder("AURA_DATA_DIR", default.as_ref().map(|dirs| dirs.data_local_dir()));
        match (config, data) {
            (Some(config), Some(data)) => Self::at(config, data),
            _ => Err(Error::storage(
                "find your home folder",
                "set AURA_CONFIG_DIR and AURA_DATA_DIR to the folders to use",
            )),
        }
    }

    /// These two folders, created if they do not exist.
    ///
    /// # Errors
    /// A folder cannot be created.
    pub fn at(config: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Result<Self> {
        let paths = Self { config: config.into(), data: data.into() };
        for folder in [&paths.config, &paths.data] {
            create_private(folder)
                .map_err(|cause| Error::storage(&format!("create the folder {}", folder.display()), cause))?;
            make_private(folder);
        }
        Ok(paths)
    }
}

/// The files and folders that AURA makes in its own two folders.
const OWN: &[&str] = &[
    "config.toml",
    "api-token",
    "history.db",
    "history.db-wal",
    "history.db-shm",
    "models",
    "models.json",
    "models.sandbox.json",
    "windows.json",
    "recordings",
    "backups",
    "logs",
    "tmp",
];

/// Takes away other users' access to what an earlier version made in a folder that they can enter. A link is left alone: the user made it.
#[cfg(unix)]
fn make_private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for path in OWN.iter().map(|name| folder.join(name)) {
        let Ok(file) = std::fs::symlink_metadata(&path) else { continue };
        let mode = file.permissions().mode();
        if (file.is_file() || file.is_dir()) && mode & 0o077 != 0 {
            let private = std::fs::Permissions::from_mode(mode & 0o700);
            if let Err(cause) = std::fs::set_permissions(&path, private) {
                tracing::warn!(%cause, file = %path.display(), "other users may be able to read this file");
            }
        }
    }
}

#[cfg(not(unix))]
fn make_private(_: &Path) {}

/// The user's documents folder, if the desktop has one. Exports are saved there.
pub fn documents() -> Option<PathBuf> {
    let dirs = directories::UserDirs::new()?;
    dirs.document_dir().filter(|folder| folder.is_dir()).map(Path::to_owned)
}

/// Creates a folder that only the current user can read. An existing folder keeps its permissions, because it may be shared on purpose.
///
/// # Errors
/// The folder cannot be created, or something else has its name.
pub fn create_private(folder: &Path) -> std::io::Result<()> {
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
    fn both_folders_are_created_private() {
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
    #[cfg(unix)]
    fn what_an_earlier_version_left_readable_becomes_private_in_a_shared_folder() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (shared, outside) = (home.path().join("data"), home.path().join("outside"));
        std::fs::create_dir_all(shared.join("recordings")).unwrap();
        for file in [shared.join("history.db"), shared.join("notes.txt"), outside.clone()] {
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        std::os::unix::fs::symlink(&outside, shared.join("config.toml")).unwrap();
        for folder in [shared.clone(), shared.join("recordings")] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Paths::at(home.path().join("config"), &shared).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&shared.join("history.db")), 0o600);
        assert_eq!(mode(&shared.join("recordings")), 0o700);
        assert_eq!(mode(&shared), 0o755, "the folder itself may be shared on purpose");
        assert_eq!(mode(&shared.join("notes.txt")), 0o644, "a file of the user's");
        assert_eq!(mode(&outside), 0o644, "a link is not followed");
    }

    #[test]
    fn an_error_names_the_folder_that_cannot_be_created() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Paths::at(file.join("config"), home.path()).unwrap_err();
        assert_eq!(error.code, aura_core::error::ErrorCode::Storage);
        assert!(error.message.contains("file/config"), "{}", error.message);
    }
}
