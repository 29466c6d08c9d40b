//! The global shortcut: press and release, wherever the focus is.

mod shortcut;
#[cfg(target_os = "linux")]
mod x11;

use aura_core::error::{Code, Error, Result};

pub use shortcut::{Key, Shortcut};

/// What happened to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It went down.
    Press,
    /// It went up.
    Release,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct HotkeyGuard {
    #[cfg(target_os = "linux")]
    _listener: x11::Listener,
}

/// Listens for a shortcut and calls `on` for every press and release, on a thread of its own. Holding the key is one press.
///
/// `on` must not wait for anything: the next edge is only seen when it returns.
#[cfg(target_os = "linux")]
pub fn listen(shortcut: &Shortcut, on: impl Fn(Edge) + Send + 'static) -> Result<HotkeyGuard> {
    heard_here()?;
    x11::Listener::start(shortcut, on).map(|_listener| HotkeyGuard { _listener })
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
pub fn listen(_shortcut: &Shortcut, _on: impl Fn(Edge) + Send + 'static) -> Result<HotkeyGuard> {
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
