//! Work that starts when the key is pressed, so that it is done when the key is released: opening the speaker, connecting to
//! providers, and taking the screenshot of a question that is always sent with one.

use aura_providers::Service;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use super::opening_output::OpeningOutput;
use super::request::Speech;
use super::turn::Turn;
use crate::error::{Error, Result};
use crate::ports::Screenshot;

/// Work that was started at press. Dropping it aborts what is not done yet.
pub(super) struct Prepared {
    output: Option<OpeningOutput>,
    screenshot: Mutex<Option<AbortOnDropHandle<Result<Screenshot>>>>,
    _background: Vec<AbortOnDropHandle<()>>,
}

impl Prepared {
    /// Waits for the screenshot that was started at press; `None` when there was none, or it was taken already.
    pub(super) async fn screenshot(&self) -> Option<Result<Screenshot>> {
        let task = self.screenshot.lock().await.take()?;
        Some(task.await.unwrap_or_else(|cause| Err(Error::internal(cause))))
    }

    /// The output that is being opened; `None` when the answer is not played.
    pub(super) fn output(&self) -> Option<OpeningOutput> {
        self.output.clone()
    }
}

impl Turn {
    /// Whether the answer of this turn is spoken and played.
    pub(super) fn speech(&self) -> Speech {
        match self.request.speech {
            // Muting applies to the speaker of this computer, not to the caller of a detached turn.
            Speech::Aloud if self.config.settings.speaking.muted && !self.is_detached() => Speech::None,
            _ if !self.request.purpose.is_answered() => Speech::None,
            speech => speech,
        }
    }

    /// Whether this is a detached turn, which uses no device of this computer.
    pub(super) fn is_detached(&self) -> bool {
        self.context.recordings.is_none()
    }

    /// Starts all work that does not need the question.
    pub(super) fn prepare(&self) -> Prepared {
        let ports = &self.context.ports;
        let mut background = Vec::new();
        // Text at the cursor is not spoken, but the tone for the microphone is heard, and what went wrong.
        let is_heard = self.request.purpose.types() && !self.config.settings.speaking.muted;
        let output = (self.speech() == Speech::Aloud || is_heard)
            .then(|| OpeningOutput::new(ports.speaker.clone(), self.config.settings.speaking.speaker.clone()));
        if let Some(opening) = output.clone() {
            self.set_output(opening.clone());
            background.push(spawn(async move { drop(opening.output().await) }));
        }
        let looks = self.looks_at_press();
        let screenshot = looks.then(|| {
            let (screen, target) = (ports.screen.clone(), self.config.settings.screen.target.clone());
            AbortOnDropHandle::new(tokio::spawn(async move { screen.capture(&target).await }))
        });
        let may_look = looks || self.may_look_when_asked();
        // A detached turn knows its question already, so its first call opens the connection just as soon.
        if !self.is_detached() {
            let (router, overrides) = (self.context.router.clone(), self.speech_overrides(self.language().as_deref()));
            background.push(spawn(async move {
                let services: &[Service] = match may_look {
                    true => &[Service::Stt, Service::Llm, Service::Vlm, Service::Tts],
                    false => &[Service::Stt, Service::Llm, Service::Tts],
                };
                router.preconnect(services, &overrides).await;
            }));
        }
        Prepared { output, screenshot: Mutex::new(screenshot), _background: background }
    }
}

fn spawn(work: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(work))
}
