//! One service for itself, without a turn: for doors that pass a caller's own requests through to the providers.

use std::time::Duration;

use bytes::Bytes;

use crate::Assistant;
use crate::audio::{Pcm, SPEECH_RATE, speech_wav};
use crate::error::{Error, Result};
use crate::providers::SttRequest;
use crate::record::Route;
use crate::router::{Observer, Plan};
use crate::turn::{split_to, unpacked, voiced};

/// More speech than this makes an empty transcript a failure: shorter sounds may well hold no words.
const SURELY_WORDS: Duration = Duration::from_secs(1);

impl Plan {
    /// The same plan with another one's routes after its own, for a model that several providers serve.
    #[must_use]
    pub fn then(mut self, other: Plan) -> Self {
        self.candidates.extend(other.candidates);
        self.notices.extend(other.notices);
        self
    }
}

impl Assistant {
    /// A sound file as it is sent to be transcribed, and whether it surely holds words. WAV, MP3, OGG Vorbis and FLAC are read.
    pub async fn recording(&self, file: Bytes) -> Result<(SttRequest, bool)> {
        let samples = unpacked(self.ports().speaker.clone(), file).await?;
        let read = move || {
            let duration = Duration::from_secs_f64(samples.len() as f64 / f64::from(SPEECH_RATE));
            let surely = voiced(&samples) >= SURELY_WORDS;
            (SttRequest { wav: speech_wav(&samples), duration, ..SttRequest::default() }, surely)
        };
        tokio::task::spawn_blocking(read).await.map_err(Error::internal)
    }

    /// Says a text of any length, in parts as long as every route of the plan takes. Gives the route of the last part.
    pub async fn say(
        &self,
        plan: &Plan,
        text: &str,
        observer: &dyn Observer,
        on_sound: &mut (dyn FnMut(Pcm) + Send),
    ) -> Result<Route> {
        let speaks = plan.candidates.iter();
        let most = speaks.filter_map(|of| Some(of.services.tts.as_ref()?.max_chars(&of.route.model))).min();
        let (mut plan, mut route) = (plan.clone(), None);
        for part in split_to(text, most.unwrap_or(usize::MAX).max(1)) {
            let spoken = self.router().speak(&plan, &part, &self.ports().speaker, observer, on_sound).await?;
            plan.stay_with(&spoken.route);
            route = Some(spoken.route);
        }
        route.ok_or_else(|| Error::invalid("The text holds nothing that can be said."))
    }
}
