//! The models that can run on this computer, as an interface shows them, and the requests about them.

use std::path::PathBuf;

use aura_providers::Service;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The models that can run on this computer, and the place for them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LocalModelsView {
    /// Every model of the catalog.
    pub models: Vec<LocalModelView>,
    /// What installed models and unfinished downloads take on the disk, in bytes.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub disk_used: u64,
    /// What is free on the disk of the models, in bytes.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub disk_free: u64,
    /// The memory of this computer, in bytes; 0 when it is not known.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub memory_total: u64,
    /// The folder of the models.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub folder: PathBuf,
    /// ONNX Runtime, which the speech models need. It is downloaded with the first of them.
    pub runtime: RuntimeView,
    /// IDs of the models to offer first on this computer: speech recognition and a voice for the user's language, then language models
    /// from small to large.
    pub suggested: Vec<String>,
}

/// The library that runs speech models.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuntimeView {
    /// Its name and version, such as `ONNX Runtime 1.32.0`.
    pub label: String,
    /// The size of its download, in bytes.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub size_bytes: u64,
    /// Its licence, as an SPDX identifier.
    pub license: String,
    /// The page that describes it.
    pub source_url: String,
    /// Whether it is installed. `failed` on a computer for which there is none.
    pub state: LocalModelState,
}

/// A model that can run on this computer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LocalModelView {
    /// Its ID, such as `whisper-base`.
    pub id: String,
    /// Its name to show to the user.
    pub label: String,
    /// What it does.
    pub services: Vec<Service>,
    /// The ISO 639-1 codes of the languages that it hears, speaks or writes; empty for all that matter.
    pub languages: Vec<String>,
    /// What it is good for, in a sentence.
    pub description: String,
    /// The size of its files, in bytes; 0 until the download has begun where only the server knows it.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub size_bytes: u64,
    /// The memory that it needs when loaded, in bytes.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub memory_bytes: u64,
    /// Its licence, as an SPDX identifier or a name.
    pub license: String,
    /// The page that describes it.
    pub source_url: String,
    /// What its files are checked against.
    pub checksum: ChecksumSource,
    /// Whether this computer has the memory for it.
    pub fits: Fits,
    /// Whether it is installed.
    pub state: LocalModelState,
    /// The services for which it is preferred among the models on this computer.
    pub used_for: Vec<Service>,
}

/// What the files of a model are checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChecksumSource {
    /// The sizes and SHA-256 checksums in AURA's catalog.
    Catalog,
    /// The checksums that the server of the download sends for some or all files.
    Server,
}

/// Whether a computer has the memory for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fits {
    /// It does, and the model is fast enough.
    Yes,
    /// It does, but other programs may be slowed down, or the model is slow.
    Tight,
    /// It does not.
    No,
}

/// Whether a model is installed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LocalModelState {
    /// It can be downloaded.
    #[default]
    Available,
    /// It is being downloaded, or waits for its turn with `bytes_per_second` 0.
    Downloading {
        /// Bytes that have arrived.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        done_bytes: u64,
        /// Bytes in all; 0 while that is not known.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        total_bytes: u64,
        /// Bytes per second in the last seconds.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        bytes_per_second: u64,
    },
    /// Its download stopped. `resume_model` goes on where it stopped.
    Paused {
        /// Bytes that have arrived.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        done_bytes: u64,
        /// Bytes in all; 0 while that is not known.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        total_bytes: u64,
        /// Why it stopped; absent when the user paused it or AURA ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        error: Option<Error>,
    },
    /// Its files have arrived and are being checked and unpacked.
    Checking,
    /// It can be used.
    Installed,
    /// Its download failed, and nothing of it was kept.
    Failed {
        /// Why.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        error: Error,
    },
}

/// Request of `download_model`, `pause_model`, `resume_model`, `cancel_model` and `delete_model`: one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ModelId {
    /// The model's ID.
    pub id: String,
}

/// Request of `use_model`: prefers a model for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct UseModel {
    /// The model's ID.
    pub id: String,
    /// The service; the model must provide it.
    pub service: Service,
}

/// Request of `stop_using_model`: prefers no model for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StopUsingModel {
    /// The service.
    pub service: Service,
}
