//! The shortcut on X11: a grab, and a thread that sleeps until the server tells of the key.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use aura_core::error::{Code, Error, Result};
use x11rb::connection::Connection;
use x11rb::errors::{ReplyError, ReplyOrIdError};
use x11rb::protocol::{ErrorKind, Event, xkb, xproto};
use x11rb::rust_connection::RustConnection;

use super::{Edge, Key, Shortcut};
use xkb::ConnectionExt as _;
use xproto::ConnectionExt as _;

const ALT_LEFT: u32 = 0xffe9;
const SUPER_LEFT: u32 = 0xffeb;
const NUM_LOCK: u32 = 0xff7f;

/// The key that cancels.
const ESCAPE: Shortcut = Shortcut { ctrl: false, alt: false, shift: false, logo: false, key: Key::Named("Escape") };

/// With another layout, programs that listen for each other's keys change them at the same time: so often, and so long apart, a key is
/// asked for before it counts as taken.
const ASKED: u32 = 6;
const ASKED_AGAIN: Duration = Duration::from_millis(50);

/// A listening thread; dropping it ends the thread and frees the key.
#[derive(Debug)]
pub(super) struct Listener {
    server: Arc<RustConnection>,
    root: xproto::Window,
    window: xproto::Window,
    /// Escape, while it is listened for.
    escape: Arc<Mutex<Option<Grab>>>,
    thread: Option<JoinHandle<()>>,
}

/// The key and modifiers as the server counts them, with every combination of the lock keys.
#[derive(Debug)]
struct Grab {
    keycode: xproto::Keycode,
    masks: [xproto::ModMask; 4],
}

impl Listener {
    pub(super) fn start(
        shortcut: &Shortcut,
        on: impl Fn(Edge) + Send + 'static,
        trouble: impl Fn(Option<Error>) + Send + 'static,
    ) -> Result<Self> {
        let (server, screen) = x11rb::connect(None).map_err(|cause| super::elsewhere().because(cause))?;
        let root = server.setup().roots[screen].root;
        let server = Arc::new(server);
        no_repeated_releases(&server).map_err(failed)?;
        let window = inbox(&server, root).map_err(failed)?;
        let grab = take(&server, root, shortcut)?;
        let escape = Arc::new(Mutex::new(None));
        let ear = Ear {
            server: server.clone(),
            root,
            shortcut: *shortcut,
            grab: Some(grab),
            escape: escape.clone(),
            escape_key: locate(&server, &ESCAPE).map_err(failed)?.map(|grab| grab.keycode),
            down: None,
        };
        let thread = std::thread::Builder::new()
            .name("aura-hotkey".into())
            .spawn(move || ear.listen(window, on, trouble))
            .map_err(failed)?;
        Ok(Self { server, root, window, escape, thread: Some(thread) })
    }

    /// Takes Escape, or gives it back.
    pub(super) fn escape(&self, wanted: bool) -> Result<()> {
        let mut taken = lock(&self.escape);
        match taken.take() {
            Some(grab) if wanted => *taken = Some(grab),
            Some(grab) => release(&self.server, self.root, &grab),
            None if wanted => *taken = Some(take(&self.server, self.root, &ESCAPE)?),
            None => {}
        }
        Ok(())
    }
}

/// Held for one exchange with the server.
fn lock(escape: &Mutex<Option<Grab>>) -> std::sync::MutexGuard<'_, Option<Grab>> {
    escape.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A message to its own window wakes the thread; there is no other way to interrupt its wait.
        let message = xproto::ClientMessageEvent::new(32, self.window, xproto::AtomEnum::STRING, [0u32; 5]);
        let woken = self.server.send_event(false, self.window, xproto::EventMask::NO_EVENT, message);
        let told = woken.is_ok() && self.server.flush().is_ok();
        let thread = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        if let (true, Some(thread)) = (told, thread) {
            // Its only failure is a panic in the caller's own function, which has been reported.
            let _ = thread.join();
        }
    }
}

/// Whether the X server answers and can do what is needed.
pub(super) fn reach() -> Result<()> {
    let (server, _) = x11rb::connect(None).map_err(|cause| super::elsewhere().because(cause))?;
    no_repeated_releases(&server).map_err(failed)
}

/// Without this, holding a key looks like releasing and pressing it 25 times a second.
fn no_repeated_releases(server: &RustConnection) -> Result<(), ReplyOrIdError> {
    server.xkb_use_extension(1, 0)?.reply()?;
    let flag = xkb::PerClientFlag::DETECTABLE_AUTO_REPEAT;
    let (none, keyboard) = (xkb::BoolCtrl::from(0u8), xkb::ID::USE_CORE_KBD.into());
    server.xkb_per_client_flags(keyboard, flag, flag, none, none, none)?.reply()?;
    // Who speaks XKB is told of another layout in XKB's words only.
    let (layout, parts) = (
        xkb::EventType::NEW_KEYBOARD_NOTIFY | xkb::EventType::MAP_NOTIFY,
        xkb::MapPart::KEY_SYMS | xkb::MapPart::MODIFIER_MAP,
    );
    let details = xkb::SelectEventsAux::new();
    server.xkb_select_events(keyboard, xkb::EventType::from(0u16), layout, parts, parts, &details)?.check()?;
    Ok(())
}

/// A window that is never shown, to receive the message that ends the thread.
fn inbox(server: &RustConnection, root: xproto::Window) -> Result<xproto::Window, ReplyOrIdError> {
    let window = server.generate_id()?;
    let looks = xproto::CreateWindowAux::new();
    server.create_window(0, window, root, 0, 0, 1, 1, 0, xproto::WindowClass::INPUT_ONLY, 0, &looks)?.check()?;
    Ok(window)
}

/// Asks the server for the key.
fn take(server: &RustConnection, root: xproto::Window, shortcut: &Shortcut) -> Result<Grab> {
    let grab = locate(server, shortcut).map_err(failed)?.ok_or_else(|| {
        Error::new(
            Code::Shortcut,
            format!("The keyboard has no key for “{shortcut}”. Choose another shortcut in the settings."),
        )
    })?;
    for mask in grab.masks {
        let mode = xproto::GrabMode::ASYNC;
        let asked = server.grab_key(false, root, mask, grab.keycode, mode, mode).map_err(failed)?;
        match asked.check() {
            Ok(()) => {}
            Err(ReplyError::X11Error(cause)) if cause.error_kind == ErrorKind::Access => {
                release(server, root, &grab);
                return Err(Error::new(
                    Code::Shortcut,
                    format!(
                        "Another program already uses {shortcut}. Choose another shortcut in the settings, or free it there."
                    ),
                ));
            }
            Err(cause) => {
                release(server, root, &grab);
                return Err(failed(cause));
            }
        }
    }
    Ok(grab)
}

fn release(server: &RustConnection, root: xproto::Window, grab: &Grab) {
    for mask in grab.masks {
        // What cannot be freed is freed when the connection closes.
        let _ = server.ungrab_key(grab.keycode, root, mask);
    }
    let _ = server.flush();
}

/// Finds the key and modifiers in the keyboard's present layout.
fn locate(server: &RustConnection, shortcut: &Shortcut) -> Result<Option<Grab>, ReplyError> {
    let (first, last) = (server.setup().min_keycode, server.setup().max_keycode);
    let map = server.get_keyboard_mapping(first, last - first + 1)?.reply()?;
    let per_key = usize::from(map.keysyms_per_keycode).max(1);
    let keycode_of = |wanted: u32| {
        // The first column is what the key gives without Shift; the others are other layouts.
        (0..per_key).find_map(|column| {
            let keys = map.keysyms.chunks(per_key).zip(first..=last);
            keys.filter(|(syms, _)| syms.get(column) == Some(&wanted)).map(|(_, keycode)| keycode).next()
        })
    };
    let modifiers = server.get_modifier_mapping()?.reply()?;
    let per_modifier = usize::from(modifiers.keycodes_per_modifier()).max(1);
    let mask_of = |keysym: u32, usual: xproto::ModMask| {
        let keycode = keycode_of(keysym).unwrap_or(0);
        let groups = modifiers.keycodes.chunks(per_modifier);
        groups
            .zip(0u16..)
            .find(|(keys, _)| keycode != 0 && keys.contains(&keycode))
            .map_or(usual, |(_, bit)| (1u16 << bit).into())
    };

    let Some(keycode) = keysym(shortcut.key).and_then(keycode_of) else { return Ok(None) };
    let mut mask = xproto::ModMask::from(0u16);
    for (held, bit) in [
        (shortcut.ctrl, xproto::ModMask::CONTROL),
        (shortcut.shift, xproto::ModMask::SHIFT),
        (shortcut.alt, mask_of(ALT_LEFT, xproto::ModMask::M1)),
        (shortcut.logo, mask_of(SUPER_LEFT, xproto::ModMask::M4)),
    ] {
        if held {
            mask |= bit;
        }
    }
    let (caps, num) = (xproto::ModMask::LOCK, mask_of(NUM_LOCK, xproto::ModMask::M2));
    Ok(Some(Grab { keycode, masks: [mask, mask | caps, mask | num, mask | caps | num] }))
}

/// The number that X11 gives to what a key types.
fn keysym(key: Key) -> Option<u32> {
    Some(match key {
        // Latin-1 is numbered as in Unicode; the rest has an offset.
        Key::Char(char) if u32::from(char) < 0x100 => u32::from(char),
        Key::Char(char) => 0x0100_0000 + u32::from(char),
        Key::Function(number) => 0xffbe + u32::from(number) - 1,
        Key::Named(name) => match name {
            "Space" => 0x20,
            "Tab" => 0xff09,
            "Enter" => 0xff0d,
            "Escape" => 0xff1b,
            "Backspace" => 0xff08,
            "Insert" => 0xff63,
            "Delete" => 0xffff,
            "Home" => 0xff50,
            "End" => 0xff57,
            "PageUp" => 0xff55,
            "PageDown" => 0xff56,
            "Up" => 0xff52,
            "Down" => 0xff54,
            "Left" => 0xff51,
            "Right" => 0xff53,
            "Pause" => 0xff13,
            "ScrollLock" => 0xff14,
            "PrintScreen" => 0xff61,
            "Menu" => 0xff67,
            _ => return None,
        },
    })
}

/// What the thread knows.
struct Ear {
    server: Arc<RustConnection>,
    root: xproto::Window,
    shortcut: Shortcut,
    /// `None`: the shortcut was lost.
    grab: Option<Grab>,
    escape: Arc<Mutex<Option<Grab>>>,
    /// Where Escape is in the present layout.
    escape_key: Option<xproto::Keycode>,
    /// The key that is held. With another layout meanwhile, the shortcut is another key, but this one goes up.
    down: Option<xproto::Keycode>,
}

impl Ear {
    /// Waits for the key until the listener is dropped or the server goes away.
    fn listen(mut self, window: xproto::Window, on: impl Fn(Edge), trouble: impl Fn(Option<Error>)) {
        loop {
            match self.server.wait_for_event() {
                Ok(Event::KeyPress(key)) if self.down.is_none() && self.is_shortcut(&key) => {
                    self.down = Some(key.detail);
                    on(Edge::Press);
                }
                // While a key of ours is held, the server tells of every key.
                Ok(Event::KeyPress(key)) if Some(key.detail) == self.escape_key && self.down != Some(key.detail) => {
                    on(Edge::Escape);
                }
                Ok(Event::KeyRelease(key)) if self.down == Some(key.detail) => {
                    self.down = None;
                    on(Edge::Release);
                }
                Ok(Event::ClientMessage(message)) if message.window == window => break,
                // Another layout may have the key elsewhere.
                Ok(Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_)) => self.follow(&trouble),
                Ok(_) => {}
                Err(cause) => {
                    tracing::warn!(%cause, "the display went away; the shortcut no longer works");
                    trouble(Some(failed(cause)));
                    break;
                }
            }
        }
        if let Some(grab) = &self.grab {
            release(&self.server, self.root, grab);
        }
        if self.down.is_some() {
            // Whoever listens must not believe that the key is held for ever.
            on(Edge::Release);
        }
    }

    fn is_shortcut(&self, key: &xproto::KeyPressEvent) -> bool {
        let Some(grab) = self.grab.as_ref().filter(|grab| grab.keycode == key.detail) else { return false };
        // A shortcut with Escape in it is told from Escape alone by what is held with it.
        let held = u16::from(key.state) & 0xff;
        Some(key.detail) != self.escape_key || grab.masks.iter().any(|mask| u16::from(*mask) == held)
    }

    /// Takes the keys where they are now.
    fn follow(&mut self, trouble: &impl Fn(Option<Error>)) {
        let lost = self.grab.is_none();
        if let Some(grab) = self.grab.take() {
            release(&self.server, self.root, &grab);
        }
        match again(|| take(&self.server, self.root, &self.shortcut)) {
            Ok(grab) => {
                self.grab = Some(grab);
                if lost {
                    trouble(None);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the shortcut was lost when the keyboard layout changed");
                trouble(Some(error));
            }
        }
        let mut escape = lock(&self.escape);
        if let Some(grab) = escape.take() {
            release(&self.server, self.root, &grab);
            *escape = again(|| take(&self.server, self.root, &ESCAPE)).ok();
        }
        drop(escape);
        self.escape_key = locate(&self.server, &ESCAPE).ok().flatten().map(|grab| grab.keycode);
    }
}

/// Asks for a key until it is free, for a little while.
fn again(take: impl Fn() -> Result<Grab>) -> Result<Grab> {
    for _ in 1..ASKED {
        if let Ok(grab) = take() {
            return Ok(grab);
        }
        std::thread::sleep(ASKED_AGAIN);
    }
    take()
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::new(
        Code::Shortcut,
        "The shortcut could not be set on this display. Use `aura ptt press` and `aura ptt release` instead.",
    )
    .because(cause)
}
