//! From the question to the spoken answer: thinking and speaking run together, a sentence apart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::trace::Turn;
use crate::api::Speech;
use crate::error::{Error, Result};
use crate::ports::{Output, Screenshot, Speaker};
use crate::providers::Service;

/// A chime that comes later than this after the first sound of the recording would be taken for something else.
const CHIME_LATEST: Duration = Duration::from_millis(800);

/// What was begun at press, so that it is there at release: the speaker is awake, the screen is captured, connections are open.
pub(super) struct Prepared {
    output: Option<Opening>,
    shot: Mutex<Option<AbortOnDropHandle<Result<Screenshot>>>>,
    _background: Vec<AbortOnDropHandle<()>>,
}

/// An output that is being opened.
#[derive(Clone)]
pub(super) struct Opening {
    speaker: Arc<dyn Speaker>,
    device: Option<String>,
    cell: Arc<OnceCell<Result<Arc<dyn Output>>>>,
}

impl Opening {
    /// The output, when it is open.
    pub(super) async fn output(&self) -> Result<Arc<dyn Output>> {
        self.cell.get_or_init(|| self.speaker.open(self.device.as_deref())).await.clone()
    }
}

impl Prepared {
    /// Tells the ear that the recording runs, as soon as the speaker is open. Nothing waits for it, and it comes only while the key is
    /// held: after that the speaker is the answer's.
    pub(super) fn chime(&self, released: CancellationToken) {
        let Some(opening) = self.output.clone() else { return };
        tokio::spawn(async move {
            let opened = tokio::select! {
                biased;
                () = released.cancelled() => return,
                opened = timeout(CHIME_LATEST, opening.output()) => opened,
            };
            let Ok(Ok(output)) = opened else { return };
            output.begin();
            // A microphone must not hear its own chime as speech: 50 ms, faded, at -24 dB.
            let _ = output.write(&tone(output.rate())).await;
        });
    }

    /// The picture that was taken at press.
    pub(super) async fn screenshot(&self) -> Result<Screenshot> {
        match self.shot.lock().await.take() {
            Some(task) => task.await.map_err(Error::internal)?,
            None => Err(Error::internal("no picture was taken at press")),
        }
    }

    pub(super) fn opening(&self) -> Option<Opening> {
        self.output.clone()
    }
}

fn tone(rate: u32) -> Vec<f32> {
    let length = rate / 20;
    (0..length)
        .map(|i| {
            let place = i as f32 / length as f32;
            let envelope = (std::f32::consts::PI * place).sin();
            (i as f32 / rate as f32 * 880.0 * std::f32::consts::TAU).sin() * envelope * 0.06
        })
        .collect()
}

impl Turn {
    /// Whether the answer is spoken, and where to.
    pub(super) fn speech(&self) -> Speech {
        match self.request.speech {
            // Muting is for the loudspeaker; whoever takes a turn aside asked for the sound.
            Speech::Aloud if self.config.settings.speaking.muted && self.room.recordings.is_some() => Speech::None,
            speech => speech,
        }
    }

    /// Begins everything that can be begun before the question is known.
    pub(super) fn prepare(&self) -> Prepared {
        let ports = &self.room.ports;
        let mut background = Vec::new();
        let output = (self.speech() == Speech::Aloud).then(|| Opening {
            speaker: ports.speaker.clone(),
            device: self.config.settings.speaking.speaker.clone(),
            cell: Arc::default(),
        });
        if let Some(opening) = output.clone() {
            background.push(spawn(async move { drop(opening.output().await) }));
        }
        let look = self.may_look();
        let shot = look.then(|| {
            let (screen, target) = (ports.screen.clone(), self.config.settings.screen.target.clone());
            AbortOnDropHandle::new(tokio::spawn(async move { screen.capture(&target).await }))
        });
        // A turn aside has its question already: the first call opens the connection as soon.
        if self.room.recordings.is_some() {
            let (router, wishes) = (self.room.router.clone(), self.request.wishes.clone());
            background.push(spawn(async move {
                let services = [Service::Stt, Service::Llm, Service::Tts];
                let with_eyes = [Service::Stt, Service::Llm, Service::Vlm, Service::Tts];
                router.warm(if look { &with_eyes } else { &services }, &wishes).await;
            }));
        }
        Prepared { output, shot: Mutex::new(shot), _background: background }
    }

    /// Thinks and speaks. The answer is an error only when it could not be written: one that could not be spoken is still there to read.
    pub(super) async fn answer(&self, prepared: Prepared, question: &str, picture: Option<Bytes>) -> Result<()> {
        let (sentences, to_speak) = mpsc::unbounded_channel();
        let (thought, spoken) =
            tokio::join!(self.think(question, picture, sentences), self.speak(prepared.opening(), to_speak));
        if let Err(error) = spoken {
            self.tell_error("not_spoken", &error);
        }
        thought
    }
}

fn spawn(work: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(work))
}
