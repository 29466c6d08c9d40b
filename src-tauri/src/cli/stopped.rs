//! Ctrl-C, log-out and a closed terminal during a question: it is written to the history before the program ends.

use std::time::Duration;

use aura_core::Assistant;
use aura_core::error::{Error, Result};
use aura_core::record::TurnRecord;

/// How long the record of a stopped turn, which is saved already, may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(1);

/// Waits for a turn. On a signal to end, stops the turn and returns its record as far as it came.
///
/// # Errors
/// That of the turn, if it did not begin.
pub(super) async fn until_stopped(
    assistant: &Assistant,
    turn: impl Future<Output = Result<TurnRecord>>,
) -> Result<TurnRecord> {
    let mut turn = std::pin::pin!(turn);
    tokio::select! {
        biased;
        () = aura_server::shutdown_signal() => {}
        record = &mut turn => return record,
    }
    assistant.close().await;
    // By now the record has arrived, unless the turn had not begun.
    tokio::time::timeout(ARRIVAL, turn).await.unwrap_or_else(|_| Err(Error::cancelled()))
}
