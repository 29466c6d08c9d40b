//! The desktop: applications, files and addresses are opened, text and keys reach other programs, media players and the volume are set.
//!
//! Opening works everywhere. Text and keys reach other windows by XTEST on X11, and on Wayland through the desktop portal, which asks the person.
//! What is in a window is read, and pressed, through the desktop's interface for screen readers. What a desktop cannot do is an error that says
//! what to do instead.

#[cfg(target_os = "linux")]
mod accessible;
#[cfg(target_os = "linux")]
mod applications;
mod clipboard;
#[cfg(target_os = "linux")]
mod keyboard;
#[cfg(target_os = "linux")]
mod media;
#[cfg(target_os = "linux")]
mod remote_desktop;
#[cfg(target_os = "linux")]
mod selection_owner;
#[cfg(target_os = "linux")]
mod volume;
#[cfg(target_os = "linux")]
mod windows;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
#[cfg(target_os = "linux")]
use aura_core::desktop::DesktopKey;
use aura_core::desktop::{Control, KeyCombination, MediaCommand, OpenTarget, TargetWindow, WindowContents};
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Desktop;
#[cfg(target_os = "linux")]
use tokio_util::sync::CancellationToken;

use crate::blocking::{BlockingError, run_blocking};
use crate::opener::open_with_system;
use clipboard::Clipboard;
#[cfg(target_os = "linux")]
use remote_desktop::{KeyboardPermission, VirtualKeyboard};

/// The longest time for one exchange with the desktop.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time for an action that the person may have to allow first, when the desktop asks: on Wayland.
#[cfg(target_os = "linux")]
const ALLOW_TIMEOUT: Duration = Duration::from_secs(120);
/// The longest text that is typed, in characters. A window may take five milliseconds and more for each key, but takes a pasted text at once.
#[cfg(target_os = "linux")]
const TYPED: usize = 20;
/// The longest text that is typed where it cannot be pasted.
#[cfg(target_os = "linux")]
const TYPED_AT_MOST: usize = 300;
/// The key that ends a line.
#[cfg(target_os = "linux")]
const ENTER: KeyCombination =
    KeyCombination { ctrl: false, alt: false, shift: false, logo: false, key: DesktopKey::Named("Enter") };

/// The desktop of this computer. Cheap: it connects to the display when it is used.
#[derive(Debug, Default)]
pub struct SystemDesktop {
    clipboard: Arc<Clipboard>,
    #[cfg(target_os = "linux")]
    keyboard_permission: Arc<KeyboardPermission>,
}

impl SystemDesktop {
    /// The desktop, which remembers in the folder `data` what a Wayland desktop allows AURA. Without one ([`Self::default`]) it asks again after
    /// each start.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
    pub fn new(data: &Path) -> Self {
        Self {
            clipboard: Arc::default(),
            #[cfg(target_os = "linux")]
            keyboard_permission: Arc::new(KeyboardPermission::new(data)),
        }
    }
}

/// Runs a call that may block on the desktop.
async fn on_thread<T: Send + 'static>(
    timeout: Duration,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match run_blocking("aura-desktop", timeout, call).await {
        Ok(result) => result,
        Err(BlockingError::TimedOut) => Err(Error::new(
            ErrorCode::Desktop,
            "The desktop does not answer. Check that it is not locked, then try again.",
        )),
        Err(BlockingError::ThreadFailed) => Err(Error::internal("the desktop's thread failed")),
    }
}

/// Pastes a text on Wayland: which keys write it, the portal does not tell. Where the clipboard cannot be used, a text of ASCII is typed, which
/// the desktop finds keys for.
#[cfg(target_os = "linux")]
fn paste_on_wayland(
    clipboard: &Clipboard,
    keyboard: &VirtualKeyboard<'_>,
    text: &str,
    window: &TargetWindow,
    stop: &CancellationToken,
) -> Result<()> {
    if text.is_ascii() && clipboard.text().is_err() {
        return keyboard.type_text(text, window, stop);
    }
    clipboard
        .paste_on_wayland(text, stop, remote_desktop::clipboard_is_taken, |keys| keyboard.press(keys, window, stop))
}

/// An error for what this operating system does not offer yet.
#[cfg(not(target_os = "linux"))]
fn not_here<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorCode::Desktop, format!("AURA cannot {what} on this operating system yet.")))
}

#[async_trait]
impl Desktop for SystemDesktop {
    async fn find_application(&self, name: &str) -> Result<OpenTarget> {
        #[cfg(target_os = "linux")]
        {
            let name = name.to_owned();
            on_thread(TIMEOUT, move || applications::find(&name)).await
        }
        #[cfg(not(target_os = "linux"))]
        not_here(&format!("start {name} by its name"))
    }

    async fn open(&self, target: &OpenTarget) -> Result<()> {
        let target = target.clone();
        on_thread(TIMEOUT, move || match target {
            #[cfg(target_os = "linux")]
            OpenTarget::Application { id, .. } => applications::start(&id),
            #[cfg(not(target_os = "linux"))]
            OpenTarget::Application { name, .. } => not_here(&format!("start {name} by its name")),
            OpenTarget::File { path: what } | OpenTarget::Address { url: what } => {
                open_with_system(&what).map_err(|cause| {
                    Error::new(ErrorCode::Desktop, format!("No program on this computer opens {what}.")).because(cause)
                })
            }
        })
        .await
    }

    async fn clipboard(&self) -> Result<Option<String>> {
        let clipboard = self.clipboard.clone();
        on_thread(TIMEOUT, move || clipboard.text()).await
    }

    async fn set_clipboard(&self, text: &str) -> Result<()> {
        let (clipboard, text) = (self.clipboard.clone(), text.to_owned());
        on_thread(TIMEOUT, move || clipboard.set(text)).await
    }

    async fn selection(&self) -> Result<Option<String>> {
        let clipboard = self.clipboard.clone();
        on_thread(TIMEOUT, move || clipboard.selection()).await
    }

    #[cfg(target_os = "linux")]
    async fn target_window(&self) -> Result<TargetWindow> {
        on_thread(TIMEOUT, || match windows::is_wayland() {
            true => remote_desktop::target(),
            false => windows::Windows::connect()?.target(),
        })
        .await
    }

    #[cfg(not(target_os = "linux"))]
    async fn target_window(&self) -> Result<TargetWindow> {
        not_here("type into other programs")
    }

    #[cfg(target_os = "linux")]
    async fn type_text(&self, text: &str, window: &TargetWindow) -> Result<()> {
        let shared = (self.clipboard.clone(), self.keyboard_permission.clone());
        let (text, window, stop) = (text.to_owned(), window.clone(), CancellationToken::new());
        let _stop = stop.clone().drop_guard();
        on_thread(ALLOW_TIMEOUT, move || {
            let (clipboard, permission) = shared;
            // A line break that is pasted presses no Enter: it sends no message, runs no command, and leaves no field.
            let line = text.strip_suffix('\n');
            let rest = line.unwrap_or(&text);
            if windows::is_wayland() {
                let keyboard = permission.keyboard(&stop)?;
                if !rest.is_empty() {
                    paste_on_wayland(&clipboard, &keyboard, rest, &window, &stop)?;
                }
                return keyboard.type_text(&text[rest.len()..], &window, &stop);
            }
            let windows = windows::Windows::connect()?;
            windows.focus(&window)?;
            let keyboard = keyboard::Keyboard::new(&windows)?;
            let length = text.chars().count();
            let is_typed = length <= TYPED || (length <= TYPED_AT_MOST && clipboard.holds_no_text(&windows)?);
            if is_typed && keyboard.type_text(&text, &stop)? {
                return Ok(());
            }
            if !rest.is_empty() {
                clipboard.paste(&windows, &window, rest, &stop)?;
            }
            match line {
                Some(_) if !stop.is_cancelled() => keyboard.press(&ENTER),
                _ => Ok(()),
            }
        })
        .await
    }

    #[cfg(not(target_os = "linux"))]
    async fn type_text(&self, _text: &str, _window: &TargetWindow) -> Result<()> {
        not_here("type into other programs")
    }

    #[cfg(target_os = "linux")]
    async fn paste_text(&self, text: &str, window: &TargetWindow) -> Result<()> {
        let shared = (self.clipboard.clone(), self.keyboard_permission.clone());
        let (text, window, stop) = (text.to_owned(), window.clone(), CancellationToken::new());
        let _stop = stop.clone().drop_guard();
        on_thread(ALLOW_TIMEOUT, move || {
            let (clipboard, permission) = shared;
            if windows::is_wayland() {
                return paste_on_wayland(&clipboard, &permission.keyboard(&stop)?, &text, &window, &stop);
            }
            let windows = windows::Windows::connect()?;
            windows.focus(&window)?;
            clipboard.paste(&windows, &window, &text, &stop)
        })
        .await
    }

    #[cfg(not(target_os = "linux"))]
    async fn paste_text(&self, _text: &str, _window: &TargetWindow) -> Result<()> {
        not_here("paste into other programs")
    }

    #[cfg(target_os = "linux")]
    async fn press(&self, keys: &KeyCombination, window: &TargetWindow) -> Result<()> {
        let (permission, keys, window, stop) =
            (self.keyboard_permission.clone(), keys.clone(), window.clone(), CancellationToken::new());
        let _stop = stop.clone().drop_guard();
        on_thread(ALLOW_TIMEOUT, move || {
            if windows::is_wayland() {
                return permission.keyboard(&stop)?.press(&keys, &window, &stop);
            }
            let windows = windows::Windows::connect()?;
            windows.focus(&window)?;
            keyboard::Keyboard::new(&windows)?.press(&keys)
        })
        .await
    }

    #[cfg(not(target_os = "linux"))]
    async fn press(&self, _keys: &KeyCombination, _window: &TargetWindow) -> Result<()> {
        not_here("press keys in other programs")
    }

    #[cfg(target_os = "linux")]
    async fn front_window(&self) -> Result<TargetWindow> {
        match windows::is_wayland() {
            true => on_thread(TIMEOUT, || accessible::Accessibility::connect()?.front()).await,
            false => self.target_window().await,
        }
    }

    #[cfg(target_os = "linux")]
    async fn read_window(&self, window: &TargetWindow) -> Result<WindowContents> {
        let window = window.clone();
        on_thread(TIMEOUT, move || {
            let process = match windows::is_wayland() {
                true => Some(window.id),
                false => windows::Windows::connect()?.process(&window),
            };
            accessible::Accessibility::connect()?.read(&window, process)
        })
        .await
    }

    #[cfg(not(target_os = "linux"))]
    async fn read_window(&self, _window: &TargetWindow) -> Result<WindowContents> {
        not_here("read the windows of other programs")
    }

    #[cfg(target_os = "linux")]
    async fn use_control(&self, control: &Control, window: &TargetWindow) -> Result<()> {
        let (control, window) = (control.clone(), window.clone());
        on_thread(TIMEOUT, move || {
            let process = if windows::is_wayland() {
                Some(window.id)
            } else {
                let windows = windows::Windows::connect()?;
                windows.focus(&window)?;
                windows.process(&window)
            };
            accessible::Accessibility::connect()?.use_control(&control, &window, process)
        })
        .await
    }

    #[cfg(not(target_os = "linux"))]
    async fn use_control(&self, _control: &Control, _window: &TargetWindow) -> Result<()> {
        not_here("press buttons in other programs")
    }

    #[cfg(target_os = "linux")]
    async fn media(&self, command: MediaCommand) -> Result<()> {
        on_thread(TIMEOUT, move || match command {
            MediaCommand::Volume { percent } => volume::set(percent),
            MediaCommand::Play => media::call("Play"),
            MediaCommand::Pause => media::call("Pause"),
            MediaCommand::Next => media::call("Next"),
            MediaCommand::Previous => media::call("Previous"),
        })
        .await
    }

    #[cfg(not(target_os = "linux"))]
    async fn media(&self, _command: MediaCommand) -> Result<()> {
        not_here("control media players")
    }

    #[cfg(target_os = "linux")]
    async fn volume(&self) -> Result<u32> {
        on_thread(TIMEOUT, volume::get).await
    }

    #[cfg(not(target_os = "linux"))]
    async fn volume(&self) -> Result<u32> {
        not_here("read the volume")
    }
}
