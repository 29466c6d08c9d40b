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
    pub(super) mute: String,
    pub(super) screen: String,
    pub(super) show: String,
    pub(super) quit: String,
}

impl Labels {
    /// The texts in this language; [`Language::System`] is the operating system's.
    pub(super) fn of(language: Language) -> &'static Self {
        let german = match language {
            Language::System => sys_locale::get_locale().is_some_and(|locale| locale.starts_with("de")),
            Language::En => false,
            Language::De => true,
        };
        if german { &TRANSLATIONS.de } else { &TRANSLATIONS.en }
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
    fn every_text_exists_in_both_languages() {
        let translations: Translations =
            serde_json::from_str(include_str!("../../../ui/src/messages/tray.json")).unwrap();
        for labels in [&translations.en, &translations.de] {
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
