//! The tray's sentences, which lie with those of the interface.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aura_core::config::Language;
use aura_core::providers::Service;
use aura_core::record::Stage;
use serde::Deserialize;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    // Part of the program; a test reads it.
    serde_json::from_str(include_str!("../../../ui/src/messages/tray.json")).unwrap_or_default()
});

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    en: Words,
    de: Words,
}

/// The sentences in one language.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    stages: BTreeMap<String, String>,
    services: BTreeMap<String, String>,
    /// Who does what nobody can do.
    pub(super) nobody: String,
    pub(super) mute: String,
    pub(super) screen: String,
    pub(super) show: String,
    pub(super) quit: String,
}

impl Words {
    /// In the person's language.
    pub(super) fn of(language: Language) -> &'static Self {
        let german = match language {
            Language::System => sys_locale::get_locale().is_some_and(|locale| locale.starts_with("de")),
            Language::En => false,
            Language::De => true,
        };
        if german { &CATALOGUE.de } else { &CATALOGUE.en }
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
    fn both_languages_say_everything() {
        let catalogue: Catalogue = serde_json::from_str(include_str!("../../../ui/src/messages/tray.json")).unwrap();
        for words in [&catalogue.en, &catalogue.de] {
            for stage in
                [Stage::Idle, Stage::Listening, Stage::Transcribing, Stage::Looking, Stage::Thinking, Stage::Speaking]
            {
                assert!(words.stage(stage) != "AURA", "{stage:?}");
            }
            for service in Service::ALL {
                assert!(!words.service(service).is_empty(), "{service:?}");
            }
            assert_eq!(words.stages.len() + words.services.len(), 10);
        }
    }
}
