//! The global shortcut: its edges become presses and releases; a changed setting is taken over at once. While a turn runs behind other
//! windows, Escape is taken as well, and stops it.

use aura_core::api::{self, Nothing, Press};
use aura_core::error::Error;
use aura_core::event::Event;
use aura_core::record::Stage;
use aura_core::{Assistant, error::Result};
use tauri::Manager as _;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::windows::MAIN;

/// What happened to the keys.
#[derive(Debug)]
enum Edge {
    Press,
    Release,
    Escape,
    /// The shortcut was lost, and why; or it is back.
    #[cfg(target_os = "linux")]
    Trouble(Option<Error>),
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
                // They only send a command: the order of the edges is kept.
                let _ = match edge {
                    Edge::Press => api::press(&assistant, Press::default()).await,
                    Edge::Release => api::release(&assistant, Nothing {}).await,
                    Edge::Escape => api::cancel(&assistant, Nothing {}).await,
                    #[cfg(target_os = "linux")]
                    Edge::Trouble(trouble) => {
                        assistant.shortcut_is(trouble.map(|error| error.message));
                        Ok(Nothing {})
                    }
                };
            }
            event = events.recv() => match event {
                Ok(Event::Changed { snapshot }) if snapshot.settings.shortcut != wanted => {
                    wanted = snapshot.settings.shortcut;
                    drop(held);
                    held = grab(&app, &wanted, edges.clone()).await;
                    assistant.shortcut_is(held.as_ref().err().map(|error| error.message.clone()));
                }
                Ok(Event::Stage { stage, .. }) => {
                    let Ok(held) = &held else { continue };
                    // In front of the person, the window itself hears Escape, and may mean something else by it.
                    let wanted = stage != Stage::Idle && !in_front(&app);
                    if let Err(error) = escape(&app, held, wanted, &edges).await {
                        tracing::debug!(%error, "Escape is somebody else's");
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

fn in_front<R: tauri::Runtime>(app: &tauri::AppHandle<R>) -> bool {
    app.get_webview_window(MAIN).is_some_and(|main| main.is_focused().unwrap_or(false))
}

/// A shortcut that is held until it is dropped.
#[cfg(target_os = "linux")]
type Held = std::sync::Arc<aura_platform::hotkey::HotkeyGuard>;

/// Linux: a blocking X11 listener, because the plugin looks for the key only every 50 ms.
#[cfg(target_os = "linux")]
async fn grab<R: tauri::Runtime>(
    _app: &tauri::AppHandle<R>,
    shortcut: &str,
    edges: mpsc::UnboundedSender<Edge>,
) -> Result<Held> {
    use aura_platform::hotkey;
    let shortcut: hotkey::Shortcut = shortcut.parse()?;
    let tell = edges.clone();
    let on = move |edge| {
        let _ = edges.send(match edge {
            hotkey::Edge::Press => Edge::Press,
            hotkey::Edge::Release => Edge::Release,
            hotkey::Edge::Escape => Edge::Escape,
        });
    };
    let trouble = move |trouble| drop(tell.send(Edge::Trouble(trouble)));
    let grabbed = tokio::task::spawn_blocking(move || hotkey::listen(&shortcut, on, trouble));
    Ok(Held::new(grabbed.await.map_err(Error::internal)??))
}

/// Takes Escape from every other program, or gives it back.
#[cfg(target_os = "linux")]
async fn escape<R: tauri::Runtime>(
    _app: &tauri::AppHandle<R>,
    held: &Held,
    wanted: bool,
    _edges: &mpsc::UnboundedSender<Edge>,
) -> Result<()> {
    let held = held.clone();
    tokio::task::spawn_blocking(move || held.escape(wanted)).await.map_err(Error::internal)?
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

/// Takes Escape from every other program, or gives it back.
#[cfg(not(target_os = "linux"))]
async fn escape<R: tauri::Runtime>(
    app: &tauri::AppHandle<R>,
    _held: &Held,
    wanted: bool,
    edges: &mpsc::UnboundedSender<Edge>,
) -> Result<()> {
    use tauri_plugin_global_shortcut::{Code as Key, GlobalShortcutExt, Shortcut, ShortcutState};
    let (keys, key, edges) = (app.global_shortcut(), Shortcut::new(None, Key::Escape), edges.clone());
    if wanted == keys.is_registered(key) {
        return Ok(());
    }
    let done = if wanted {
        keys.on_shortcut(key, move |_, _, event| {
            if event.state() == ShortcutState::Pressed {
                let _ = edges.send(Edge::Escape);
            }
        })
    } else {
        keys.unregister(key)
    };
    done.map_err(Error::internal)
}
