//! Announcements: what AURA says about a turn itself, in one short sentence, for those who do not look at the screen.

use std::sync::Arc;
use std::time::Duration;

use aura_audio::{Pcm, RateConverter};
use aura_router::sink_fn;
use tokio::time::timeout;

use super::turn::Turn;
use super::voice::{Prosody, Voice};
use crate::error::{Error, ErrorCode, Result};
use crate::ports::Output;

/// A failure is not announced when its sound takes longer than this: its tone has told it.
const LATEST: Duration = Duration::from_secs(5);

/// The sentences in one language.
struct Sentences {
    /// ISO 639-1 code.
    language: &'static str,
    nothing_heard: &'static str,
    no_microphone: &'static str,
    microphone_lost: &'static str,
    microphone_denied: &'static str,
    no_route: &'static str,
    all_routes_failed: &'static str,
    blocked: &'static str,
    disk_full: &'static str,
    other: &'static str,
    took_over: &'static str,
}

const SENTENCES: [Sentences; 3] = [
    Sentences {
        language: "en",
        nothing_heard: "I heard nothing.",
        no_microphone: "I can't use the microphone.",
        microphone_lost: "The microphone was disconnected.",
        microphone_denied: "I am not allowed to use the microphone.",
        no_route: "No provider is set up for this.",
        all_routes_failed: "No provider answered. Your question is saved.",
        blocked: "The provider refused to answer this.",
        disk_full: "The disk is full.",
        other: "That did not work.",
        took_over: "Another provider took over.",
    },
    Sentences {
        language: "de",
        nothing_heard: "Ich habe nichts gehört.",
        no_microphone: "Ich kann das Mikrofon nicht verwenden.",
        microphone_lost: "Das Mikrofon wurde getrennt.",
        microphone_denied: "Ich darf das Mikrofon nicht verwenden.",
        no_route: "Dafür ist kein Anbieter eingerichtet.",
        all_routes_failed: "Kein Anbieter hat geantwortet. Deine Frage ist gespeichert.",
        blocked: "Der Anbieter will das nicht beantworten.",
        disk_full: "Der Datenträger ist voll.",
        other: "Das hat nicht geklappt.",
        took_over: "Ein anderer Anbieter ist eingesprungen.",
    },
    Sentences {
        language: "es",
        nothing_heard: "No he oído nada.",
        no_microphone: "No puedo usar el micrófono.",
        microphone_lost: "El micrófono se desconectó.",
        microphone_denied: "No tengo permiso para usar el micrófono.",
        no_route: "No hay ningún proveedor configurado para esto.",
        all_routes_failed: "Ningún proveedor respondió. Tu pregunta está guardada.",
        blocked: "El proveedor se negó a responder.",
        disk_full: "El disco está lleno.",
        other: "No ha funcionado.",
        took_over: "Otro proveedor tomó el relevo.",
    },
];

impl Sentences {
    /// Those of a language; English for others.
    fn of(language: &str) -> &'static Self {
        SENTENCES.iter().find(|sentences| sentences.language == language).unwrap_or(&SENTENCES[0])
    }

    fn failure(&self, code: ErrorCode) -> &'static str {
        match code {
            ErrorCode::NothingHeard => self.nothing_heard,
            ErrorCode::NoMicrophone => self.no_microphone,
            ErrorCode::MicrophoneLost => self.microphone_lost,
            ErrorCode::MicrophoneDenied => self.microphone_denied,
            ErrorCode::NoRoute => self.no_route,
            ErrorCode::AllRoutesFailed => self.all_routes_failed,
            ErrorCode::Blocked => self.blocked,
            ErrorCode::DiskFull => self.disk_full,
            _ => self.other,
        }
    }
}

/// Stops a voice when the work that it belongs to is dropped.
struct StopWhenDropped(Arc<Voice>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Turn {
    /// What is said before the answer: that another provider took over, if one did and the settings want it said.
    pub(super) fn preface(&self) -> Option<&'static str> {
        let is_wanted = self.config.settings.speaking.say.switches && !self.is_detached();
        (is_wanted && self.has_switched()).then(|| self.sentences().took_over)
    }

    /// Says that the turn failed, in the language of the question or of the windows. A sentence that cannot be spoken in time is left out.
    pub(super) async fn say_failure(&self, error: &Error) {
        // A caller that gets the sound is told by the error itself.
        if self.is_detached() || !self.config.settings.speaking.say.failures {
            return;
        }
        let Some(output) = self.output() else { return };
        let Ok((output, _)) = output.output().await else { return };
        if let Err(error) = self.say(self.sentences().failure(error.code), output).await {
            tracing::debug!(%error, "a failure could not be said");
        }
    }

    fn sentences(&self) -> &'static Sentences {
        Sentences::of(&self.own_language())
    }

    async fn say(&self, sentence: &'static str, output: Arc<dyn Output>) -> Result<()> {
        let prosody = Prosody::of(&self.config.settings.speaking);
        let (plan, _) = self.speech_plan(prosody, Some(self.sentences().language))?;
        let mut sound = Vec::new();
        let mut rate = RateConverter::new(output.rate());
        let mut sink = sink_fn(|pcm: Pcm| sound.extend(rate.push(&pcm)));
        let spoken = timeout(LATEST, self.context.router.speak(&plan, sentence, &(), &mut sink)).await;
        spoken.map_err(|_| Error::new(ErrorCode::AllRoutesFailed, "No voice answered in time."))??;
        sound.extend(rate.finish());
        // Ends the tone.
        output.drained().await?;
        output.begin();
        let voice = Arc::new(Voice::new(Some(output), prosody));
        let _stop = StopWhenDropped(voice.clone());
        voice.begin_sentence(sentence.to_owned());
        voice.write(&sound);
        voice.finish_sentences();
        self.context.last_voice.set(voice.clone());
        voice.play().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_in_a_short_sentence_of_each_language() {
        for sentences in &SENTENCES {
            for code in [ErrorCode::NothingHeard, ErrorCode::AllRoutesFailed, ErrorCode::Internal] {
                let sentence = sentences.failure(code);
                assert!(sentence.ends_with('.') && sentence.len() < 64, "{sentence}");
            }
        }
        assert_eq!(Sentences::of("fr").language, "en");
    }
}
