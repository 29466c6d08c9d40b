//! What an installed model's folder says about itself. A model without this file is not installed.

use std::path::{Path, PathBuf};

use aura_providers::Service;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::files;
use crate::installed::Installed;
use crate::protocol::Engine;

/// The name of the file. It is written last.
pub(crate) const FILE: &str = "installed.json";

/// An installed model, or ONNX Runtime, which has no engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its ID.
    pub id: String,
    /// Its name for users.
    pub label: String,
    /// The engine that runs it; absent for ONNX Runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// What it does.
    #[serde(default)]
    pub services: Vec<Service>,
    /// Its languages; empty for many.
    #[serde(default)]
    pub languages: Vec<String>,
    /// The memory that it needs, in bytes.
    #[serde(default)]
    pub memory: u64,
    /// Its files.
    pub files: Vec<RecordedFile>,
    /// The folder that it was read from.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A file that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFile {
    /// What the engine calls it.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Record {
    /// Reads the record of a folder. `Ok(None)`: nothing is installed there.
    ///
    /// # Errors
    /// When a file is missing or has another size.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let Some(mut record) = files::read_json::<Self>(&folder.join(FILE)) else { return Ok(None) };
        folder.clone_into(&mut record.folder);
        for file in &record.files {
            if files::size(&folder.join(&file.name)) != file.size {
                return Err(StoreError::Damaged { file: file.name.clone(), what: "size" });
            }
        }
        Ok(Some(record))
    }

    /// The model as the pool of engines needs it; `None` for ONNX Runtime.
    pub(crate) fn installed(&self) -> Option<Installed> {
        let path = |file: &RecordedFile| (file.role.clone(), self.folder.join(&file.name));
        Some(Installed {
            id: self.id.clone(),
            label: self.label.clone(),
            engine: self.engine?,
            services: self.services.clone(),
            languages: self.languages.clone(),
            memory: self.memory,
            files: self.files.iter().map(path).collect(),
        })
    }

    /// The path of the file with this role.
    pub(crate) fn file(&self, role: &str) -> Option<PathBuf> {
        self.files.iter().find(|file| file.role == role).map(|file| self.folder.join(&file.name))
    }
}
