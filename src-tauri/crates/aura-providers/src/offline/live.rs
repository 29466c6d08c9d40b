//! Live transcription by an installed model: what was recorded so far is transcribed again and again.
//!
//! A word is committed once two transcriptions in a row agree on it and on all words before it (LocalAgreement, Macháček et al. 2023,
//! "Turning Whisper into Real-Time Transcription System"). In a pause everything is transcribed at once, so that a recording that ends there
//! has its transcript already.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use aura_audio::{SPEECH_RATE, VoiceActivity};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Offline;
use super::choice::installed_model;
use crate::types::{
    Failure, PartialTranscript, Service, SessionAudio, SpeechToText, StreamingRequest, StreamingSpeechToText,
    Transcript, TranscriptionRequest, TranscriptionSession,
};
use crate::wire::transcription::{language_code, plain};

/// The least new sound of a transcription while somebody speaks, in samples: 0.7 s.
const STEP: usize = SPEECH_RATE as usize * 7 / 10;
/// The pause after which everything is transcribed, in samples: 64 ms after the detector finds no more speech.
const PAUSE: usize = SPEECH_RATE as usize * 64 / 1_000;
/// How much longer than a transcription the time before the next one is: a quarter of a processor core is used at most while somebody speaks.
const REST_FACTOR: u32 = 3;
/// A model that takes longer than this transcribes in pauses alone. Otherwise the transcript would come later than without it.
const MAX_WHILE_SPEAKING: Duration = Duration::from_millis(400);

/// The `offline` provider's live transcription.
pub(super) struct LiveOffline(pub(super) Arc<Offline>);

impl StreamingSpeechToText for LiveOffline {
    /// The model itself, where one is installed. Programs are too slow.
    fn streaming_model(&self, model: &str) -> Option<String> {
        installed_model(&*self.0.local, model, Service::Stt, None).map(|_| model.to_owned())
    }

    fn runs_locally(&self) -> bool {
        true
    }

    fn stream(&self, request: StreamingRequest) -> TranscriptionSession {
        let offline = self.0.clone();
        TranscriptionSession::live(move |audio, partial| LiveSpeech::new(offline, request, partial).run(audio))
    }
}

/// Speech that is being transcribed.
struct LiveSpeech {
    offline: Arc<Offline>,
    request: StreamingRequest,
    /// The installed model; `None` when none knows the language.
    model: Option<String>,
    partial: watch::Sender<PartialTranscript>,
    samples: Vec<i16>,
    activity: VoiceActivity,
    /// What was transcribed last, and how many samples of it.
    last: Option<(Transcript, usize)>,
    /// How long that took, and when it ended.
    took: Duration,
    ended: Instant,
    /// A transcription failed: only the whole recording is transcribed.
    has_failed: bool,
}

/// A transcription that runs.
struct Pass {
    work: BoxFuture<'static, Result<Transcript, Failure>>,
    /// The samples that it gets.
    samples: usize,
    began: Instant,
}

impl LiveSpeech {
    fn new(offline: Arc<Offline>, request: StreamingRequest, partial: watch::Sender<PartialTranscript>) -> Self {
        let language = language_code(request.language.as_deref());
        let model = offline.choose(&request.model, Service::Stt, language.as_deref()).map(|model| model.id);
        Self {
            offline,
            request,
            model,
            partial,
            samples: Vec::new(),
            activity: VoiceActivity::default(),
            last: None,
            took: Duration::ZERO,
            ended: Instant::now(),
            has_failed: false,
        }
    }

    async fn run(mut self, mut audio: SessionAudio) -> Result<Transcript, Failure> {
        let mut pass: Option<Pass> = None;
        loop {
            let working = async {
                match &mut pass {
                    Some(pass) => (&mut pass.work).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                result = working => {
                    if let Some(pass) = pass.take() {
                        self.add(result, &pass);
                    }
                }
                samples = audio.next() => match samples {
                    Some(samples) => {
                        self.samples.extend_from_slice(&samples);
                        self.activity.push(&samples);
                    }
                    None => break,
                },
            }
            self.begin(&mut pass);
        }
        self.finish(pass).await
    }

    /// Begins a transcription if it is time. In a pause, it takes the place of one that knows less.
    fn begin(&self, pass: &mut Option<Pass>) {
        let known = pass.as_ref().map(|pass| pass.samples).or(self.last.as_ref().map(|(_, samples)| *samples));
        let known = known.unwrap_or(0);
        let spoken = self.activity.speech().map_or(0, |speech| speech.end);
        let pauses = spoken > known && self.samples.len() >= spoken + PAUSE;
        let goes_on = pass.is_none()
            && self.samples.len() >= known + STEP
            && self.activity.run() > Duration::ZERO
            && self.took <= MAX_WHILE_SPEAKING
            && self.ended.elapsed() >= self.took * REST_FACTOR;
        let Some(model) = self.model.clone().filter(|_| !self.has_failed && (pauses || goes_on)) else { return };
        let (offline, request) = (self.offline.clone(), self.whole());
        let work = async move { offline.transcribe_by(model, &request).await };
        *pass = Some(Pass { work: work.boxed(), samples: self.samples.len(), began: Instant::now() });
    }

    /// The request for all that was recorded.
    fn whole(&self) -> TranscriptionRequest {
        TranscriptionRequest {
            language: self.request.language.clone(),
            vocabulary: self.request.vocabulary.clone(),
            ..TranscriptionRequest::new(self.request.model.clone(), &self.samples)
        }
    }

    /// Takes the result of a transcription, and shows its words.
    fn add(&mut self, result: Result<Transcript, Failure>, pass: &Pass) {
        (self.took, self.ended) = (pass.began.elapsed(), Instant::now());
        match result {
            Ok(transcript) => {
                let before = self.last.as_ref().map_or("", |(before, _)| &before.text);
                let agreed = agreed_words(before, &transcript.text);
                self.partial.send_if_modified(|shown| {
                    let known = shown.committed.split_whitespace().count();
                    // What was committed stays, even if this transcription disagrees.
                    let committed = match agreed > known {
                        true => transcript.text[..word_end(&transcript.text, agreed)].to_owned(),
                        false => shown.committed.clone(),
                    };
                    let tentative = transcript.text[word_end(&transcript.text, agreed.max(known))..].to_owned();
                    let so_far = PartialTranscript { committed, tentative };
                    let changed = *shown != so_far;
                    *shown = so_far;
                    changed
                });
                self.last = Some((transcript, pass.samples));
            }
            Err(failure) => {
                tracing::debug!(message = failure.message, "no words while somebody speaks");
                self.has_failed = true;
            }
        }
    }

    /// The transcript of the whole recording: the one that knows all that was spoken, or else a new one.
    async fn finish(mut self, pass: Option<Pass>) -> Result<Transcript, Failure> {
        let spoken = self.activity.speech().map_or(self.samples.len(), |speech| speech.end);
        // One that knows less is dropped, which stops it.
        if let Some(mut pass) = pass.filter(|pass| pass.samples >= spoken) {
            let result = (&mut pass.work).await;
            self.add(result, &pass);
        }
        match self.last.take() {
            Some((transcript, samples)) if samples >= spoken => Ok(transcript),
            _ => self.offline.transcribe(&self.whole()).await,
        }
    }
}

/// With how many words both texts begin.
fn agreed_words(before: &str, now: &str) -> usize {
    let both = before.split_whitespace().zip(now.split_whitespace());
    both.take_while(|(before, now)| plain(before) == plain(now)).count()
}

/// Where this many words end, in bytes.
fn word_end(text: &str, words: usize) -> usize {
    let mut end = 0;
    for word in text.split_whitespace().take(words) {
        end += text[end..].find(word).unwrap_or_default() + word.len();
    }
    end
}
