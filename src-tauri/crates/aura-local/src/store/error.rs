//! What can go wrong with the model store, with what to do next.

use std::io;

use aura_providers::Service;

use crate::format_bytes;

/// A request that the store refuses, or a download that ended early. Each message says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The catalog has no such model.
    #[error("There is no model `{0}`. `aura models` lists them.")]
    Unknown(String),
    /// The model is not installed.
    #[error("{0} is not installed. Download it first.")]
    NotInstalled(String),
    /// The model is installed, so there is no download to stop.
    #[error("{0} is installed already. Remove it if you do not want it.")]
    IsInstalled(String),
    /// The model belongs to AURA's own package.
    #[error("{0} belongs to AURA's package. It goes when AURA is uninstalled.")]
    Packaged(String),
    /// The model is not being downloaded.
    #[error("{0} is not being downloaded.")]
    NotDownloading(String),
    /// The model does not provide the service.
    #[error("{label} cannot be used for {}. Choose a model that is made for it.", .service.as_str())]
    WrongService {
        /// The model.
        label: String,
        /// The service.
        service: Service,
    },
    /// There is no ONNX Runtime for this operating system and processor.
    #[error(
        "There is no ONNX Runtime for this computer ({0}), so it cannot run speech models. Use a provider for speech."
    )]
    NoRuntime(String),
    /// Another process of AURA downloads the model.
    #[error("Another AURA on this computer is downloading {0}. Wait until it is done, or stop it there.")]
    Busy(String),
    /// The disk has no room.
    #[error(
        "The disk is too full: the download needs {} more, and {} are free. Free some space, then resume the download.",
        format_bytes(*.needed), format_bytes(*.free)
    )]
    DiskFull {
        /// The bytes that are still to be written.
        needed: u64,
        /// The bytes that are free.
        free: u64,
    },
    /// A file or folder of the store could not be read or written.
    #[error("AURA could not {action} ({cause}). Check that the disk works and the folder is writable, then try again.")]
    Storage {
        /// Completes "AURA could not …".
        action: String,
        /// The message of the operating system.
        cause: String,
    },
    /// No connection, or it broke again and again.
    #[error(
        "The connection to {host} failed ({cause}). Check the network, then resume: the download goes on where it stopped."
    )]
    Connection {
        /// The server.
        host: String,
        /// Why, without addresses.
        cause: String,
    },
    /// The server sent nothing for too long.
    #[error("{host} sent nothing for {seconds} s. Resume later: the download goes on where it stopped.")]
    Stalled {
        /// The server.
        host: String,
        /// The limit.
        seconds: u64,
    },
    /// The server does not deliver the file.
    #[error("{host} answered {status} for {file}. Try again later, or choose another model.")]
    Refused {
        /// The server.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The file.
        file: String,
    },
    /// The server redirected to an address that is not encrypted, or too often.
    #[error(
        "{host} redirected {file} to an address that AURA does not follow. Try again later, or choose another model."
    )]
    Redirect {
        /// The server that redirected.
        host: String,
        /// The file.
        file: String,
    },
    /// What the server sends for a range does not fit what was asked for.
    #[error("{host} sent another part of {file} than AURA asked for. Try again later, or choose another model.")]
    WrongRange {
        /// The server.
        host: String,
        /// The file.
        file: String,
    },
    /// A file does not have the expected size or SHA-256. It was removed.
    #[error(
        "{file} arrived damaged or was replaced on the server: its {what} is not the expected one. It was removed; download it again, \
         or choose another model if this happens twice."
    )]
    Damaged {
        /// The file.
        file: String,
        /// `size` or `checksum`.
        what: &'static str,
    },
    /// A file is not in its archive, or the archive cannot be read.
    #[error(
        "{file} could not be unpacked ({cause}). It was removed; download it again, or choose another model if this happens twice."
    )]
    Archive {
        /// The file.
        file: String,
        /// Why.
        cause: String,
    },
    /// The user paused or cancelled, or AURA ends.
    #[error("The download was stopped.")]
    Stopped,
}

impl StoreError {
    /// The error of a file operation; `action` completes "AURA could not …". A full disk is [`StoreError::DiskFull`].
    pub(crate) fn storage(action: impl Into<String>, cause: &io::Error) -> Self {
        if is_full(cause) {
            return Self::DiskFull { needed: 0, free: 0 };
        }
        Self::Storage { action: action.into(), cause: cause.to_string() }
    }

    /// Whether another source of the same file may do better.
    pub(crate) fn depends_on_source(&self) -> bool {
        matches!(
            self,
            Self::Connection { .. }
                | Self::Stalled { .. }
                | Self::Refused { .. }
                | Self::Redirect { .. }
                | Self::WrongRange { .. }
                | Self::Damaged { .. }
        )
    }

    /// Whether what has arrived is kept, so that the download can go on.
    pub fn can_resume(&self) -> bool {
        matches!(
            self,
            Self::Connection { .. }
                | Self::Stalled { .. }
                | Self::DiskFull { .. }
                | Self::Storage { .. }
                | Self::Stopped
        )
    }
}

/// Whether an error means that the disk, the user's quota or the largest size of a file is used up.
pub(crate) fn is_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
