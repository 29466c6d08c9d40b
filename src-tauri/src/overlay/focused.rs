//! Where the window is that has the focus.

use super::place::Area;

/// The window that has the focus, without its frame. Only X11 tells.
#[cfg(target_os = "linux")]
pub(super) fn focused() -> Option<Area> {
    use x11rb::connection::Connection;
    use x11rb::protocol::xproto::{AtomEnum, ConnectionExt};

    let (server, screen) = x11rb::connect(None).ok()?;
    let root = server.setup().roots.get(screen)?.root;
    let active = server.intern_atom(true, b"_NET_ACTIVE_WINDOW").ok()?.reply().ok()?.atom;
    let active = server.get_property(false, root, active, AtomEnum::WINDOW, 0, 1).ok()?.reply().ok()?;
    let window = active.value32()?.next().filter(|window| *window != x11rb::NONE)?;
    let size = server.get_geometry(window).ok()?.reply().ok()?;
    let at = server.translate_coordinates(window, root, 0, 0).ok()?.reply().ok()?;
    Some(Area { x: at.dst_x.into(), y: at.dst_y.into(), width: size.width.into(), height: size.height.into() })
}

/// Other systems leave the usual place.
#[cfg(not(target_os = "linux"))]
pub(super) fn focused() -> Option<Area> {
    None
}
