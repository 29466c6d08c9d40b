//! The global shortcut: forwards presses and releases to the assistant, and applies changes of the setting at once. While a turn runs
//! behind other windows, Escape is grabbed too, and cancels the turn.

use aura_core::api::{self, Nothing, Press};
use aura_core::error::Error;
use aura_core::event::Event;
use aura_core::record::Stage;
use aura_core::{Assistant, error::Result};
use tauri::Manager as _;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::windows::MAIN;

/// Key events that are queued at most. Each is handled in microseconds, so the queue is empty unless the process hangs.
const MAX_QUEUED_EVENTS: usize = 256;

/// A key event, or a change of the shortcut's state.
#[derive(Debug)]
enum KeyEvent {
    Press,
    Release,
    Escape,
    /// The shortcut was lost, and why; `None` when it works again.
    #[cfg(target_os = "linux")]
    Problem(Option<Error>),
}

/// Sends key events from the keyboard's thread. It never blocks, because that thread is joined when the shortcut changes.
#[derive(Clone)]
struct KeyEvents(mpsc::Sender<KeyEvent>);

impl KeyEvents {
    fn send(&self, event: KeyEvent) {
        if let Err(cause) = self.0.try_send(event) {
            tracing::warn!(%cause, "a key event was lost");
        }
    }
}

/// Registers the shortcut and handles its events until the assistant ends.
pub(crate) async fn run<R: tauri::Runtime>(app: tauri::AppHandle<R>, assistant: Assistant) {
    let (sender, mut key_events) = mpsc::channel(MAX_QUEUED_EVENTS);
    let sender = KeyEvents(sender);
    let mut events = assistant.subscribe();
    let mut wanted = assistant.config().settings.shortcut.clone();
    let mut shortcut = register(&app, &wanted, sender.clone()).await;
    assistant.set_shortcut_problem(shortcut.as_ref().err().map(|error| error.message.clone()));
    loop {
        tokio::select! {
            Some(event) = key_events.recv() => {
                // These only send a command to the turn, so the events stay in order.
                let _ = match event {
                    KeyEvent::Press => api::press(&assistant, Press::default()).await,
                    KeyEvent::Release => api::release(&assistant, Nothing {}).await,
                    KeyEvent::Escape => api::cancel(&assistant, Nothing {}).await,
                    #[cfg(target_os = "linux")]
                    KeyEvent::Problem(problem) => {
                        assistant.set_shortcut_problem(problem.map(|error| error.message));
                        Ok(Nothing {})
                    }
                };
            }
            event = events.recv() => match event {
                Ok(Event::Changed { snapshot }) if snapshot.settings.shortcut != wanted => {
                    wanted = snapshot.settings.shortcut;
                    drop(shortcut);
                    shortcut = register(&app, &wanted, sender.clone()).await;
                    assistant.set_shortcut_problem(shortcut.as_ref().err().map(|error| error.message.clone()));
                }
                Ok(Event::Stage { stage, .. }) => {
                    let Ok(shortcut) = &shortcut else { continue };
                    // A main window in front handles Escape itself, sometimes for another purpose.
                    let is_wanted = stage != Stage::Idle && !is_main_in_front(&app);
                    if let Err(error) = grab_escape(&app, shortcut, is_wanted, &sender).await {
                        tracing::debug!(%error, "another program has grabbed Escape");
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

fn is_main_in_front<R: tauri::Runtime>(app: &tauri::AppHandle<R>) -> bool {
    app.get_webview_window(MAIN).is_some_and(|main| main.is_focused().unwrap_or(false))
}

/// A registered shortcut. Dropping it frees the shortcut.
#[cfg(target_os = "linux")]
type RegisteredShortcut = std::sync::Arc<aura_platform::hotkey::HotkeyGuard>;

/// Registers the shortcut with the blocking X11 listener. Tauri's plugin polls the keyboard, which would add up to 50 ms.
#[cfg(target_os = "linux")]
async fn register<R: tauri::Runtime>(
    _app: &tauri::AppHandle<R>,
    shortcut: &str,
    key_events: KeyEvents,
) -> Result<RegisteredShortcut> {
    use aura_platform::hotkey::{self, ShortcutEvent};
    let shortcut: hotkey::Shortcut = shortcut.parse()?;
    let problems = key_events.clone();
    let on_event = move |event| {
        key_events.send(match event {
            ShortcutEvent::Press => KeyEvent::Press,
            ShortcutEvent::Release => KeyEvent::Release,
            ShortcutEvent::Escape => KeyEvent::Escape,
        });
    };
    let on_problem = move |problem| problems.send(KeyEvent::Problem(problem));
    let listening = tokio::task::spawn_blocking(move || hotkey::listen(&shortcut, on_event, on_problem));
    Ok(RegisteredShortcut::new(listening.await.map_err(Error::internal)??))
}

/// Grabs Escape from all other programs, or frees it.
#[cfg(target_os = "linux")]
async fn grab_escape<R: tauri::Runtime>(
    _app: &tauri::AppHandle<R>,
    shortcut: &RegisteredShortcut,
    is_wanted: bool,
    _key_events: &KeyEvents,
) -> Result<()> {
    let shortcut = shortcut.clone();
    tokio::task::spawn_blocking(move || shortcut.grab_escape(is_wanted)).await.map_err(Error::internal)?
}

/// A shortcut registered with Tauri's plugin, on macOS and Windows. Dropping it frees the shortcut.
#[cfg(not(target_os = "linux"))]
struct RegisteredShortcut {
    unregister: Option<Box<dyn FnOnce() + Send>>,
}

#[cfg(not(target_os = "linux"))]
impl Drop for RegisteredShortcut {
    fn drop(&mut self) {
        if let Some(unregister) = self.unregister.take() {
            unregister();
        }
    }
}

/// Registers the shortcut with Tauri's plugin.
#[cfg(not(target_os = "linux"))]
async fn register<R: tauri::Runtime>(
    app: &tauri::AppHandle<R>,
    shortcut: &str,
    key_events: KeyEvents,
) -> Result<RegisteredShortcut> {
    use aura_core::error::ErrorCode;
    use tauri_plugin_global_shortcut::{GlobalShortcutExt, Shortcut, ShortcutState};
    let parsed: Shortcut = shortcut.parse().map_err(|cause| {
        Error::new(
            ErrorCode::Shortcut,
            format!("“{shortcut}” is not a valid shortcut. Choose another one in Settings."),
        )
        .because(cause)
    })?;
    app.global_shortcut()
        .on_shortcut(parsed, move |_, _, event| {
            key_events.send(match event.state() {
                ShortcutState::Pressed => KeyEvent::Press,
                ShortcutState::Released => KeyEvent::Release,
            });
        })
        .map_err(|cause| {
            Error::new(
                ErrorCode::Shortcut,
                format!("Another program already uses {shortcut}. Choose another shortcut in Settings."),
            )
            .because(cause)
        })?;
    let app = app.clone();
    Ok(RegisteredShortcut { unregister: Some(Box::new(move || drop(app.global_shortcut().unregister(parsed)))) })
}

/// Grabs Escape from all other programs, or frees it.
#[cfg(not(target_os = "linux"))]
async fn grab_escape<R: tauri::Runtime>(
    app: &tauri::AppHandle<R>,
    _shortcut: &RegisteredShortcut,
    is_wanted: bool,
    key_events: &KeyEvents,
) -> Result<()> {
    use tauri_plugin_global_shortcut::{Code, GlobalShortcutExt, Shortcut, ShortcutState};
    let (shortcuts, escape, key_events) =
        (app.global_shortcut(), Shortcut::new(None, Code::Escape), key_events.clone());
    if is_wanted == shortcuts.is_registered(escape) {
        return Ok(());
    }
    let result = if is_wanted {
        shortcuts.on_shortcut(escape, move |_, _, event| {
            if event.state() == ShortcutState::Pressed {
                key_events.send(KeyEvent::Escape);
            }
        })
    } else {
        shortcuts.unregister(escape)
    };
    result.map_err(Error::internal)
}
