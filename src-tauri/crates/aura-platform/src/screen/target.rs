//! What is captured: a monitor, a window, or a part of the desktop.

use aura_core::error::{Code, Error, Result};
use aura_core::ports::{self, CaptureTarget};
use xcap::image::{RgbaImage, imageops};
use xcap::{Monitor, Window};

use super::refused;

/// Takes the picture, and says what of the desktop it shows. Blocks.
pub(super) fn capture(target: &CaptureTarget) -> Result<(RgbaImage, ports::Area)> {
    match target {
        CaptureTarget::Monitor { name } => {
            let monitor = monitor(name.as_deref())?;
            let shown = area(&monitor).map(Area::into).unwrap_or_default();
            Ok((monitor.capture_image().map_err(refused)?, shown))
        }
        CaptureTarget::Window { title } => {
            let window = window(title.as_deref())?;
            let place = || -> xcap::XCapResult<ports::Area> {
                Ok(ports::Area { x: window.x()?, y: window.y()?, width: window.width()?, height: window.height()? })
            };
            Ok((window.capture_image().map_err(refused)?, place().unwrap_or_default()))
        }
        CaptureTarget::Region { x, y, width, height } => {
            region(Area { x: (*x).into(), y: (*y).into(), width: (*width).into(), height: (*height).into() })
        }
    }
}

/// Everything that can be captured by name. Blocks.
pub(super) fn list() -> Result<Vec<CaptureTarget>> {
    let monitors = monitors()?.into_iter().filter_map(|monitor| monitor.name().ok());
    let mut targets: Vec<_> = monitors.map(|name| CaptureTarget::Monitor { name: Some(name) }).collect();
    // Without a window manager, or on Wayland, there is no list of windows; the monitors are still there.
    let windows = Window::all().unwrap_or_default();
    targets.extend(windows.iter().filter_map(title).map(|title| CaptureTarget::Window { title: Some(title) }));
    Ok(targets)
}

fn monitors() -> Result<Vec<Monitor>> {
    Monitor::all().map_err(refused)
}

/// The named monitor, else the one under the pointer, else the primary one, else any.
fn monitor(name: Option<&str>) -> Result<Monitor> {
    let mut monitors = monitors()?;
    let wanted = match name {
        Some(name) => {
            let found = monitors.iter().position(|monitor| monitor.name().is_ok_and(|it| it == name));
            Some(found.ok_or_else(|| {
                let names: Vec<_> = monitors.iter().filter_map(|monitor| monitor.name().ok()).collect();
                Error::new(
                    Code::CaptureRefused,
                    format!("There is no monitor “{name}”. Pick one of: {}.", names.join(", ")),
                )
            })?)
        }
        None => pointer().and_then(|(x, y)| {
            let point = Area { x, y, width: 1, height: 1 };
            monitors.iter().position(|monitor| area(monitor).is_ok_and(|area| area.shared(&point).is_some()))
        }),
    };
    let index =
        wanted.or_else(|| monitors.iter().position(|monitor| monitor.is_primary().unwrap_or(false))).unwrap_or(0);
    if monitors.is_empty() {
        return Err(Error::new(Code::CaptureRefused, "No monitor is connected."));
    }
    Ok(monitors.swap_remove(index))
}

/// The first window from the front whose title has this part, whatever the case; else the one with the focus.
fn window(named: Option<&str>) -> Result<Window> {
    let all = Window::all().map_err(refused)?;
    let part = named.map(str::to_lowercase);
    let wanted = |window: &Window| match &part {
        Some(part) => title(window).is_some_and(|title| title.to_lowercase().contains(part)),
        None => window.is_focused().unwrap_or(false),
    };
    let front = |window: &Window| window.z().unwrap_or(i32::MIN);
    let seen = |window: &&Window| !window.is_minimized().unwrap_or(false);
    all.iter().filter(|window| wanted(window)).filter(seen).max_by_key(|window| front(window)).cloned().ok_or_else(
        || {
            let message = match named {
                Some(title) => {
                    format!("No open window has “{title}” in its title. Open it, or share the whole monitor.")
                }
                None => {
                    "No window has the focus. Click the window that AURA is to see, or share the whole monitor.".into()
                }
            };
            Error::new(Code::CaptureRefused, message)
        },
    )
}

/// A window's title, if it has one.
fn title(window: &Window) -> Option<String> {
    let title = window.title().ok().filter(|title| !title.is_empty());
    title.or_else(|| old_title(window.id().ok()?)).filter(|title| !title.is_empty())
}

/// The title of a program from before Unicode, such as xterm, which xcap does not read.
#[cfg(target_os = "linux")]
fn old_title(window: u32) -> Option<String> {
    use x11rb::protocol::xproto::{AtomEnum, ConnectionExt};

    let (server, _) = x11rb::connect(None).ok()?;
    let name = server.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::STRING, 0, 256).ok()?.reply().ok()?;
    // Latin-1 is numbered as in Unicode.
    Some(name.value.into_iter().map(char::from).collect())
}

#[cfg(not(target_os = "linux"))]
fn old_title(_window: u32) -> Option<String> {
    None
}

/// A part of the desktop, from the monitor that shows most of it. The whole monitor is captured and cut here: what desktops make of
/// a part differs where monitors have different scales.
fn region(wanted: Area) -> Result<(RgbaImage, ports::Area)> {
    let best = monitors()?
        .into_iter()
        .filter_map(|monitor| {
            let area = area(&monitor).ok()?;
            let shared = area.shared(&wanted)?;
            Some((shared.width * shared.height, monitor, area, shared))
        })
        .max_by_key(|(size, ..)| *size);
    let Some((_, monitor, area, shared)) = best else {
        return Err(Error::new(
            Code::CaptureRefused,
            "That part of the desktop is on no monitor. Choose the region again.",
        ));
    };
    let image = monitor.capture_image().map_err(refused)?;
    Ok((cut(&image, area, shared), shared.into()))
}

/// Cuts a part of a monitor out of its picture, which may have more pixels than the desktop counts.
fn cut(image: &RgbaImage, monitor: Area, part: Area) -> RgbaImage {
    let scale = |value: i64, from: i64, to: u32| u32::try_from(value * i64::from(to) / from.max(1)).unwrap_or(0);
    let (x, y) = (
        scale(part.x - monitor.x, monitor.width, image.width()),
        scale(part.y - monitor.y, monitor.height, image.height()),
    );
    let width = scale(part.width, monitor.width, image.width()).max(1);
    let height = scale(part.height, monitor.height, image.height()).max(1);
    imageops::crop_imm(image, x, y, width, height).to_image()
}

/// A rectangle of the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

impl From<Area> for ports::Area {
    fn from(area: Area) -> Self {
        let place = |value: i64| i32::try_from(value).unwrap_or_default();
        let size = |value: i64| u32::try_from(value).unwrap_or_default();
        Self { x: place(area.x), y: place(area.y), width: size(area.width), height: size(area.height) }
    }
}

impl Area {
    /// What both cover; `None` when that is nothing.
    fn shared(&self, other: &Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let width = (self.x + self.width).min(other.x + other.width) - x;
        let height = (self.y + self.height).min(other.y + other.height) - y;
        (width > 0 && height > 0).then_some(Self { x, y, width, height })
    }
}

fn area(monitor: &Monitor) -> xcap::XCapResult<Area> {
    Ok(Area {
        x: monitor.x()?.into(),
        y: monitor.y()?.into(),
        width: monitor.width()?.into(),
        height: monitor.height()?.into(),
    })
}

/// Where the pointer is, if that can be known.
#[cfg(target_os = "linux")]
fn pointer() -> Option<(i64, i64)> {
    use x11rb::connection::Connection;
    use x11rb::protocol::xproto::ConnectionExt;

    // Through XWayland it would be where the pointer last was over an X11 window.
    if super::is_wayland() {
        return None;
    }
    let (server, screen) = x11rb::connect(None).ok()?;
    let root = server.setup().roots.get(screen)?.root;
    let place = server.query_pointer(root).ok()?.reply().ok()?;
    place.same_screen.then(|| (place.root_x.into(), place.root_y.into()))
}

#[cfg(not(target_os = "linux"))]
fn pointer() -> Option<(i64, i64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: i64, y: i64, width: i64, height: i64) -> Area {
        Area { x, y, width, height }
    }

    #[test]
    fn finds_what_areas_share() {
        let monitor = at(1920, 0, 1920, 1080);
        assert_eq!(monitor.shared(&at(1900, 1000, 100, 500)), Some(at(1920, 1000, 80, 80)));
        assert_eq!(monitor.shared(&at(0, 0, 1920, 1080)), None);
        // The largest rectangle that can be asked for does not overflow.
        assert_eq!(monitor.shared(&at(i32::MAX.into(), 0, u32::MAX.into(), u32::MAX.into())), None);
    }

    #[test]
    fn cuts_with_the_scale_of_the_picture() {
        let image = RgbaImage::from_fn(400, 200, |x, y| xcap::image::Rgba([x as u8, y as u8, 0, 255]));
        let part = cut(&image, at(100, 0, 200, 100), at(150, 20, 30, 10));
        assert_eq!(part.dimensions(), (60, 20));
        assert_eq!(part.get_pixel(0, 0).0[..2], [100, 40]);
    }
}
