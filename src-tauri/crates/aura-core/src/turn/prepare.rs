//! Work that starts when the key is pressed, so that it is done when the key is released: opening the speaker, connecting to
//! providers, and taking the screenshot of a question that is always sent with one.

use std::sync::Arc;
use std::time::Duration;

use aura_providers::Service;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::request::Speech;
use super::turn::Turn;
use crate::error::{Error, Result};
use crate::ports::{Output, Screenshot, Speaker};

/// The start tone is left out if the speaker opens later than this after the recording began: the user would not connect it
/// with the press.
const LATEST_TONE: Duration = Duration::from_millis(800);

/// Work that was started at press. Dropping it aborts what is not done yet.
pub(super) struct Prepared {
    output: Option<OpeningOutput>,
    screenshot: Mutex<Option<AbortOnDropHandle<Result<Screenshot>>>>,
    _background: Vec<AbortOnDropHandle<()>>,
}

/// An open output, and whether the default one replaced the chosen one.
type Opened = (Arc<dyn Output>, bool);

/// A speaker output that is being opened.
#[derive(Clone)]
pub(super) struct OpeningOutput {
    speaker: Arc<dyn Speaker>,
    device: Option<String>,
    cell: Arc<OnceCell<Result<Opened>>>,
}

impl OpeningOutput {
    /// Waits until the output is open. Returns whether the default one replaced the chosen one.
    ///
    /// # Errors
    /// When the speaker cannot be opened.
    pub(super) async fn output(&self) -> Result<Opened> {
        self.cell.get_or_init(|| self.speaker.open_or_default(self.device.as_deref())).await.clone()
    }
}

impl Prepared {
    /// Plays the start tone as soon as the speaker is open, without waiting for it. The tone is left out once the key is
    /// released: from then on the speaker belongs to the answer.
    pub(super) fn play_start_tone(&self, released: CancellationToken) {
        let Some(opening) = self.output.clone() else { return };
        tokio::spawn(async move {
            let opened = tokio::select! {
                biased;
                () = released.cancelled() => return,
                opened = timeout(LATEST_TONE, opening.output()) => opened,
            };
            let Ok(Ok((output, _))) = opened else { return };
            output.begin();
            // Short and quiet, so that the microphone does not record the tone as speech: 50 ms, faded, at -24 dB.
            let _ = output.write(&tone(output.rate())).await;
        });
    }

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

/// The start tone: 50 ms of 880 Hz, faded in and out.
fn tone(rate: u32) -> Vec<f32> {
    let length = rate / 20;
    (0..length)
        .map(|i| {
            let progress = i as f32 / length as f32;
            let envelope = (std::f32::consts::PI * progress).sin();
            (i as f32 / rate as f32 * 880.0 * std::f32::consts::TAU).sin() * envelope * 0.06
        })
        .collect()
}

impl Turn {
    /// Whether the answer of this turn is spoken and played.
    pub(super) fn speech(&self) -> Speech {
        match self.request.speech {
            // Muting applies to the speaker of this computer, not to the caller of a detached turn.
            Speech::Aloud if self.config.settings.speaking.muted && !self.is_detached() => Speech::None,
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
        let output = (self.speech() == Speech::Aloud).then(|| OpeningOutput {
            speaker: ports.speaker.clone(),
            device: self.config.settings.speaking.speaker.clone(),
            cell: Arc::default(),
        });
        if let Some(opening) = output.clone() {
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
            let (router, overrides) = (self.context.router.clone(), self.request.overrides.clone());
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
