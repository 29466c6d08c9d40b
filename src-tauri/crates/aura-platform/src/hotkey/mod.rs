//! The global shortcut: press and release, wherever the focus is.

mod shortcut;
#[cfg(target_os = "linux")]
mod x11;

use aura_core::error::{Code, Error, Result};

pub use shortcut::{Key, Shortcut};

/// What happened to the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The shortcut went down.
    Press,
    /// It went up.
    Release,
    /// Escape went down while the shortcut is held, or while it is listened for: see [`HotkeyGuard::escape`].
    Escape,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct HotkeyGuard {
    #[cfg(target_os = "linux")]
    listener: x11::Listener,
}

impl HotkeyGuard {
    /// Takes Escape from every other program, or gives it back: for as long as there is something to cancel and no longer. Blocks for
    /// the X server.
    #[cfg(target_os = "linux")]
    pub fn escape(&self, wanted: bool) -> Result<()> {
        self.listener.escape(wanted)
    }
}

/// Listens for a shortcut and calls `on` for every press and release, on a thread of its own. Holding the key is one press. `trouble`
/// is told when the shortcut is lost later on, to another program or with another keyboard layout, and that it is back by `None`.
///
/// Neither must wait for anything: the next edge is only seen when they return.
#[cfg(target_os = "linux")]
pub fn listen(
    shortcut: &Shortcut,
    on: impl Fn(Edge) + Send + 'static,
    trouble: impl Fn(Option<Error>) + Send + 'static,
) -> Result<HotkeyGuard> {
    heard_here()?;
    x11::Listener::start(shortcut, on, trouble).map(|listener| HotkeyGuard { listener })
}

/// Whether this desktop tells of shortcuts at all; no shortcut is taken.
#[cfg(target_os = "linux")]
pub fn check() -> Result<()> {
    heard_here()?;
    x11::reach()
}

/// A grab through XWayland succeeds, but only sees the key while an X11 window has the focus: worse than none.
#[cfg(target_os = "linux")]
fn heard_here() -> Result<()> {
    let set = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    if set("WAYLAND_DISPLAY") || !set("DISPLAY") { Err(elsewhere()) } else { Ok(()) }
}

/// Whether this desktop tells of shortcuts at all: the window's plugin finds out.
#[cfg(not(target_os = "linux"))]
pub fn check() -> Result<()> {
    Ok(())
}

/// Listens for a shortcut: on this operating system the window does that.
#[cfg(not(target_os = "linux"))]
pub fn listen(
    _shortcut: &Shortcut,
    _on: impl Fn(Edge) + Send + 'static,
    _trouble: impl Fn(Option<Error>) + Send + 'static,
) -> Result<HotkeyGuard> {
    Err(Error::new(
        Code::Shortcut,
        "On this operating system the shortcut belongs to the window: start AURA's desktop app.",
    ))
}

/// There is no X server, or it does not get to see the keys.
#[cfg(target_os = "linux")]
fn elsewhere() -> Error {
    Error::new(
        Code::Shortcut,
        "AURA cannot listen for its shortcut on this desktop (Wayland, or no display). In the desktop's keyboard settings, \
         bind a key to `aura ptt press` and its release to `aura ptt release`.",
    )
}
