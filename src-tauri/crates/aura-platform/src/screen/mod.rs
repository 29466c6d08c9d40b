//! Screenshots.

mod target;

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::{CaptureTarget, Screen, Screenshot};
use parking_lot::Mutex;

use crate::blocking::{BlockingError, run_blocking};

/// Longest wait for a screenshot. A desktop that prompts for permission may never answer, and a late screenshot is of no use.
const CAPTURE_TIMEOUT: Duration = Duration::from_secs(3);

/// The screen of this computer.
#[derive(Debug, Default)]
pub struct DesktopScreen {
    /// Alive while the thread of the last call that timed out still runs.
    hanging: Mutex<Weak<()>>,
}

impl DesktopScreen {
    /// Runs a call on a thread of its own. While an earlier call hangs, this fails at once: the new one would hang too.
    async fn run<T: Send + 'static>(&self, call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        if self.hanging.lock().strong_count() > 0 {
            return Err(timeout_error());
        }
        let running = Arc::new(());
        let is_running = Arc::downgrade(&running);
        let result = run_blocking("aura-screen", CAPTURE_TIMEOUT, move || {
            let _running = running;
            call()
        })
        .await;
        match result {
            Ok(result) => result,
            Err(BlockingError::ThreadFailed) => Err(Error::internal("the screenshot thread ended unexpectedly")),
            Err(BlockingError::TimedOut) => {
                *self.hanging.lock() = is_running;
                Err(timeout_error())
            }
        }
    }
}

#[async_trait]
impl Screen for DesktopScreen {
    async fn capture(&self, target: &CaptureTarget) -> Result<Screenshot> {
        check_display()?;
        let target = target.clone();
        self.run(move || {
            let (image, area) = target::capture(&target)?;
            let picture = aura_picture::encode(image.as_raw(), image.width(), image.height());
            let aura_picture::Jpeg { file, width, height } = picture.map_err(Error::internal)?;
            Ok(Screenshot { jpeg: file.into(), width, height, area })
        })
        .await
    }

    async fn targets(&self) -> Result<Vec<CaptureTarget>> {
        check_display()?;
        self.run(target::list).await
    }
}

/// Fails when there is no screen.
fn check_display() -> Result<()> {
    let is_set = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "linux") && !is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY") {
        return Err(Error::new(
            ErrorCode::CaptureRefused,
            "No screen was found: neither DISPLAY nor WAYLAND_DISPLAY is set. Start AURA inside your desktop session.",
        ));
    }
    Ok(())
}

/// Whether this is a Wayland desktop, where every screenshot needs permission.
fn is_wayland() -> bool {
    cfg!(target_os = "linux")
        && (std::env::var_os("WAYLAND_DISPLAY").is_some_and(|value| !value.is_empty())
            || std::env::var("XDG_SESSION_TYPE").is_ok_and(|kind| kind.eq_ignore_ascii_case("wayland")))
}

/// The desktop did not answer in time.
fn timeout_error() -> Error {
    let remedy = if is_wayland() {
        "Look for a permission prompt and allow it once. Until then, AURA answers without a screenshot."
    } else {
        "Try again. If it fails again, log out and in."
    };
    Error::new(ErrorCode::CaptureRefused, format!("The desktop did not deliver a screenshot in time. {remedy}"))
}

/// The screenshot failed.
fn capture_error(cause: impl std::fmt::Display) -> Error {
    let remedy = if is_wayland() {
        "Install your desktop's screenshot portal (Debian: `xdg-desktop-portal` with the -gnome, -kde or -wlr backend) and allow AURA to take screenshots."
    } else if cfg!(target_os = "macos") {
        "Allow it in System Settings, Privacy & Security, Screen Recording, then restart AURA."
    } else {
        "Check that AURA runs inside your desktop session."
    };
    Error::new(ErrorCode::CaptureRefused, format!("AURA cannot take screenshots. {remedy}")).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_capture_starts_while_an_earlier_one_hangs() {
        let screen = DesktopScreen::default();
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        assert!(screen.run(move || Ok(blocked.recv().is_err())).await.is_err());
        assert!(screen.run(|| Ok(())).await.is_err(), "another one starts while the first hangs");
        drop(release);
        while screen.hanging.lock().strong_count() > 0 {
            std::thread::yield_now();
        }
        tokio::time::resume();
        assert_eq!(screen.run(|| Ok(7)).await, Ok(7));
    }
}
