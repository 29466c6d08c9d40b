//! Single calls without a turn, for hosts that pass requests of their own callers to the providers.

use std::time::Duration;

use aura_audio::{Pcm, SPEECH_RATE, speech_wav};
use aura_providers::TranscriptionRequest;
use aura_router::{Observer, Route, RoutePlan, Sink};
use bytes::Bytes;

use crate::assistant::Assistant;
use crate::error::{Error, Result};
use crate::turn::{decode_to_speech_rate, holds_words, speech_duration, split_to};

impl Assistant {
    /// Makes a transcription request from an audio file (WAV, MP3, Ogg Vorbis or FLAC), with the user's vocabulary. The flag is true when
    /// the recording holds so much speech that an empty transcript is a failure of the route rather than a result.
    ///
    /// # Errors
    /// When the file cannot be decoded, or is longer than [`aura_audio::MAX_DURATION`].
    pub async fn transcription_request(&self, file: Bytes) -> Result<(TranscriptionRequest, bool)> {
        let samples = decode_to_speech_rate(file).await?;
        let vocabulary = self.config().settings.listening.vocabulary.clone();
        let build = move || {
            let duration = Duration::from_secs_f64(samples.len() as f64 / f64::from(SPEECH_RATE));
            let has_words = holds_words(speech_duration(&samples));
            let wav = speech_wav(&samples);
            (TranscriptionRequest { wav, duration, vocabulary, ..TranscriptionRequest::default() }, has_words)
        };
        tokio::task::spawn_blocking(build).await.map_err(Error::internal)
    }

    /// Speaks a text of any length, in parts that every route of the plan accepts. Returns the route of the last part.
    ///
    /// # Errors
    /// When every route failed, or the text contains nothing that can be spoken.
    pub async fn speak(
        &self,
        plan: &RoutePlan,
        text: &str,
        observer: &dyn Observer,
        sink: &mut impl Sink<Pcm>,
    ) -> Result<Route> {
        let (mut plan, mut route) = (plan.clone(), None);
        for part in split_to(text, plan.max_speech_chars()) {
            let spoken = self.router().speak(&plan, &part, observer, sink).await?;
            plan.pin(&spoken.route);
            route = Some(spoken.route);
        }
        route.ok_or_else(|| Error::invalid("The text contains nothing that can be spoken."))
    }
}
