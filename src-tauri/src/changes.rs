//! Following the settings: what the shell opens, holds or registers because of them is changed as soon as they are.

use aura_core::event::Event;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Waits until settings, keys or routes changed, or may have. False when the assistant is gone.
pub(crate) async fn next(events: &mut Receiver<Event>) -> bool {
    loop {
        match events.recv().await {
            Ok(Event::Changed { .. }) | Err(RecvError::Lagged(_)) => return true,
            Ok(_) => {}
            Err(RecvError::Closed) => return false,
        }
    }
}
