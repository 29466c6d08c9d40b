//! The global shortcut: its edges become presses and releases; a changed setting is taken over at once.

use aura_core::api::{self, Nothing, Press};
use aura_core::error::Error;
use aura_core::event::Event;
use aura_core::{Assistant, error::Result};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// The key's movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Press,
    Release,
}

/// Holds the shortcut until the program ends.
pub(crate) async fn hold<R: tauri::Runtime>(app: tauri::AppHandle<R>, assistant: Assistant) {
    let (edges, mut inbox) = mpsc::unbounded_channel();
    let mut events = assistant.subscribe();
    let mut wanted = assistant.snapshot().settings.shortcut;
    let mut held = grab(&app, &wanted, edges.clone()).await;
    assistant.shortcut_is(held.as_ref().err().map(|error| error.message.clone()));
    loop {
        tokio::select! {
            Some(edge) = inbox.recv() => {
                // Both only send a command: the order of the edges is kept.
                let _ = match edge {
                    Edge::Press => api::press(&assistant, Press::default()).await,
                    Edge::Release => api::release(&assistant, Nothing {}).await,
                };
            }
            event = events.recv() => match event {
                Ok(Event::Changed { snapshot }) if snapshot.settings.shortcut != wanted => {
                    wanted = snapshot.settings.shortcut;
                    drop(held);
                    held = grab(&app, &wanted, edges.clone()).await;
                    assistant.shortcut_is(held.as_ref().err().map(|error| error.message.clone()));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// A shortcut that is held until it is dropped.
#[cfg(target_os = "linux")]
type Held = aura_platform::hotkey::HotkeyGuard;

/// Linux: a blocking X11 listener, because the plugin looks for the key only every 50 ms.
#[cfg(target_os = "linux")]
async fn grab<R: tauri::Runtime>(
    _app: &tauri::AppHandle<R>,
    shortcut: &str,
    edges: mpsc::UnboundedSender<Edge>,
) -> Result<Held> {
    let shortcut: aura_platform::hotkey::Shortcut = shortcut.parse()?;
    let grabbed = tokio::task::spawn_blocking(move || {
        aura_platform::hotkey::listen(&shortcut, move |edge| {
            let _ = edges.send(match edge {
                aura_platform::hotkey::Edge::Press => Edge::Press,
                aura_platform::hotkey::Edge::Release => Edge::Release,
            });
        })
    });
    grabbed.await.map_err(Error::internal)?
}

/// macOS and Windows: Tauri's plugin.
#[cfg(not(target_os = "linux"))]
struct Held(Box<dyn FnOnce() + Send>, ());

#[cfg(not(target_os = "linux"))]
impl Drop for Held {
    fn drop(&mut self) {
        std::mem::replace(&mut self.0, Box::new(|| {}))();
    }
}

#[cfg(not(target_os = "linux"))]
async fn grab<R: tauri::Runtime>(
    app: &tauri::AppHandle<R>,
    shortcut: &str,
    edges: mpsc::UnboundedSender<Edge>,
) -> Result<Held> {
    use aura_core::error::Code;
    use tauri_plugin_global_shortcut::{GlobalShortcutExt, Shortcut, ShortcutState};
    let parsed: Shortcut = shortcut.parse().map_err(|cause| {
        Error::new(Code::Shortcut, format!("`{shortcut}` is not a shortcut. Record another one under Settings."))
            .because(cause)
    })?;
    app.global_shortcut()
        .on_shortcut(parsed, move |_, _, event| {
            let _ = edges.send(if event.state() == ShortcutState::Pressed { Edge::Press } else { Edge::Release });
        })
        .map_err(|cause| {
            Error::new(
                Code::Shortcut,
                format!("`{shortcut}` is held by another program. Record another one under Settings."),
            )
            .because(cause)
        })?;
    let app = app.clone();
    Ok(Held(Box::new(move || drop(app.global_shortcut().unregister(parsed))), ()))
}
