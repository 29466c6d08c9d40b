//! Calls that wait for the machine, kept off the runtime.

use std::time::Duration;

use tokio::sync::oneshot;

/// Why a call gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// It took longer than its limit; its thread is left behind until it returns.
    Limit,
    /// Its thread could not start, or it panicked.
    Broke,
}

/// Runs a call that may block on a thread of its own, and waits for it no longer than `limit`.
///
/// Not the runtime's pool of blocking threads: the runtime waits for those when it is shut down, so a sound server or a key store
/// that never answers would keep AURA from quitting.
pub(crate) async fn off_runtime<T: Send + 'static>(
    name: &str,
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stuck> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Nobody listens any more when the limit was passed.
            let _ = tell.send(call());
        })
        .map_err(|_| Stuck::Broke)?;
    match tokio::time::timeout(limit, told).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err(Stuck::Broke),
        Err(_) => Err(Stuck::Limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_result_the_limit_or_the_panic() {
        assert_eq!(off_runtime("t", Duration::from_secs(60), || 7).await, Ok(7));
        let (go_on, held) = std::sync::mpsc::channel::<()>();
        let slow = off_runtime("t", Duration::from_millis(20), move || held.recv().is_err());
        assert_eq!(slow.await, Err(Stuck::Limit));
        drop(go_on);
        let gone = off_runtime("t", Duration::from_secs(60), || -> u8 { std::panic::resume_unwind(Box::new(())) });
        assert_eq!(gone.await, Err(Stuck::Broke));
    }
}
