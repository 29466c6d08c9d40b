//! Captures a monitor, a window, or a region of the desktop.

use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::{Area, CaptureTarget};
use xcap::image::{RgbaImage, imageops};
use xcap::{Monitor, Window};

use super::capture_error;

/// Takes a screenshot and returns it with the area of the desktop that it shows. Blocks.
pub(super) fn capture(target: &CaptureTarget) -> Result<(RgbaImage, Area)> {
    match target {
        CaptureTarget::Monitor { name } => {
            let monitor = monitor(name.as_deref())?;
            let shown = area(&monitor).map(Rect::into).unwrap_or_default();
            Ok((monitor.capture_image().map_err(capture_error)?, shown))
        }
        CaptureTarget::Window { title } => {
            let window = window(title.as_deref())?;
            let area = || -> xcap::XCapResult<Area> {
                Ok(Area { x: window.x()?, y: window.y()?, width: window.width()?, height: window.height()? })
            };
            Ok((window.capture_image().map_err(capture_error)?, area().unwrap_or_default()))
        }
        CaptureTarget::Region { x, y, width, height } => {
            region(Rect { x: (*x).into(), y: (*y).into(), width: (*width).into(), height: (*height).into() })
        }
    }
}

/// All monitors and windows that can be captured by name. Blocks.
pub(super) fn list() -> Result<Vec<CaptureTarget>> {
    let monitors = monitors()?.into_iter().filter_map(|monitor| monitor.name().ok());
    let mut targets: Vec<_> = monitors.map(|name| CaptureTarget::Monitor { name: Some(name) }).collect();
    // Without a window manager, and on Wayland, windows cannot be listed.
    let windows = Window::all().unwrap_or_default();
    targets.extend(windows.iter().filter_map(title).map(|title| CaptureTarget::Window { title: Some(title) }));
    Ok(targets)
}

fn monitors() -> Result<Vec<Monitor>> {
    Monitor::all().map_err(capture_error)
}

/// The named monitor; without a name the one under the pointer, else the primary one, else any.
fn monitor(name: Option<&str>) -> Result<Monitor> {
    let mut monitors = monitors()?;
    let wanted = match name {
        Some(name) => {
            let found = monitors.iter().position(|monitor| monitor.name().is_ok_and(|it| it == name));
            Some(found.ok_or_else(|| {
                let names: Vec<_> = monitors.iter().filter_map(|monitor| monitor.name().ok()).collect();
                Error::new(
                    ErrorCode::CaptureRefused,
                    format!("There is no monitor “{name}”. Choose one of: {}.", names.join(", ")),
                )
            })?)
        }
        None => pointer().and_then(|(x, y)| {
            let point = Rect { x, y, width: 1, height: 1 };
            monitors.iter().position(|monitor| area(monitor).is_ok_and(|area| area.intersection(&point).is_some()))
        }),
    };
    let index =
        wanted.or_else(|| monitors.iter().position(|monitor| monitor.is_primary().unwrap_or(false))).unwrap_or(0);
    if monitors.is_empty() {
        return Err(Error::new(ErrorCode::CaptureRefused, "No monitor is connected."));
    }
    Ok(monitors.swap_remove(index))
}

/// The frontmost window whose title contains `part`, ignoring case; without a part the window that has the focus.
fn window(part: Option<&str>) -> Result<Window> {
    let all = Window::all().map_err(capture_error)?;
    let lowercase = part.map(str::to_lowercase);
    let matches = |window: &Window| match &lowercase {
        Some(part) => title(window).is_some_and(|title| title.to_lowercase().contains(part)),
        None => window.is_focused().unwrap_or(false),
    };
    let height = |window: &Window| window.z().unwrap_or(i32::MIN);
    let is_visible = |window: &&Window| !window.is_minimized().unwrap_or(false);
    all.iter()
        .filter(|window| matches(window))
        .filter(is_visible)
        .max_by_key(|window| height(window))
        .cloned()
        .ok_or_else(|| {
            let message = match part {
                Some(part) => {
                    format!("No open window has “{part}” in its title. Open it, or share the whole monitor.")
                }
                None => "No window has the focus. Click the window to share, or share the whole monitor.".into(),
            };
            Error::new(ErrorCode::CaptureRefused, message)
        })
}

/// A window's title, if it has one.
fn title(window: &Window) -> Option<String> {
    let title = window.title().ok().filter(|title| !title.is_empty());
    title.or_else(|| legacy_title(window.id().ok()?)).filter(|title| !title.is_empty())
}

/// The title in the property that programs without Unicode support set, such as xterm. xcap does not read it.
#[cfg(target_os = "linux")]
fn legacy_title(window: u32) -> Option<String> {
    use x11rb::protocol::xproto::{AtomEnum, ConnectionExt};

    let (server, _) = x11rb::connect(None).ok()?;
    let name = server.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::STRING, 0, 256).ok()?.reply().ok()?;
    // Latin-1 bytes are the first 256 Unicode characters.
    Some(name.value.into_iter().map(char::from).collect())
}

#[cfg(not(target_os = "linux"))]
fn legacy_title(_window: u32) -> Option<String> {
    None
}

/// The part of a region that lies on one monitor: the one that shows most of it. Captures the whole monitor and crops it here, because
/// desktops treat regions differently when monitors have different scales.
fn region(wanted: Rect) -> Result<(RgbaImage, Area)> {
    let best = monitors()?
        .into_iter()
        .filter_map(|monitor| {
            let area = area(&monitor).ok()?;
            let visible = area.intersection(&wanted)?;
            Some((visible.width * visible.height, monitor, area, visible))
        })
        .max_by_key(|(size, ..)| *size);
    let Some((_, monitor, area, visible)) = best else {
        return Err(Error::new(ErrorCode::CaptureRefused, "The region is not on any monitor. Choose it again."));
    };
    let image = monitor.capture_image().map_err(capture_error)?;
    Ok((crop(&image, area, visible), visible.into()))
}

/// Crops a monitor's picture, which may have more pixels than the desktop counts, to a part of the monitor.
fn crop(image: &RgbaImage, monitor: Rect, part: Rect) -> RgbaImage {
    let scale = |value: i64, from: i64, to: u32| u32::try_from(value * i64::from(to) / from.max(1)).unwrap_or(0);
    let (x, y) = (
        scale(part.x - monitor.x, monitor.width, image.width()),
        scale(part.y - monitor.y, monitor.height, image.height()),
    );
    let width = scale(part.width, monitor.width, image.width()).max(1);
    let height = scale(part.height, monitor.height, image.height()).max(1);
    imageops::crop_imm(image, x, y, width, height).to_image()
}

/// A rectangle of the desktop, in its pixels. Wide enough for sums of two [`Area`] fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rect {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

impl From<Rect> for Area {
    fn from(area: Rect) -> Self {
        let position = |value: i64| i32::try_from(value).unwrap_or_default();
        let size = |value: i64| u32::try_from(value).unwrap_or_default();
        Self { x: position(area.x), y: position(area.y), width: size(area.width), height: size(area.height) }
    }
}

impl Rect {
    /// The area that both cover; `None` if they do not overlap.
    fn intersection(&self, other: &Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let width = (self.x + self.width).min(other.x + other.width) - x;
        let height = (self.y + self.height).min(other.y + other.height) - y;
        (width > 0 && height > 0).then_some(Self { x, y, width, height })
    }
}

fn area(monitor: &Monitor) -> xcap::XCapResult<Rect> {
    Ok(Rect {
        x: monitor.x()?.into(),
        y: monitor.y()?.into(),
        width: monitor.width()?.into(),
        height: monitor.height()?.into(),
    })
}

/// The position of the pointer, if the desktop reports it.
#[cfg(target_os = "linux")]
fn pointer() -> Option<(i64, i64)> {
    use x11rb::connection::Connection;
    use x11rb::protocol::xproto::ConnectionExt;

    // XWayland reports where the pointer last was over an X11 window.
    if super::is_wayland() {
        return None;
    }
    let (server, screen) = x11rb::connect(None).ok()?;
    let root = server.setup().roots.get(screen)?.root;
    let pointer = server.query_pointer(root).ok()?.reply().ok()?;
    pointer.same_screen.then(|| (pointer.root_x.into(), pointer.root_y.into()))
}

#[cfg(not(target_os = "linux"))]
fn pointer() -> Option<(i64, i64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: i64, y: i64, width: i64, height: i64) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn rectangles_intersect() {
        let monitor = at(1920, 0, 1920, 1080);
        assert_eq!(monitor.intersection(&at(1900, 1000, 100, 500)), Some(at(1920, 1000, 80, 80)));
        assert_eq!(monitor.intersection(&at(0, 0, 1920, 1080)), None);
        // The largest possible region does not overflow.
        assert_eq!(monitor.intersection(&at(i32::MAX.into(), 0, u32::MAX.into(), u32::MAX.into())), None);
    }

    #[test]
    fn a_crop_uses_the_scale_of_the_picture() {
        let image = RgbaImage::from_fn(400, 200, |x, y| xcap::image::Rgba([x as u8, y as u8, 0, 255]));
        let part = crop(&image, at(100, 0, 200, 100), at(150, 20, 30, 10));
        assert_eq!(part.dimensions(), (60, 20));
        assert_eq!(part.get_pixel(0, 0).0[..2], [100, 40]);
    }
}
