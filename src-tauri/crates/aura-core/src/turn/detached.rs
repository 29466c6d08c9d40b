//! Detached turns: for a caller that brings the question and receives the answer.
//!
//! A detached turn uses no microphone, speaker or screen of this computer, saves no file, and does not show on the stage. Any
//! number of them may run at once. Dropping the future of a detached turn stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use aura_audio::Pcm;
use aura_router::RouteOverrides;
use bytes::Bytes;
use tokio::sync::watch;

use super::request::{Attachment, Question, Speech, TurnContext, TurnRequest};
use super::turn::Turn;
use crate::config::Config;
use crate::error::Result;
use crate::event::{EventSink, TurnUpdate, TurnUpdates};
use crate::intent::{self, ActionPlan};
use crate::ports::{Device, Output, Speaker};
use crate::record::{Stage, TurnRecord};

/// Sample rate of the speech that a caller receives, in Hz: the rate of most voices.
pub const ANSWER_RATE: u32 = 24_000;

/// A question for a detached turn.
#[derive(Debug, Clone, Default)]
pub struct DetachedTurn {
    /// The question as text; ignored when [`DetachedTurn::sound`] is set.
    pub text: String,
    /// The question as an audio file: WAV, MP3, Ogg Vorbis or FLAC, at most 13 minutes long.
    pub sound: Option<Bytes>,
    /// ID of the session. Turns of one session share memory.
    pub session: String,
    /// A picture to send with the question: a JPEG or PNG file.
    pub image: Option<Bytes>,
    /// Where the question was asked, for the model: for example the window in front.
    pub context: Option<String>,
    /// Whether the answer is spoken: sent as [`TurnUpdate::Sound`] at [`ANSWER_RATE`].
    pub aloud: bool,
    /// Whether the model may answer with an [`ActionPlan`].
    pub plans: bool,
    /// Routes for this turn that differ from the default ones.
    pub overrides: RouteOverrides,
}

/// The result of a detached turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnOutcome {
    /// The record of the turn. A failed turn has its error here.
    pub record: TurnRecord,
    /// The action plan; `None` when [`DetachedTurn::plans`] was not set, or the model made no plan.
    pub plan: Option<ActionPlan>,
}

/// Runs a detached turn to its end and sends its updates.
pub(crate) async fn run(context: TurnContext, question: DetachedTurn, updates: TurnUpdates) -> TurnOutcome {
    let DetachedTurn { text, sound, session, image, context: asked_in, aloud, plans, overrides } = question;
    let config: Arc<Config> = context.store.get();
    let mut ports = context.ports;
    ports.speaker = Arc::new(CallerSpeaker(Arc::new(CallerOutput::new(updates.clone()))));
    let context = TurnContext { ports, events: EventSink::One(updates), recordings: None, ..context };
    let request = TurnRequest {
        screen: Some(false),
        image: image.map(Attachment::Bytes),
        context: asked_in,
        plans,
        speech: if aloud { Speech::Aloud } else { Speech::None },
        overrides,
        ..TurnRequest::new(sound.map_or(Question::Text(text), Question::Audio), session)
    };
    let (stage, _) = watch::channel(Stage::Idle);
    let running = context.running.clone();
    let cancel = context.closing.child_token();
    let turn = Turn::new(context, config, request, Arc::new(stage), cancel);
    let record = running.track_future(turn.run()).await;
    TurnOutcome { record, plan: intent::plan(&turn.take_tool_calls()) }
}

/// A speaker that sends the answer's sound to the caller.
struct CallerSpeaker(Arc<CallerOutput>);

#[async_trait]
impl Speaker for CallerSpeaker {
    async fn open(&self, _: Option<&str>) -> Result<Arc<dyn Output>> {
        Ok(self.0.clone())
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }
}

/// An output that sends sound to the caller. Sound that was sent counts as played.
struct CallerOutput {
    updates: TurnUpdates,
    /// Samples sent.
    sent: AtomicU64,
    progress: watch::Sender<()>,
}

impl CallerOutput {
    fn new(updates: TurnUpdates) -> Self {
        Self { updates, sent: AtomicU64::new(0), progress: watch::Sender::default() }
    }
}

#[async_trait]
impl Output for CallerOutput {
    fn rate(&self) -> u32 {
        ANSWER_RATE
    }

    fn begin(&self) {
        self.sent.store(0, Ordering::Release);
    }

    async fn write(&self, samples: &[f32]) -> Result<()> {
        if !samples.is_empty() {
            let sound = TurnUpdate::Sound(Pcm { rate: ANSWER_RATE, samples: samples.to_vec() });
            self.updates.send_content(sound).await;
            self.sent.fetch_add(samples.len() as u64, Ordering::AcqRel);
            self.progress.send_replace(());
        }
        Ok(())
    }

    fn played(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    async fn reached(&self, position: u64) {
        let mut progress = self.progress.subscribe();
        while self.played() < position && progress.changed().await.is_ok() {}
    }

    async fn drained(&self) -> Result<()> {
        Ok(())
    }

    fn stop(&self) {}
}
