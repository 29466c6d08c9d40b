//! The voices that the person chose for languages.

use std::collections::BTreeMap;

use aura_router::RouteOverrides;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most languages with a voice of their own.
const MAX_LANGUAGES: usize = 100;

/// The voice for answers in a language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct LanguageVoice {
    /// ID of the provider that speaks.
    pub provider: String,
    /// Its model; absent: that of the settings, else the catalog's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub model: Option<String>,
    /// The voice; absent: one of the model that speaks the language.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub voice: Option<String>,
}

impl LanguageVoice {
    /// Adds the voice to the overrides of a turn, unless that names a voice or a provider for `tts`. `fallback`: whether other providers may
    /// speak when this one fails.
    pub(crate) fn apply(&self, overrides: &mut RouteOverrides, fallback: bool) {
        if overrides.voice.is_some() || overrides.tts.is_some() {
            return;
        }
        let model = self.model.as_ref().map(|model| format!("/{model}")).unwrap_or_default();
        overrides.tts = Some(format!("{}{model}", self.provider));
        overrides.voice.clone_from(&self.voice);
        overrides.fallback |= fallback;
    }
}

/// Checks the voices of the settings.
///
/// # Errors
/// When there are too many, a language is no ISO 639-1 code, or a voice has no provider.
pub(super) fn check(voices: &BTreeMap<String, LanguageVoice>) -> Result<()> {
    if voices.len() > MAX_LANGUAGES {
        return Err(Error::invalid(format!("At most {MAX_LANGUAGES} languages can have a voice of their own.")));
    }
    for (language, voice) in voices {
        if language.len() != 2 || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(Error::invalid(format!(
                "`{language}` is not the code of a language. Use two letters, such as `de`."
            )));
        }
        if voice.provider.is_empty() {
            return Err(Error::invalid(format!("The voice for `{language}` has no provider. Name one.")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_names_a_voice_keeps_it() {
        let chosen = LanguageVoice { provider: "gemini".into(), model: Some("m".into()), voice: Some("Kore".into()) };
        let mut overrides = RouteOverrides::default();
        chosen.apply(&mut overrides, true);
        let expected = RouteOverrides {
            tts: Some("gemini/m".into()),
            voice: Some("Kore".into()),
            fallback: true,
            ..RouteOverrides::default()
        };
        assert_eq!(overrides, expected);
        for named in [
            RouteOverrides { voice: Some("Anna".into()), ..RouteOverrides::default() },
            RouteOverrides { tts: Some("groq".into()), ..RouteOverrides::default() },
        ] {
            let mut overrides = named.clone();
            chosen.apply(&mut overrides, true);
            assert_eq!(overrides, named);
        }
    }

    #[test]
    fn a_language_is_a_code_and_a_voice_has_a_provider() {
        let with = |language: &str, provider: &str| {
            let voice = LanguageVoice { provider: provider.into(), ..LanguageVoice::default() };
            check(&BTreeMap::from([(language.to_owned(), voice)]))
        };
        with("de", "gemini").unwrap();
        for (language, provider) in [("de-DE", "gemini"), ("German", "gemini"), ("DE", "gemini"), ("de", "")] {
            with(language, provider).unwrap_err();
        }
    }
}
