//! The global shortcuts: forwards presses and releases to the assistant, and applies changes of the settings at once. While a turn runs
//! behind other windows, Escape is grabbed too, and cancels the turn.

use aura_core::api::{self, Nothing, Press, Purpose};
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

/// A key event, or a change of a shortcut's state.
#[derive(Debug)]
enum KeyEvent {
    Press(Purpose),
    Release,
    Escape,
    /// A shortcut was lost, and why; `None` when it works again.
    #[cfg(target_os = "linux")]
    Problem(Purpose, Option<Error>),
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

/// The shortcuts that are registered, and what is wrong with the others.
struct Shortcuts {
    wanted: Vec<(Purpose, String)>,
    registered: Vec<RegisteredShortcut>,
    problems: Vec<(Purpose, String)>,
}

impl Shortcuts {
    /// Registers them. One that cannot be is a problem and no failure.
    async fn register<R: tauri::Runtime>(
        app: &tauri::AppHandle<R>,
        wanted: Vec<(Purpose, String)>,
        key_events: &KeyEvents,
    ) -> Self {
        let (mut registered, mut problems) = (Vec::new(), Vec::new());
        for (purpose, keys) in &wanted {
            match register(app, *purpose, keys, key_events.clone()).await {
                Ok(shortcut) => registered.push(shortcut),
                Err(error) => problems.push((*purpose, error.message)),
            }
        }
        Self { wanted, registered, problems }
    }

    /// Notes that a shortcut was lost, or works again.
    #[cfg(target_os = "linux")]
    fn note(&mut self, purpose: Purpose, problem: Option<Error>) {
        self.problems.retain(|(of, _)| *of != purpose);
        self.problems.extend(problem.map(|error| (purpose, error.message)));
    }

    /// What is wrong, in sentences.
    fn problem(&self) -> Option<String> {
        let mut sentences: Vec<&str> = self.problems.iter().map(|(_, sentence)| sentence.as_str()).collect();
        sentences.dedup();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

/// Registers the shortcuts and handles their events until the assistant ends.
pub(crate) async fn run<R: tauri::Runtime>(app: tauri::AppHandle<R>, assistant: Assistant) {
    let (sender, mut key_events) = mpsc::channel(MAX_QUEUED_EVENTS);
    let sender = KeyEvents(sender);
    let mut events = assistant.subscribe();
    let mut shortcuts = Shortcuts::register(&app, assistant.config().settings.shortcuts(), &sender).await;
    assistant.set_shortcut_problem(shortcuts.problem());
    loop {
        tokio::select! {
            Some(event) = key_events.recv() => {
                // These only send a command to the turn, so the events stay in order.
                let _ = match event {
                    KeyEvent::Press(purpose) => api::press(&assistant, Press { purpose, ..Press::default() }).await,
                    KeyEvent::Release => api::release(&assistant, Nothing {}).await,
                    KeyEvent::Escape => api::cancel(&assistant, Nothing {}).await,
                    #[cfg(target_os = "linux")]
                    KeyEvent::Problem(purpose, problem) => {
                        shortcuts.note(purpose, problem);
                        assistant.set_shortcut_problem(shortcuts.problem());
                        Ok(Nothing {})
                    }
                };
            }
            event = events.recv() => match event {
                Ok(Event::Changed { snapshot }) if snapshot.settings.shortcuts() != shortcuts.wanted => {
                    // The old ones first: a key may move from one to another.
                    shortcuts.registered.clear();
                    shortcuts = Shortcuts::register(&app, snapshot.settings.shortcuts(), &sender).await;
                    assistant.set_shortcut_problem(shortcuts.problem());
                }
                Ok(Event::Stage { stage, .. }) => {
                    let Some(shortcut) = shortcuts.registered.first() else { continue };
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

/// Registers a shortcut with the blocking X11 listener, or the desktop portal. Tauri's plugin polls the keyboard, which would add up to 50 ms.
#[cfg(target_os = "linux")]
async fn register<R: tauri::Runtime>(
    _app: &tauri::AppHandle<R>,
    purpose: Purpose,
    shortcut: &str,
    key_events: KeyEvents,
) -> Result<RegisteredShortcut> {
    use aura_platform::hotkey::{self, ShortcutEvent};
    let shortcut: hotkey::Shortcut = shortcut.parse()?;
    let problems = key_events.clone();
    let on_event = move |event| {
        key_events.send(match event {
            ShortcutEvent::Press => KeyEvent::Press(purpose),
            ShortcutEvent::Release => KeyEvent::Release,
            ShortcutEvent::Escape => KeyEvent::Escape,
        });
    };
    let on_problem = move |problem| problems.send(KeyEvent::Problem(purpose, problem));
    let listening = tokio::task::spawn_blocking(move || hotkey::listen(purpose, &shortcut, on_event, on_problem));
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

/// Registers a shortcut with Tauri's plugin.
#[cfg(not(target_os = "linux"))]
async fn register<R: tauri::Runtime>(
    app: &tauri::AppHandle<R>,
    purpose: Purpose,
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
                ShortcutState::Pressed => KeyEvent::Press(purpose),
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
