//! The HTTP door of the desktop app: open while the settings say so, on the port that they say.

use std::path::PathBuf;

use aura_core::Assistant;
use aura_core::error::{Error, Result};
use aura_server::{Door, Token};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::changes;

/// An open door; it closes when this is dropped.
struct Open {
    closing: DropGuard,
    served: JoinHandle<()>,
}

impl Open {
    /// Closes it: what is under way ends first, and the port is free after.
    async fn close(self) {
        drop(self.closing);
        let _ = self.served.await;
    }
}

/// Follows the switch until the program ends.
pub(crate) async fn follow(assistant: Assistant, data: PathBuf, ending: CancellationToken) {
    let mut events = assistant.subscribe();
    let mut now = aura_core::config::Door::default();
    let mut open: Option<Open> = None;
    loop {
        let wanted = assistant.snapshot().settings.door;
        if wanted != now {
            if let Some(open) = open.take() {
                open.close().await;
            }
            let mut problem = None;
            if wanted.open {
                match open_on(wanted.port, &assistant, data.clone()).await {
                    Ok(opened) => open = Some(opened),
                    Err(error) => {
                        tracing::warn!(detail = ?error.detail, "{}", error.message);
                        problem = Some(error.message);
                    }
                }
            }
            now = wanted;
            assistant.door_is(problem);
        }
        let goes_on = tokio::select! {
            goes_on = changes::next(&mut events) => goes_on,
            () = ending.cancelled() => false,
        };
        if !goes_on {
            break;
        }
    }
    if let Some(open) = open {
        open.close().await;
    }
}

async fn open_on(port: u16, assistant: &Assistant, data: PathBuf) -> Result<Open> {
    let listener = aura_server::listen(port).await?;
    let token = tokio::task::spawn_blocking(move || Token::open(&data)).await.map_err(Error::internal)??;
    let closing = CancellationToken::new();
    let door = Door::new(assistant.clone(), token).with_interface(crate::interface::files());
    let served = tokio::spawn(aura_server::serve(listener, door, closing.clone()));
    tracing::info!(port, "the HTTP door is open");
    Ok(Open { closing: closing.drop_guard(), served })
}
