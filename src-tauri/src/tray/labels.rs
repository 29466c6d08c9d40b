//! The tray's texts, kept with those of the interface.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aura_core::config::Language;
use aura_core::record::Stage;
use aura_providers::Service;
use serde::Deserialize;

static TRANSLATIONS: LazyLock<Translations> = LazyLock::new(|| {
    // Embedded in the program; a test parses it.
    serde_json::from_str(include_str!("../../../ui/src/messages/tray.json")).unwrap_or_default()
});

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Translations {
    en: Labels,
    de: Labels,
    es: Labels,
}

/// The texts in one language.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labels {
    stages: BTreeMap<String, String>,
    services: BTreeMap<String, String>,
    /// Shown for a service that no provider offers.
    #[serde(rename = "nobody")]
    pub(super) not_set_up: String,
    pub(super) new_conversation: String,
    pub(super) earlier_conversations: String,
    pub(super) persona: String,
    /// Shown when no persona is chosen.
    pub(super) no_persona: String,
    pub(super) mute: String,
    pub(super) screen: String,
    pub(super) show: String,
    pub(super) quit: String,
}

impl Labels {
    /// The texts in this language; [`Language::System`] is the operating system's.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::System => match sys_locale::get_locale().as_deref().and_then(|locale| locale.get(..2)) {
                Some("de") => &TRANSLATIONS.de,
                Some("es") => &TRANSLATIONS.es,
                _ => &TRANSLATIONS.en,
            },
            Language::En => &TRANSLATIONS.en,
            Language::De => &TRANSLATIONS.de,
            Language::Es => &TRANSLATIONS.es,
        }
    }

    pub(super) fn stage(&self, stage: Stage) -> &str {
        self.stages.get(stage.as_str()).map_or("AURA", String::as_str)
    }

    pub(super) fn service(&self, service: Service) -> &str {
        self.services.get(service.as_str()).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_exists_in_every_language() {
        let translations: Translations =
            serde_json::from_str(include_str!("../../../ui/src/messages/tray.json")).unwrap();
        for labels in [&translations.en, &translations.de, &translations.es] {
            for stage in
                [Stage::Idle, Stage::Listening, Stage::Transcribing, Stage::Looking, Stage::Thinking, Stage::Speaking]
            {
                assert!(labels.stage(stage) != "AURA", "{stage:?}");
            }
            for service in Service::ALL {
                assert!(!labels.service(service).is_empty(), "{service:?}");
            }
            assert_eq!(labels.stages.len() + labels.services.len(), 10);
        }
    }
}
