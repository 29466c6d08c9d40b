//! Runs calls that block on the operating system outside the async runtime.

use std::time::Duration;

use tokio::sync::oneshot;

/// Why a blocking call returned no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockingError {
    /// The call took longer than its timeout. Its thread lives on until the call returns.
    TimedOut,
    /// The thread could not be started, or the call panicked.
    ThreadFailed,
}

/// Runs a blocking call on a thread of its own and waits for the result up to `timeout`.
///
/// This does not use the runtime's blocking pool: the runtime waits for that pool when it shuts down, so a sound server or key store
/// that never answers would keep AURA from quitting.
pub(crate) async fn run_blocking<T: Send + 'static>(
    thread_name: &str,
    timeout: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name(thread_name.to_owned())
        .spawn(move || {
            // Fails after a timeout, when the receiver is gone.
            let _ = sender.send(call());
        })
        .map_err(|_| BlockingError::ThreadFailed)?;
    match tokio::time::timeout(timeout, receiver).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err(BlockingError::ThreadFailed),
        Err(_) => Err(BlockingError::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_the_result_a_timeout_or_a_panic() {
        assert_eq!(run_blocking("t", Duration::from_secs(60), || 7).await, Ok(7));
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let slow = run_blocking("t", Duration::from_millis(20), move || blocked.recv().is_err());
        assert_eq!(slow.await, Err(BlockingError::TimedOut));
        drop(release);
        let panicked = run_blocking("t", Duration::from_secs(60), || -> u8 { std::panic::resume_unwind(Box::new(())) });
        assert_eq!(panicked.await, Err(BlockingError::ThreadFailed));
    }
}
