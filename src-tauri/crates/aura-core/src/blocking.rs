//! Work that blocks, on a thread of its own.

use crate::error::{Error, Result};

/// Runs work that blocks. When the program ends before the work has begun, this never returns: that is no error to tell of.
///
/// # Errors
/// The work panicked.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(cause) if cause.is_cancelled() => std::future::pending().await,
        Err(cause) => Err(Error::internal(cause)),
    }
}
