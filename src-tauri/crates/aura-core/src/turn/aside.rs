//! A turn aside: the same work as on the stage, for a caller that has the question already and takes the answer itself.
//!
//! It touches no microphone, speaker or screen of this computer, leaves no file behind, and as many as there are callers run at once.
//! Whoever drops it stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Attached, Question, Request, Room, Turn};
use crate::api::{Speech, Wishes};
use crate::audio::Pcm;
use crate::config::Config;
use crate::error::Result;
use crate::event::{Audience, Told};
use crate::intent::{self, Plan};
use crate::ports::{Device, Output, Speaker};
use crate::record::{Stage, TurnRecord};

/// Samples per second of the speech that a caller is given: what most voices are made at.
pub const SOUND_RATE: u32 = 24_000;

/// A question to be answered aside.
#[derive(Debug, Clone, Default)]
pub struct Aside {
    /// The question in words; empty when it is spoken.
    pub text: String,
    /// The question as a sound file: WAV, MP3, OGG or FLAC.
    pub sound: Option<Bytes>,
    /// The turns it shares memory with.
    pub session: String,
    /// A picture file that goes with it: JPEG or PNG.
    pub image: Option<Bytes>,
    /// What else the model should know of where the question was asked.
    pub context: Option<String>,
    /// Whether the answer is spoken, in pieces of [`Told::Sound`] at [`SOUND_RATE`].
    pub aloud: bool,
    /// Whether the model is asked what the person wants done on the computer.
    pub plans: bool,
    /// The routes.
    pub wishes: Wishes,
}

/// What a turn aside came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// All of it; its error says why it failed.
    pub record: TurnRecord,
    /// What the person wants done, when that was asked and there is something.
    pub plan: Option<Plan>,
}

/// Runs it to its end, telling the caller on the way.
pub(crate) async fn take(room: Room, aside: Aside, caller: mpsc::UnboundedSender<Told>) -> Outcome {
    let Aside { text, sound, session, image, context, aloud, plans, wishes } = aside;
    let config: Arc<Config> = room.store.get();
    let mut ports = room.ports;
    ports.speaker = Arc::new(Caller { decoder: ports.speaker, output: Arc::new(Wire::new(caller.clone())) });
    let room = Room { ports, events: Audience::One(caller), recordings: None, ..room };
    let request = Request {
        question: sound.map_or(Question::Text(text), Question::Sound),
        session,
        screen: Some(false),
        image: image.map(Attached::Bytes),
        context,
        plans,
        speech: if aloud { Speech::Aloud } else { Speech::None },
        wishes,
    };
    let (show, _) = watch::channel(Stage::Idle);
    let turn = Turn::new(room, config, request, Arc::new(show), CancellationToken::new());
    let record = turn.run().await;
    Outcome { record, plan: intent::plan(&turn.wanted()) }
}

/// The caller in the place of the loudspeaker; sound files are decoded by the real one.
struct Caller {
    decoder: Arc<dyn Speaker>,
    output: Arc<Wire>,
}

#[async_trait]
impl Speaker for Caller {
    async fn open(&self, _: Option<&str>) -> Result<Arc<dyn Output>> {
        Ok(self.output.clone())
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }

    fn decode(&self, file: Bytes) -> Result<Pcm> {
        self.decoder.decode(file)
    }
}

/// Sound on its way to the caller: what was handed over counts as heard.
struct Wire {
    caller: mpsc::UnboundedSender<Told>,
    given: AtomicU64,
}

impl Wire {
    fn new(caller: mpsc::UnboundedSender<Told>) -> Self {
        Self { caller, given: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Output for Wire {
    fn rate(&self) -> u32 {
        SOUND_RATE
    }

    fn begin(&self) {
        self.given.store(0, Ordering::Release);
    }

    async fn write(&self, samples: &[f32]) -> Result<()> {
        if !samples.is_empty() {
            // A caller that went away drops the turn with it.
            let _ = self.caller.send(Told::Sound(Pcm { rate: SOUND_RATE, samples: samples.to_vec() }));
            self.given.fetch_add(samples.len() as u64, Ordering::AcqRel);
        }
        Ok(())
    }

    fn played(&self) -> u64 {
        self.given.load(Ordering::Acquire)
    }

    async fn drained(&self) -> Result<()> {
        Ok(())
    }

    fn stop(&self) {}
}
