//! Pictures of the screen.

mod picture;
mod target;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Code, Error, Result};
use aura_core::ports::{CaptureTarget, Screen, Screenshot};

use crate::off::{Stuck, off_runtime};

/// A desktop that asks the person for permission may wait for ever; a picture that comes later is of no use to the question.
const LIMIT: Duration = Duration::from_secs(3);

/// The screen of this computer.
#[derive(Debug, Default)]
pub struct DesktopScreen {
    /// The last capture that nobody waits for any more. What is held weakly ends with its thread, however late that is.
    hanging: Mutex<Weak<()>>,
}

impl DesktopScreen {
    /// Runs a call of the desktop on a thread of its own. While one hangs, no other is begun: they would hang too.
    async fn ask<T: Send + 'static>(&self, call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        if self.hanging().strong_count() > 0 {
            return Err(unanswered());
        }
        let running = Arc::new(());
        let begun = Arc::downgrade(&running);
        let result = off_runtime("aura-screen", LIMIT, move || {
            let _running = running;
            call()
        })
        .await;
        match result {
            Ok(result) => result,
            Err(Stuck::Broke) => Err(Error::internal("the screen's thread ended early")),
            Err(Stuck::Limit) => {
                *self.hanging() = begun;
                Err(unanswered())
            }
        }
    }

    fn hanging(&self) -> MutexGuard<'_, Weak<()>> {
        self.hanging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Screen for DesktopScreen {
    async fn capture(&self, target: &CaptureTarget) -> Result<Screenshot> {
        present()?;
        let target = target.clone();
        self.ask(move || {
            let (image, area) = target::capture(&target)?;
            picture::encode(&image, area)
        })
        .await
    }

    async fn targets(&self) -> Result<Vec<CaptureTarget>> {
        present()?;
        self.ask(target::list).await
    }
}

/// Whether there is a screen at all.
fn present() -> Result<()> {
    let set = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "linux") && !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return Err(Error::new(
            Code::CaptureRefused,
            "There is no screen here: neither DISPLAY nor WAYLAND_DISPLAY is set. Start AURA inside your desktop session.",
        ));
    }
    Ok(())
}

/// Whether the desktop is a Wayland one, where every picture needs the desktop's consent.
fn is_wayland() -> bool {
    cfg!(target_os = "linux")
        && (std::env::var_os("WAYLAND_DISPLAY").is_some_and(|value| !value.is_empty())
            || std::env::var("XDG_SESSION_TYPE").is_ok_and(|kind| kind.eq_ignore_ascii_case("wayland")))
}

fn unanswered() -> Error {
    let remedy = if is_wayland() {
        "A permission window may be waiting: allow it once. AURA answers without the picture until then."
    } else {
        "Try again; if it stays so, log out and in."
    };
    Error::new(Code::CaptureRefused, format!("The desktop did not hand over a picture in time. {remedy}"))
}

/// The desktop said no.
fn refused(cause: impl std::fmt::Display) -> Error {
    let remedy = if is_wayland() {
        "Install the screenshot portal of your desktop (Debian: `xdg-desktop-portal` with its -gnome, -kde or -wlr part) and allow AURA to take pictures."
    } else if cfg!(target_os = "macos") {
        "Allow it in System Settings, Privacy & Security, Screen Recording, then start AURA again."
    } else {
        "Check that AURA runs inside your desktop session."
    };
    Error::new(Code::CaptureRefused, format!("The screen cannot be captured. {remedy}")).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_capture_that_comes_back_late_is_forgotten_whenever_that_is() {
        let screen = DesktopScreen::default();
        let (go_on, held) = std::sync::mpsc::channel::<()>();
        assert!(screen.ask(move || Ok(held.recv().is_err())).await.is_err());
        assert!(screen.ask(|| Ok(())).await.is_err(), "another one is begun while the first hangs");
        drop(go_on);
        while screen.hanging().strong_count() > 0 {
            std::thread::yield_now();
        }
        tokio::time::resume();
        assert_eq!(screen.ask(|| Ok(7)).await, Ok(7));
    }
}
