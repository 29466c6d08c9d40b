//! The shortcut on X11: a key grab, and a thread that sleeps until the X server reports the key.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use x11rb::connection::Connection;
use x11rb::errors::{ReplyError, ReplyOrIdError};
use x11rb::protocol::{ErrorKind, Event, xkb, xproto};
use x11rb::rust_connection::RustConnection;
use xkeysym::{RawKeysym, key};

use super::keysyms::keysyms;
use super::{Key, Shortcut, ShortcutEvent};
use xkb::ConnectionExt as _;
use xproto::ConnectionExt as _;

/// The key that cancels.
const ESCAPE: Shortcut = Shortcut { ctrl: false, alt: false, shift: false, logo: false, key: Key::Named("Escape") };

/// Tries before a key counts as taken. After a change of the keyboard layout, several programs move their grabs at the same time and
/// may block each other for a moment.
const GRAB_ATTEMPTS: u32 = 6;
/// Time between two tries.
const GRAB_RETRY_DELAY: Duration = Duration::from_millis(50);

/// A listening thread. Dropping it ends the thread and frees the keys.
#[derive(Debug)]
pub(super) struct Listener {
    server: Arc<RustConnection>,
    root: xproto::Window,
    window: xproto::Window,
    /// Escape, while it is grabbed. Locked for one exchange with the server.
    escape: Arc<Mutex<Option<Grab>>>,
    thread: Option<JoinHandle<()>>,
}

/// A grabbed key, with its modifiers in every combination with the lock keys.
#[derive(Debug, PartialEq, Eq)]
struct Grab {
    keycode: xproto::Keycode,
    masks: [xproto::ModMask; 4],
}

impl Listener {
    /// Grabs the shortcut and starts the thread. See [`listen`](super::listen).
    pub(super) fn start(
        shortcut: &Shortcut,
        on_event: impl Fn(ShortcutEvent) + Send + 'static,
        on_problem: impl Fn(Option<Error>) + Send + 'static,
    ) -> Result<Self> {
        let (server, screen) = x11rb::connect(None).map_err(|cause| super::unsupported_session().because(cause))?;
        let root = server.setup().roots[screen].root;
        let server = Arc::new(server);
        set_up_keyboard(&server).map_err(failed)?;
        let window = create_message_window(&server, root).map_err(failed)?;
        let grab = grab_key(&server, root, shortcut)?;
        let escape = Arc::new(Mutex::new(None));
        let grab_thread = GrabThread {
            server: server.clone(),
            root,
            shortcut: *shortcut,
            grab: Some(grab),
            escape: escape.clone(),
            escape_keycode: find_key(&server, &ESCAPE).map_err(failed)?.map(|grab| grab.keycode),
            held: None,
        };
        let thread = std::thread::Builder::new()
            .name("aura-hotkey".into())
            .spawn(move || grab_thread.run(window, on_event, on_problem))
            .map_err(failed)?;
        Ok(Self { server, root, window, escape, thread: Some(thread) })
    }

    /// Grabs Escape, or frees it.
    pub(super) fn grab_escape(&self, is_wanted: bool) -> Result<()> {
        let mut escape = self.escape.lock();
        match escape.take() {
            Some(grab) if is_wanted => *escape = Some(grab),
            Some(grab) => ungrab_key(&self.server, self.root, &grab),
            None if is_wanted => *escape = Some(grab_key(&self.server, self.root, &ESCAPE)?),
            None => {}
        }
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A message to its own window is the only way to interrupt the thread's wait.
        let message = xproto::ClientMessageEvent::new(32, self.window, xproto::AtomEnum::STRING, [0u32; 5]);
        let sent = self.server.send_event(false, self.window, xproto::EventMask::NO_EVENT, message);
        let is_woken = sent.is_ok() && self.server.flush().is_ok();
        let thread = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        if let (true, Some(thread)) = (is_woken, thread) {
            // An error means that a function of the caller panicked, which was reported then.
            let _ = thread.join();
        }
    }
}

/// Checks whether the X server answers and has the keyboard extension.
pub(super) fn check() -> Result<()> {
    let (server, _) = x11rb::connect(None).map_err(|cause| super::unsupported_session().because(cause))?;
    set_up_keyboard(&server).map_err(failed)
}

/// Turns off repeated releases, and subscribes to changes of the keyboard layout.
fn set_up_keyboard(server: &RustConnection) -> Result<(), ReplyOrIdError> {
    server.xkb_use_extension(1, 0)?.reply()?;
    // Without this, a held key is released and pressed again 25 times a second.
    let flag = xkb::PerClientFlag::DETECTABLE_AUTO_REPEAT;
    let (none, keyboard) = (xkb::BoolCtrl::from(0u8), xkb::ID::USE_CORE_KBD.into());
    server.xkb_per_client_flags(keyboard, flag, flag, none, none, none)?.reply()?;
    // A client that uses XKB receives layout changes only as XKB events.
    let (layout, parts) = (
        xkb::EventType::NEW_KEYBOARD_NOTIFY | xkb::EventType::MAP_NOTIFY,
        xkb::MapPart::KEY_SYMS | xkb::MapPart::MODIFIER_MAP,
    );
    let details = xkb::SelectEventsAux::new();
    server.xkb_select_events(keyboard, xkb::EventType::from(0u16), layout, parts, parts, &details)?.check()?;
    Ok(())
}

/// Creates a window that is never shown, to receive the message that ends the thread.
fn create_message_window(server: &RustConnection, root: xproto::Window) -> Result<xproto::Window, ReplyOrIdError> {
    let window = server.generate_id()?;
    let attributes = xproto::CreateWindowAux::new();
    server.create_window(0, window, root, 0, 0, 1, 1, 0, xproto::WindowClass::INPUT_ONLY, 0, &attributes)?.check()?;
    Ok(window)
}

/// Grabs a shortcut.
///
/// # Errors
/// The keyboard does not have the key, another program has grabbed it, or the server cannot be reached.
fn grab_key(server: &RustConnection, root: xproto::Window, shortcut: &Shortcut) -> Result<Grab> {
    let grab = find_key(server, shortcut).map_err(failed)?.ok_or_else(|| {
        Error::new(
            ErrorCode::Shortcut,
            format!("Your keyboard has no key for {shortcut}. Choose another shortcut in Settings."),
        )
    })?;
    for mask in grab.masks {
        let mode = xproto::GrabMode::ASYNC;
        let request = server.grab_key(false, root, mask, grab.keycode, mode, mode).map_err(failed)?;
        match request.check() {
            Ok(()) => {}
            Err(ReplyError::X11Error(cause)) if cause.error_kind == ErrorKind::Access => {
                ungrab_key(server, root, &grab);
                return Err(Error::new(
                    ErrorCode::Shortcut,
                    format!(
                        "Another program already uses {shortcut}. Choose another shortcut in Settings, or change it in that program."
                    ),
                ));
            }
            Err(cause) => {
                ungrab_key(server, root, &grab);
                return Err(failed(cause));
            }
        }
    }
    Ok(grab)
}

fn ungrab_key(server: &RustConnection, root: xproto::Window, grab: &Grab) {
    for mask in grab.masks {
        // After an error, the key is freed when the connection closes.
        let _ = server.ungrab_key(grab.keycode, root, mask);
    }
    let _ = server.flush();
}

/// Finds the keycode and modifier masks of a shortcut in the current keyboard layout; `None` if the keyboard does not have the key.
fn find_key(server: &RustConnection, shortcut: &Shortcut) -> Result<Option<Grab>, ReplyError> {
    let (first, last) = (server.setup().min_keycode, server.setup().max_keycode);
    let map = server.get_keyboard_mapping(first, last - first + 1)?.reply()?;
    let per_key = usize::from(map.keysyms_per_keycode).max(1);
    let keycode_of = |wanted: RawKeysym| {
        // The first column is the key without Shift; later columns are Shift and other layouts.
        (0..per_key).find_map(|column| {
            let keys = map.keysyms.chunks(per_key).zip(first..=last);
            keys.filter(|(syms, _)| syms.get(column) == Some(&wanted)).map(|(_, keycode)| keycode).next()
        })
    };
    let modifiers = server.get_modifier_mapping()?.reply()?;
    let per_modifier = usize::from(modifiers.keycodes_per_modifier()).max(1);
    let mask_of = |keysym: RawKeysym, default: xproto::ModMask| {
        let keycode = keycode_of(keysym).unwrap_or(0);
        let groups = modifiers.keycodes.chunks(per_modifier);
        groups
            .zip(0u16..)
            .find(|(keys, _)| keycode != 0 && keys.contains(&keycode))
            .map_or(default, |(_, bit)| (1u16 << bit).into())
    };

    let Some(keycode) = keysyms(shortcut.key).into_iter().flatten().find_map(keycode_of) else { return Ok(None) };
    let mut mask = xproto::ModMask::from(0u16);
    for (is_held, bit) in [
        (shortcut.ctrl, xproto::ModMask::CONTROL),
        (shortcut.shift, xproto::ModMask::SHIFT),
        (shortcut.alt, mask_of(key::Alt_L, xproto::ModMask::M1)),
        (shortcut.logo, mask_of(key::Super_L, xproto::ModMask::M4)),
    ] {
        if is_held {
            mask |= bit;
        }
    }
    let (caps, num) = (xproto::ModMask::LOCK, mask_of(key::Num_Lock, xproto::ModMask::M2));
    Ok(Some(Grab { keycode, masks: [mask, mask | caps, mask | num, mask | caps | num] }))
}

/// The thread that reads key events.
struct GrabThread {
    server: Arc<RustConnection>,
    root: xproto::Window,
    shortcut: Shortcut,
    /// `None` while the shortcut is lost.
    grab: Option<Grab>,
    /// Shared with the [`Listener`].
    escape: Arc<Mutex<Option<Grab>>>,
    /// The Escape key in the current layout.
    escape_keycode: Option<xproto::Keycode>,
    /// The key that is held. After a change of the layout the shortcut is on another key, but this one is released.
    held: Option<xproto::Keycode>,
}

impl GrabThread {
    /// Reports key events until the listener is dropped or the server goes away.
    fn run(mut self, window: xproto::Window, on_event: impl Fn(ShortcutEvent), on_problem: impl Fn(Option<Error>)) {
        loop {
            match self.server.wait_for_event() {
                Ok(Event::KeyPress(key)) if self.held.is_none() && self.is_shortcut(&key) => {
                    self.held = Some(key.detail);
                    on_event(ShortcutEvent::Press);
                }
                // While a grabbed key is held, the server reports every key.
                Ok(Event::KeyPress(key))
                    if Some(key.detail) == self.escape_keycode && self.held != Some(key.detail) =>
                {
                    on_event(ShortcutEvent::Escape);
                }
                Ok(Event::KeyRelease(key)) if self.held == Some(key.detail) => {
                    self.held = None;
                    on_event(ShortcutEvent::Release);
                }
                Ok(Event::ClientMessage(message)) if message.window == window => break,
                Ok(Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_)) => self.regrab(&on_problem),
                Ok(_) => {}
                Err(cause) => {
                    tracing::warn!(%cause, "the connection to the display was lost; the shortcut no longer works");
                    on_problem(Some(failed(cause)));
                    break;
                }
            }
        }
        if let Some(grab) = &self.grab {
            ungrab_key(&self.server, self.root, grab);
        }
        if self.held.is_some() {
            // Otherwise the key would count as held for ever.
            on_event(ShortcutEvent::Release);
        }
    }

    fn is_shortcut(&self, key: &xproto::KeyPressEvent) -> bool {
        let Some(grab) = self.grab.as_ref().filter(|grab| grab.keycode == key.detail) else { return false };
        // A shortcut on the Escape key differs from Escape alone by its modifiers.
        let modifiers = u16::from(key.state) & 0xff;
        Some(key.detail) != self.escape_keycode || grab.masks.iter().any(|mask| u16::from(*mask) == modifiers)
    }

    /// Moves the grabs to the keys of the new keyboard layout.
    fn regrab(&mut self, on_problem: &impl Fn(Option<Error>)) {
        let old = self.grab.take();
        let was_lost = old.is_none();
        match self.move_grab(old, &self.shortcut) {
            Ok(grab) => {
                self.grab = Some(grab);
                if was_lost {
                    on_problem(None);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the shortcut was lost when the keyboard layout changed");
                on_problem(Some(error));
            }
        }
        let mut escape = self.escape.lock();
        if let Some(grab) = escape.take() {
            *escape = self.move_grab(Some(grab), &ESCAPE).ok();
        }
        drop(escape);
        self.escape_keycode = find_key(&self.server, &ESCAPE).ok().flatten().map(|grab| grab.keycode);
    }

    /// Grabs a shortcut where the layout has it now. The server also reports a change when another keyboard with the same layout is used;
    /// what is grabbed right is then kept, because a key that is pressed while it is free would be lost.
    fn move_grab(&self, old: Option<Grab>, shortcut: &Shortcut) -> Result<Grab> {
        if let Some(old) = old {
            if find_key(&self.server, shortcut).is_ok_and(|new| new.as_ref() == Some(&old)) {
                return Ok(old);
            }
            ungrab_key(&self.server, self.root, &old);
        }
        retry(|| grab_key(&self.server, self.root, shortcut))
    }
}

/// Tries to grab a key up to [`GRAB_ATTEMPTS`] times.
fn retry(grab: impl Fn() -> Result<Grab>) -> Result<Grab> {
    for _ in 1..GRAB_ATTEMPTS {
        if let Ok(grab) = grab() {
            return Ok(grab);
        }
        std::thread::sleep(GRAB_RETRY_DELAY);
    }
    grab()
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorCode::Shortcut,
        "AURA could not register its shortcut on this display. Use `aura ptt press` and `aura ptt release` instead.",
    )
    .because(cause)
}
