//! Speech, language and vision models on this computer, behind the same traits as a provider.
//!
//! A model runs in a process of its own (`aura-engine`), so that a crash of native code costs one answer and nothing else. This crate
//! starts these processes, talks to them in the frames of [`protocol`], and keeps the models' files.
#![forbid(unsafe_code)]

pub mod download;
pub mod memory;
pub mod package;
pub mod protocol;
pub mod store;

mod format_bytes;
mod installed;
mod models;
mod options;
mod pool;
mod process;

pub use format_bytes::format_bytes;
pub use installed::{Installed, InstalledModels};
pub use models::Models;
pub use options::Options;
pub use process::Limits;
