//! The global push-to-talk shortcut: press and release, whichever window has the focus.

#[cfg(target_os = "linux")]
mod keysyms;
#[cfg(target_os = "linux")]
mod portal;
mod shortcut;
#[cfg(target_os = "linux")]
mod x11;

use aura_core::api::Purpose;
use aura_core::error::{Error, ErrorCode, Result};

pub use shortcut::{Key, Shortcut};

/// A key event that the listener reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortcutEvent {
    /// The shortcut was pressed.
    Press,
    /// The shortcut was released.
    Release,
    /// Escape was pressed while the shortcut was held, or while Escape is grabbed: see [`HotkeyGuard::grab_escape`].
    Escape,
}

/// A running listener. Dropping it frees the shortcut.
#[derive(Debug)]
pub struct HotkeyGuard {
    #[cfg(target_os = "linux")]
    listener: Listener,
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
enum Listener {
    X11(x11::Listener),
    /// Held until it is dropped.
    Portal {
        _listener: portal::Listener,
    },
}

impl HotkeyGuard {
    /// Grabs Escape from all other programs, or frees it. Grab it only while there is something to cancel. Blocks on the X server. On
    /// Wayland it does nothing: a second shortcut cancels there.
    ///
    /// # Errors
    /// Another program has grabbed Escape, or the X server cannot be reached.
    #[cfg(target_os = "linux")]
    pub fn grab_escape(&self, is_wanted: bool) -> Result<()> {
        match &self.listener {
            Listener::X11(listener) => listener.grab_escape(is_wanted),
            Listener::Portal { .. } => Ok(()),
        }
    }
}

/// Grabs a shortcut and calls `on_event` for every press and release, on a thread of its own. Holding the key is one press. A Wayland
/// desktop tells the person the `purpose`, and remembers the keys by it.
///
/// `on_problem` receives an error when the shortcut is lost later, to another program or because of a new keyboard layout, and `None`
/// when it works again. Neither function may block: the next key event is read only after it returns.
///
/// # Errors
/// The desktop has no global shortcuts, the keyboard does not have the key, or another program uses the shortcut. On Wayland these come
/// later, through `on_problem`: the desktop may have to ask the person first.
#[cfg(target_os = "linux")]
pub fn listen(
    purpose: Purpose,
    shortcut: &Shortcut,
    on_event: impl Fn(ShortcutEvent) + Send + 'static,
    on_problem: impl Fn(Option<Error>) + Send + 'static,
) -> Result<HotkeyGuard> {
    let listener = match Session::of_this_process()? {
        Session::X11 => Listener::X11(x11::Listener::start(shortcut, on_event, on_problem)?),
        Session::Wayland => {
            Listener::Portal { _listener: portal::Listener::start(purpose, shortcut, on_event, on_problem)? }
        }
    };
    Ok(HotkeyGuard { listener })
}

/// Checks whether global shortcuts work on this desktop, without grabbing one. Blocks for at most three seconds.
///
/// # Errors
/// The desktop has no global shortcuts, or its display cannot be reached.
#[cfg(target_os = "linux")]
pub fn check() -> Result<()> {
    match Session::of_this_process()? {
        Session::X11 => x11::check(),
        Session::Wayland => portal::check(),
    }
}

/// How the desktop draws windows, and who watches the keyboard.
#[cfg(target_os = "linux")]
enum Session {
    X11,
    Wayland,
}

#[cfg(target_os = "linux")]
impl Session {
    /// A grab through XWayland succeeds, but sees the key only while an X11 window has the focus, which is worse than no shortcut.
    fn of_this_process() -> Result<Self> {
        let is_set = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
        match (is_set("WAYLAND_DISPLAY"), is_set("DISPLAY")) {
            (true, _) => Ok(Self::Wayland),
            (false, true) => Ok(Self::X11),
            (false, false) => Err(unsupported_session()),
        }
    }
}

/// Always succeeds: on this operating system the desktop app registers the shortcut and reports problems.
#[cfg(not(target_os = "linux"))]
pub fn check() -> Result<()> {
    Ok(())
}

/// Always fails: on this operating system the desktop app registers the shortcut.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn listen(
    _purpose: Purpose,
    _shortcut: &Shortcut,
    _on_event: impl Fn(ShortcutEvent) + Send + 'static,
    _on_problem: impl Fn(Option<Error>) + Send + 'static,
) -> Result<HotkeyGuard> {
    Err(Error::new(
        ErrorCode::Shortcut,
        "The shortcut works only in the desktop app on this operating system. Start AURA's desktop app.",
    ))
}

/// There is no X server, and no desktop that watches shortcuts for programs.
#[cfg(target_os = "linux")]
fn unsupported_session() -> Error {
    Error::new(
        ErrorCode::Shortcut,
        "This desktop offers programs no global shortcut. In its keyboard settings, bind a key to `aura ptt press` and its \
         release to `aura ptt release`. docs/wayland.md has the steps.",
    )
}
