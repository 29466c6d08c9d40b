//! The shortcut on Wayland, through the desktop portal `org.freedesktop.portal.GlobalShortcuts`.
//!
//! No program sees keys that are typed elsewhere, so the desktop itself watches them. It asks the person once which keys to use, offers
//! AURA's setting for it, and remembers the choice. The shortcut has to be bound in every session of the portal.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ashpd::desktop::global_shortcuts::{BindShortcutsOptions, GlobalShortcuts, NewShortcut};
use ashpd::desktop::{CreateSessionOptions, ResponseError, Session};
use ashpd::zbus;
use aura_core::api::Purpose;
use aura_core::error::{Error, ErrorCode, Result};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{Shortcut, ShortcutEvent};

/// The shortcut that cancels, beside the one to talk, in the place of Escape, which a program cannot have to itself on Wayland.
const CANCEL: &str = "cancel";
/// The keys that are offered for [`CANCEL`].
const CANCEL_KEYS: &str = "CTRL+SHIFT+Escape";
/// The wait before a portal that went away, or is not there yet, is tried again. Doubled after each time, up to [`MAX_RETRY`].
const RETRY: Duration = Duration::from_millis(500);
/// The longest wait.
const MAX_RETRY: Duration = Duration::from_secs(60);
/// How long the portal may take to say whether it has shortcuts.
const CHECK: Duration = Duration::from_secs(3);

/// A shortcut as the desktop offers it to the person.
struct PortalShortcut {
    /// The desktop remembers the keys by it.
    id: &'static str,
    description: &'static str,
    /// The keys of the setting, which the person may change. `None` for keys that have no name there.
    trigger: Option<String>,
    with_cancel: bool,
}

impl PortalShortcut {
    fn new(purpose: Purpose, shortcut: &Shortcut) -> Self {
        let (id, description) = match purpose {
            Purpose::Dictate => ("dictate", "Hold to dictate at the cursor"),
            Purpose::AnswerHere => ("answer-here", "Hold to ask AURA, and have the answer typed at the cursor"),
            Purpose::EditSelection => ("edit-selection", "Hold to say how the selected text is to change"),
            Purpose::Answer | Purpose::Transcribe | Purpose::Unknown => ("talk", "Hold to talk to AURA"),
        };
        Self { id, description, trigger: shortcut.trigger(), with_cancel: id == "talk" }
    }
}

/// A running listener. Dropping it frees the shortcut.
#[derive(Debug)]
pub(super) struct Listener {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Binds the shortcut and starts the thread. Returns at once: the person may have to agree first, and the portal may start later. See
    /// [`listen`](super::listen).
    pub(super) fn start(
        purpose: Purpose,
        shortcut: &Shortcut,
        on_event: impl Fn(ShortcutEvent) + Send + 'static,
        on_problem: impl Fn(Option<Error>) + Send + 'static,
    ) -> Result<Self> {
        let shortcut = PortalShortcut::new(purpose, shortcut);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("aura-hotkey".into())
            .spawn(move || runtime.block_on(serve(&shortcut, &on_event, &on_problem, &stopped)))
            .map_err(failed)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Checks whether this desktop has the portal. Blocks for at most [`CHECK`].
///
/// # Errors
/// When it has none, or it does not answer.
pub(super) fn check() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    // On a thread of its own: the caller may be one of a runtime.
    let asked = std::thread::spawn(move || {
        runtime.block_on(async {
            let asked = async { find(zbus::Connection::session().await?).await.map(drop) };
            tokio::time::timeout(CHECK, asked).await
        })
    });
    match asked.join() {
        Ok(Ok(found)) => found.map_err(|problem| problem.error),
        Ok(Err(_)) | Err(_) => Err(super::unsupported_session().because("The desktop portal does not answer.")),
    }
}

/// The portal, if there is one.
async fn find(connection: zbus::Connection) -> Result<GlobalShortcuts, Problem> {
    let portal = GlobalShortcuts::with_connection(connection).await?;
    // Only this tells a portal with shortcuts from none at all.
    match portal.get_property::<u32>("version").await {
        Ok(_) => Ok(portal),
        Err(cause) => Err(Problem { error: super::unsupported_session().because(cause), is_final: false }),
    }
}

/// Serves one session of the portal after the other until `stop` is cancelled.
async fn serve(
    shortcut: &PortalShortcut,
    on_event: &impl Fn(ShortcutEvent),
    on_problem: &impl Fn(Option<Error>),
    stop: &CancellationToken,
) {
    let mut wait = RETRY;
    loop {
        let began = Instant::now();
        let ended = tokio::select! {
            ended = session(shortcut, on_event, on_problem, stop) => ended,
            () = stop.cancelled() => return,
        };
        match ended {
            Ok(()) => {}
            Err(problem) => {
                let is_final = problem.is_final;
                on_problem(Some(problem.error));
                if is_final {
                    // Asking again and again would be a nuisance. A change of the setting asks again.
                    return stop.cancelled().await;
                }
            }
        }
        wait = if began.elapsed() > MAX_RETRY { RETRY } else { (2 * wait).min(MAX_RETRY) };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Why a session could not be served.
struct Problem {
    error: Error,
    /// Whether it is not tried again.
    is_final: bool,
}

impl From<ashpd::Error> for Problem {
    fn from(cause: ashpd::Error) -> Self {
        let (error, is_final) = match &cause {
            ashpd::Error::Response(ResponseError::Cancelled) => (declined(), true),
            ashpd::Error::PortalNotFound(_) | ashpd::Error::RequiresVersion(..) => {
                (super::unsupported_session(), false)
            }
            _ => (unreachable(), false),
        };
        Self { error: error.because(cause), is_final }
    }
}

impl From<zbus::Error> for Problem {
    fn from(cause: zbus::Error) -> Self {
        Self { error: unreachable().because(cause), is_final: false }
    }
}

/// Binds the shortcuts in a session and reports their events until the session ends.
async fn session(
    shortcut: &PortalShortcut,
    on_event: &impl Fn(ShortcutEvent),
    on_problem: &impl Fn(Option<Error>),
    stop: &CancellationToken,
) -> Result<(), Problem> {
    let connection = crate::portal::connect().await?;
    let portal = find(connection.clone()).await?;
    let (mut pressed, mut released) = (portal.receive_activated().await?, portal.receive_deactivated().await?);
    let mut owner = portal.receive_owner_changed().await?;
    let session = portal.create_session(CreateSessionOptions::default()).await?;
    let mut closed = std::pin::pin!(session.receive_closed().await?);
    let bound = bind(&portal, &session, shortcut);
    tokio::select! {
        bound = bound => bound?,
        _ = closed.next() => return Err(Problem { error: unreachable(), is_final: false }),
        _ = owner.next() => return Err(Problem { error: unreachable(), is_final: false }),
    }
    on_problem(None);
    let mut held = Held { is_held: false, on_event };
    loop {
        tokio::select! {
            Some(event) = pressed.next() => match event.shortcut_id() {
                id if id == shortcut.id => held.set(true),
                CANCEL => (held.on_event)(ShortcutEvent::Escape),
                _ => {}
            },
            Some(event) = released.next() => if event.shortcut_id() == shortcut.id { held.set(false) },
            _ = closed.next() => return Ok(()),
            _ = owner.next() => return Ok(()),
            () = stop.cancelled() => {
                // The portal may be gone.
                let _ = tokio::time::timeout(CHECK, session.close()).await;
                return Ok(());
            }
        }
    }
}

/// Waits until the person has agreed. What the portal says is bound may be an empty list although the keys work.
async fn bind(
    portal: &GlobalShortcuts,
    session: &Session<GlobalShortcuts>,
    shortcut: &PortalShortcut,
) -> Result<(), ashpd::Error> {
    let mut shortcuts =
        vec![NewShortcut::new(shortcut.id, shortcut.description).preferred_trigger(shortcut.trigger.as_deref())];
    if shortcut.with_cancel {
        shortcuts.push(NewShortcut::new(CANCEL, "Stop AURA").preferred_trigger(CANCEL_KEYS));
    }
    portal.bind_shortcuts(session, &shortcuts, None, BindShortcutsOptions::default()).await?.response()?;
    Ok(())
}

/// Whether the shortcut is held. The portal may report one press or release twice, and a session that ends while it is held never
/// reports the release.
struct Held<'a, F: Fn(ShortcutEvent)> {
    is_held: bool,
    on_event: &'a F,
}

impl<F: Fn(ShortcutEvent)> Held<'_, F> {
    fn set(&mut self, is_held: bool) {
        if std::mem::replace(&mut self.is_held, is_held) != is_held {
            (self.on_event)(if is_held { ShortcutEvent::Press } else { ShortcutEvent::Release });
        }
    }
}

impl<F: Fn(ShortcutEvent)> Drop for Held<'_, F> {
    fn drop(&mut self) {
        self.set(false);
    }
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Shortcut, "The shortcut could not be set up. Restart AURA.").because(cause)
}

/// The person refused.
fn declined() -> Error {
    Error::new(
        ErrorCode::Shortcut,
        "The shortcut was not allowed. Choose it again in Settings, then agree when the desktop asks.",
    )
}

fn unreachable() -> Error {
    Error::new(
        ErrorCode::Shortcut,
        "The desktop does not watch the shortcut at the moment. AURA tries again by itself; until then, use the Talk button.",
    )
}
