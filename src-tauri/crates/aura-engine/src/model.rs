//! A loaded model, whatever its family.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aura_local::protocol::{Event, FailedKind, Finish, LoadFailedKind, Message, Sampling, Segment};
use ort::session::RunOptions;

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failed {
    pub(crate) kind: FailedKind,
    pub(crate) message: String,
}

impl Failed {
    pub(crate) fn new(kind: FailedKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// A model that could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct LoadFailed {
    pub(crate) kind: LoadFailedKind,
    pub(crate) message: String,
}

impl LoadFailed {
    pub(crate) fn new(kind: LoadFailedKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// A recording to transcribe: see [`aura_local::protocol::Request::Transcribe`].
pub(crate) struct Recording {
    /// Mono samples at 16 kHz, from -1 to 1.
    pub(crate) samples: Vec<f32>,
    pub(crate) language: Option<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) translate: bool,
    pub(crate) words: bool,
}

/// A transcript.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    pub(crate) text: String,
    pub(crate) language: Option<String>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) words: Vec<Segment>,
}

/// A conversation to answer.
pub(crate) struct Conversation {
    pub(crate) messages: Vec<Message>,
    pub(crate) images: Vec<Vec<u8>>,
    pub(crate) sampling: Sampling,
}

/// How an answer ended.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) finish: Finish,
    pub(crate) prompt_tokens: u32,
    pub(crate) completion_tokens: u32,
}

/// A text to speak.
pub(crate) struct Utterance {
    pub(crate) text: String,
    pub(crate) voice: String,
    pub(crate) language: Option<String>,
    pub(crate) speed: f32,
}

/// Whether the caller has stopped the request. Models check it at least every 50 ms of work, where their library lets them.
#[derive(Default)]
pub(crate) struct Stop {
    stopped: AtomicBool,
    /// What ends a run of ONNX Runtime in the middle, once there is one.
    run: OnceLock<RunOptions>,
}

impl Stop {
    pub(crate) fn set(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(run) = self.run.get() {
            // A run that cannot be ended runs to its end.
            let _ = run.terminate();
        }
    }

    /// The options for a run of ONNX Runtime that ends when the caller stops the request.
    pub(crate) fn run_options(&self) -> Result<&RunOptions, Failed> {
        if self.run.get().is_none() {
            let options = RunOptions::new().map_err(|error| Failed::new(FailedKind::Engine, error.to_string()))?;
            // Another thread's are as good.
            let _ = self.run.set(options);
        }
        self.check()?;
        self.run.get().ok_or_else(|| Failed::new(FailedKind::Engine, "ONNX Runtime has no options for a run."))
    }

    /// # Errors
    /// With [`FailedKind::Cancelled`] once the caller has stopped the request.
    pub(crate) fn check(&self) -> Result<(), Failed> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(Failed::new(FailedKind::Cancelled, "The request was cancelled."));
        }
        Ok(())
    }
}

/// Takes a piece of speech: its sample rate in hertz, and samples from -1 to 1.
pub(crate) type TakeAudio<'a> = dyn FnMut(u32, &[f32]) -> Result<(), Failed> + 'a;

/// Takes a piece of an answer: whole characters.
pub(crate) type TakeText<'a> = dyn FnMut(&str) -> Result<(), Failed> + 'a;

/// A loaded model. A method that the model cannot serve keeps its default.
pub(crate) trait Model {
    /// Describes the model: an [`Event::Ready`].
    fn ready(&self) -> Event;

    fn transcribe(&mut self, _recording: &Recording, _stop: &Stop) -> Result<Transcript, Failed> {
        Err(Failed::new(FailedKind::Unsupported, "This model does not transcribe."))
    }

    /// Passes each piece of the answer to `text`.
    fn generate(
        &mut self,
        _conversation: &Conversation,
        _stop: &Stop,
        _text: &mut TakeText<'_>,
    ) -> Result<Answered, Failed> {
        Err(Failed::new(FailedKind::Unsupported, "This model does not answer questions."))
    }

    /// Passes each piece of speech to `audio`.
    fn speak(&mut self, _utterance: &Utterance, _stop: &Stop, _audio: &mut TakeAudio<'_>) -> Result<(), Failed> {
        Err(Failed::new(FailedKind::Unsupported, "This model does not speak."))
    }
}
