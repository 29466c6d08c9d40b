//! Pictures of the screen.

mod picture;
mod target;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// A capture that has not come back, although nobody waits for it any more.
    stuck: Arc<AtomicBool>,
}

impl DesktopScreen {
    /// Runs a call of the desktop on a thread of its own. While one hangs, no other is begun: they would hang too.
    async fn ask<T: Send + 'static>(&self, call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        present()?;
        if self.stuck.load(Ordering::Acquire) {
            return Err(unanswered());
        }
        let stuck = self.stuck.clone();
        let (begun, ended) = (Arc::new(AtomicBool::new(true)), stuck.clone());
        let running = begun.clone();
        let result = off_runtime("aura-screen", LIMIT, move || {
            let result = call();
            running.store(false, Ordering::Release);
            ended.store(false, Ordering::Release);
            result
        })
        .await;
        match result {
            Ok(result) => result,
            Err(Stuck::Broke) => Err(Error::internal("the screen's thread ended early")),
            Err(Stuck::Limit) => {
                stuck.store(begun.load(Ordering::Acquire), Ordering::Release);
                Err(unanswered())
            }
        }
    }
}

#[async_trait]
impl Screen for DesktopScreen {
    async fn capture(&self, target: &CaptureTarget) -> Result<Screenshot> {
        let target = target.clone();
        self.ask(move || {
            let (image, area) = target::capture(&target)?;
            picture::encode(&image, area)
        })
        .await
    }

    async fn targets(&self) -> Result<Vec<CaptureTarget>> {
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
