//! The errors of this crate.

/// Why audio could not be read or written. The messages of [`Error::Unreadable`] and [`Error::TooLong`] can be shown to a user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a sound file in a supported format, or they are damaged. Holds the message.
    #[error("{0}")]
    Unreadable(String),
    /// The audio is longer than [`MAX_DURATION`](crate::MAX_DURATION).
    #[error("The audio is longer than 13 minutes. Split it into shorter parts.")]
    TooLong,
    /// A file could not be written. Holds the cause.
    #[error("The audio file could not be written: {0}")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The result of a function that can fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::Unreadable(message.into())
    }

    pub(crate) fn write(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Write(cause.into())
    }
}
