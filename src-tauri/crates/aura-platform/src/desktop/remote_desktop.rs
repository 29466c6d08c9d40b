//! Keys on Wayland, by the desktop portal `org.freedesktop.portal.RemoteDesktop`.
//!
//! A session of the portal gives AURA a virtual keyboard, once the person has allowed it. Most desktops remember that by a token, so that a session
//! lasts only as long as one action; with the others it lasts until AURA ends. The keys go to the window that has the focus: the portal knows no
//! windows. AT-SPI tells which one that is, where its program describes itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arboard::LinuxClipboardKind;
use ashpd::desktop::remote_desktop::{
    DeviceType, KeyState, NotifyKeyboardKeysymOptions, RemoteDesktop, SelectDevicesOptions, StartOptions,
};
use ashpd::desktop::{CreateSessionOptions, PersistMode, ResponseError};
use ashpd::zbus;
use aura_core::desktop::{KeyCombination, TargetWindow};
use aura_core::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wl_clipboard_rs::paste;
use xkeysym::{RawKeysym, key};

use super::accessible::{Accessibility, Focus};
use super::keyboard::{PAUSE, characters, keysyms, modifiers};
use super::windows::Windows;

/// How long the person has to answer the desktop's question.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The longest time for an answer of the portal itself.
const CALL_TIME: Duration = Duration::from_secs(3);
/// How long the focus may be elsewhere, such as in the desktop's question, before nothing is done.
const FOCUS_TIME: Duration = Duration::from_secs(5);
/// The file with the token, in the folder of AURA's data.
const TOKEN_FILE: &str = "remote-desktop.token";

/// The person's permission to use a virtual keyboard.
#[derive(Debug, Default)]
pub(super) struct KeyboardPermission {
    token: Token,
    /// The session of a desktop that does not remember the permission.
    kept: Mutex<Option<PortalSession>>,
}

/// The token by which the desktop remembers the permission. It is of use to AURA alone, and for the next session alone.
#[derive(Debug, Default)]
struct Token {
    value: Mutex<Option<String>>,
    file: Option<PathBuf>,
}

impl Token {
    fn open(file: PathBuf) -> Self {
        let value = std::fs::read_to_string(&file).ok().filter(|token| !token.is_empty());
        Self { value: Mutex::new(value), file: Some(file) }
    }

    fn set(&self, token: Option<&str>) {
        *self.value.lock() = token.map(str::to_owned);
        let saved = match (&self.file, token) {
            (Some(file), Some(token)) => aura_core::replace_file(file, token.as_bytes()),
            // One that was used is worth nothing.
            (Some(file), None) => std::fs::remove_file(file).or_else(|cause| match cause.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(cause),
            }),
            (None, _) => Ok(()),
        };
        if let Err(cause) = saved {
            tracing::warn!(%cause, "the desktop will ask again whether AURA may type");
        }
    }
}

/// A session of the portal with a virtual keyboard.
#[derive(Debug)]
struct PortalSession {
    portal: RemoteDesktop,
    session: ashpd::desktop::Session<RemoteDesktop>,
    is_remembered: bool,
}

/// A virtual keyboard for one action, on a thread that may block. Dropping it ends its session, if the desktop remembers the permission.
#[derive(Debug)]
pub(super) struct VirtualKeyboard<'a> {
    permission: &'a KeyboardPermission,
    runtime: Runtime,
    /// Taken when this is dropped.
    session: Option<PortalSession>,
}

impl KeyboardPermission {
    /// The permission, which is remembered in the folder `data`.
    pub(super) fn new(data: &Path) -> Self {
        Self { token: Token::open(data.join(TOKEN_FILE)), kept: Mutex::default() }
    }

    /// Opens a virtual keyboard. The desktop asks the person, if it does not remember the answer; `stop` ends the waiting.
    ///
    /// # Errors
    /// When the desktop has no such portal, or the person refuses or does not answer in [`ANSWER_TIME`].
    pub(super) fn keyboard(&self, stop: &CancellationToken) -> Result<VirtualKeyboard<'_>> {
        let runtime = runtime()?;
        let session = runtime.block_on(async {
            tokio::select! {
                session = self.session() => session,
                () = stop.cancelled() => Err(declined()),
            }
        })?;
        Ok(VirtualKeyboard { permission: self, runtime, session: Some(session) })
    }

    async fn session(&self) -> Result<PortalSession> {
        let kept = self.kept.lock().take();
        if let Some(session) = kept
            && session.is_open().await
        {
            return Ok(session);
        }
        match tokio::time::timeout(ANSWER_TIME, self.open()).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(ashpd::Error::Response(ResponseError::Cancelled))) | Err(_) => Err(declined()),
            Ok(Err(cause)) => Err(unsupported().because(cause)),
        }
    }

    async fn open(&self) -> Result<PortalSession, ashpd::Error> {
        let portal = RemoteDesktop::with_connection(crate::portal::connect().await?).await?;
        let session = portal.create_session(CreateSessionOptions::default()).await?;
        let token = self.token.value.lock().clone();
        let options = SelectDevicesOptions::default()
            .set_devices(Some(DeviceType::Keyboard.into()))
            .set_persist_mode(PersistMode::ExplicitlyRevoked)
            .set_restore_token(token.as_deref());
        portal.select_devices(&session, options).await?.response()?;
        let selected = portal.start(&session, None, StartOptions::default()).await?.response()?;
        self.token.set(selected.restore_token());
        if !selected.devices().contains(DeviceType::Keyboard) {
            return Err(ashpd::Error::Response(ResponseError::Cancelled));
        }
        Ok(PortalSession { portal, session, is_remembered: selected.restore_token().is_some() })
    }
}

impl VirtualKeyboard<'_> {
    /// Presses a combination of keys in the window that has the focus.
    ///
    /// # Errors
    /// When another window has it than `window`, or the desktop ends the session.
    pub(super) fn press(&self, keys: &KeyCombination, window: &TargetWindow, stop: &CancellationToken) -> Result<()> {
        let missing = || Error::new(ErrorCode::Desktop, format!("AURA cannot press {keys} on this desktop."));
        let keysym = keysyms(keys.key).first().copied().ok_or_else(missing)?;
        let held: Vec<_> = modifiers(keys).collect();
        check_focus(window, stop)?;
        self.run(async |session| session.strike(&held, keysym).await)
    }

    /// Types a text of ASCII, whose characters each layout has, into the window that has the focus.
    ///
    /// # Errors
    /// Like [`Self::press`]. A part may have been typed then.
    pub(super) fn type_text(&self, text: &str, window: &TargetWindow, stop: &CancellationToken) -> Result<()> {
        check_focus(window, stop)?;
        self.run(async |session| {
            for c in text.chars() {
                if stop.is_cancelled() {
                    break;
                }
                let [keysym, _] = characters(c);
                session.strike(&[], keysym).await?;
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        })
    }

    /// Not raced against the end of the action: a key that was pressed is released.
    fn run(&self, work: impl AsyncFnOnce(&PortalSession) -> Result<()>) -> Result<()> {
        match &self.session {
            Some(session) => self.runtime.block_on(work(session)),
            None => Err(ended()),
        }
    }
}

impl Drop for VirtualKeyboard<'_> {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        if session.is_remembered {
            let _ = self.runtime.block_on(async { tokio::time::timeout(CALL_TIME, session.session.close()).await });
        } else {
            *self.permission.kept.lock() = Some(session);
        }
    }
}

impl PortalSession {
    /// Presses and releases a key while others are held. All are released whatever fails.
    async fn strike(&self, held: &[RawKeysym], keysym: RawKeysym) -> Result<()> {
        let presses = held.iter().chain([&keysym]).map(|key| (*key, KeyState::Pressed));
        let releases = [&keysym].into_iter().chain(held.iter().rev()).map(|key| (*key, KeyState::Released));
        let mut done = Ok(());
        for (keysym, state) in presses.chain(releases) {
            let sent = self.notify(keysym, state).await;
            done = done.and(sent);
        }
        done
    }

    async fn notify(&self, keysym: RawKeysym, state: KeyState) -> Result<()> {
        let options = NotifyKeyboardKeysymOptions::default();
        let sent = self.portal.notify_keyboard_keysym(&self.session, keysym.cast_signed(), state, options);
        match tokio::time::timeout(CALL_TIME, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(ended().because(cause)),
            Err(_) => Err(ended().because("The desktop portal does not answer.")),
        }
    }

    /// Whether the desktop has not ended the session. Releasing a key that is up does nothing else.
    async fn is_open(&self) -> bool {
        self.notify(key::Shift_L, KeyState::Released).await.is_ok()
    }
}

/// The window that gets the keys. Its title is empty where no program says that it has the focus.
///
/// # Errors
/// When the desktop has no such portal, or AURA's own window has the focus. The person is not asked.
pub(super) fn target() -> Result<TargetWindow> {
    let asked = async {
        let portal = RemoteDesktop::with_connection(zbus::Connection::session().await?).await?;
        // Only this tells a portal that has this interface from none at all.
        Ok::<u32, ashpd::Error>(portal.get_property("version").await?)
    };
    match runtime()?.block_on(async { tokio::time::timeout(CALL_TIME, asked).await }) {
        Ok(Ok(_)) => {}
        Ok(Err(cause)) => return Err(unsupported().because(cause)),
        Err(_) => return Err(unsupported().because("The desktop portal does not answer.")),
    }
    match focus() {
        Focus::Window(window) => Ok(window),
        Focus::Unknown => Ok(TargetWindow::new(0, "")),
        Focus::Aura => {
            let message =
                "AURA's own window has the focus. Click into the window that you mean, then ask with the shortcut.";
            Err(Error::new(ErrorCode::NotFound, message))
        }
    }
}

/// Who has the focus, as far as AT-SPI tells.
fn focus() -> Focus {
    Accessibility::connect().and_then(|accessibility| accessibility.focus()).unwrap_or(Focus::Unknown)
}

/// Whether a program offers something on the clipboard. AURA's clipboard is one of XWayland where the desktop has no other for it.
///
/// # Errors
/// When there is neither.
pub(super) fn clipboard_is_taken() -> Result<bool> {
    match paste::get_mime_types(paste::ClipboardType::Regular, paste::Seat::Unspecified) {
        Ok(types) => Ok(!types.is_empty()),
        Err(paste::Error::ClipboardEmpty | paste::Error::NoMimeType) => Ok(false),
        Err(_) => Ok(Windows::connect()?.owner(LinuxClipboardKind::Clipboard)?.is_some()),
    }
}

/// Waits until a window has the focus, where that is known.
///
/// # Errors
/// When another one keeps it.
fn check_focus(window: &TargetWindow, stop: &CancellationToken) -> Result<()> {
    let deadline = Instant::now() + FOCUS_TIME;
    loop {
        let message = match focus() {
            Focus::Unknown => return Ok(()),
            // A title changes, and of a window nothing else is known than its program.
            Focus::Window(focused) if window.id == 0 || focused.id == window.id => return Ok(()),
            Focus::Window(_) => {
                "Another window came to the front, so nothing was done. Click into the one that you mean, then ask again."
            }
            Focus::Aura => {
                "AURA's own window has the focus, so nothing was done. Click into the window that you mean, ask with the shortcut, and say yes \
                 aloud."
            }
        };
        if stop.is_cancelled() || Instant::now() > deadline {
            return Err(Error::new(ErrorCode::Desktop, message));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A runtime for this thread, which is one of the port's own.
fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Error::internal)
}

fn unsupported() -> Error {
    let message = "This Wayland desktop lets no program type or press keys in others. Log in with an X11 session, or ask AURA to copy the text, \
                   and paste it yourself.";
    Error::new(ErrorCode::Desktop, message)
}

/// The person refused, or did not answer.
fn declined() -> Error {
    let message =
        "AURA was not allowed to use the keyboard, so nothing was done. Ask again, and agree when the desktop asks.";
    Error::new(ErrorCode::Desktop, message)
}

/// The desktop ended the session.
fn ended() -> Error {
    Error::new(
        ErrorCode::Desktop,
        "The desktop ended AURA's use of the keyboard, so not everything was done. Try again.",
    )
}
