//! Model data: services, limits, prices, voices, shutdown dates and replacements.
//!
//! The data has a date and is in `data.json`; no model name is in code. A provider's live model list takes precedence over it.
//! Models of OpenAI-compatible servers are listed under the id of the server's preset.

mod data;
mod price;

use std::sync::{Arc, LazyLock};

use jiff::civil::Date;
use serde_json::{Map, Value};

pub use data::{Model, ModelLimits, ModelNote, Voice};
pub use price::{Price, Unit};

use crate::types::Service;
use data::{CatalogFile, ModelFamily, ProviderEntry};

/// The embedded catalog, parsed once.
static EMBEDDED: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    // The file is compiled in, and every test parses it.
    Arc::new(Catalog::from_json(include_str!("data.json")).expect("the embedded catalog is valid"))
});

/// Data about the models of every provider.
///
/// [`Catalog::embedded`] is the catalog of this crate; [`Catalog::from_json`] reads another one in the same format.
#[derive(Debug)]
pub struct Catalog {
    data: CatalogFile,
}

/// A catalog that cannot be used: the JSON is malformed, or an entry refers to a voice set that it does not contain.
#[derive(Debug, thiserror::Error)]
#[error("The model catalog cannot be read: {0}")]
pub struct CatalogError(String);

/// A model name after replacement of retired models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The name to send.
    pub model: String,
    /// The replacement that was made, if the requested model is retired.
    pub replaced: Option<Replacement>,
}

/// The replacement of a retired model, for a notice to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The requested name.
    pub from: String,
    /// The day of its shutdown as `YYYY-MM-DD`, if known.
    pub on: Option<String>,
    /// The name that is sent instead.
    pub by: String,
}

impl Catalog {
    /// The catalog that is compiled into this crate.
    pub fn embedded() -> Arc<Self> {
        EMBEDDED.clone()
    }

    /// Reads a catalog in the format of `catalog/data.json`.
    ///
    /// # Errors
    /// When the JSON is not in that format, or a model refers to a voice set that is not defined.
    pub fn from_json(json: &str) -> Result<Self, CatalogError> {
        Ok(Self { data: CatalogFile::parse(json).map_err(CatalogError)? })
    }

    /// The day on which the data was last compared with the providers' documentation.
    pub fn verified_on(&self) -> Date {
        self.data.verified_on
    }

    fn entry(&self, provider: &str) -> Option<&ProviderEntry> {
        self.data.providers.get(provider)
    }

    fn model(&self, provider: &str, id: &str) -> Option<&Model> {
        self.models(provider).iter().find(|model| model.id == id)
    }

    fn family(&self, provider: &str, id: &str) -> Option<&ModelFamily> {
        let id = id.to_lowercase();
        let own = self.entry(provider).map(|entry| entry.families.as_slice()).unwrap_or_default();
        own.iter().chain(&self.data.families).find(|family| family.matches(&id))
    }

    /// The model for a service when a request names none.
    pub fn default_model(&self, provider: &str, service: Service) -> Option<&str> {
        self.entry(provider)?.defaults.get(&service).map(String::as_str)
    }

    /// The voice when a request names none.
    pub fn default_voice(&self, provider: &str, id: &str) -> Option<&str> {
        let known = self.model(provider, id).and_then(|model| model.default_voice.as_deref());
        known.or_else(|| self.family(provider, id)?.default_voice.as_deref())
    }

    /// The voice to send: the requested one, or the model's default if it has no such voice. Case is ignored.
    pub fn resolve_voice(&self, provider: &str, id: &str, requested: &str) -> String {
        let default = || self.default_voice(provider, id).unwrap_or(requested).to_owned();
        let closed = self.model(provider, id).filter(|model| !model.open_voices).map(|model| &model.voices);
        match closed {
            _ if requested.is_empty() => default(),
            // Providers compare names case-sensitively; users do not.
            Some(voices) if !voices.is_empty() => {
                voices.iter().find(|voice| voice.eq_ignore_ascii_case(requested)).cloned().unwrap_or_else(default)
            }
            _ => requested.to_owned(),
        }
    }

    /// Replaces a retired model by its successor. Unknown names pass unchanged, because the provider may know them.
    pub fn resolve(&self, provider: &str, service: Service, requested: &str) -> Resolved {
        self.resolve_on(jiff::Zoned::now().date(), provider, service, requested)
    }

    fn resolve_on(&self, today: Date, provider: &str, service: Service, requested: &str) -> Resolved {
        let requested = bare_id(requested);
        let replaced = |on: Option<Date>, by: &str| Resolved {
            model: by.to_owned(),
            replaced: Some(Replacement {
                from: requested.to_owned(),
                on: on.map(|on| on.to_string()),
                by: by.to_owned(),
            }),
        };
        if let Some(retired) = self
            .entry(provider)
            .and_then(|entry| entry.retired.iter().find(|retired| retired.ids.iter().any(|id| id == requested)))
        {
            return replaced(retired.on, retired.by_service.get(&service).unwrap_or(&retired.by));
        }
        if let Some(Model { shutdown_on: Some(on), replaced_by: Some(by), .. }) = self.model(provider, requested)
            && *on <= today
        {
            return replaced(Some(*on), by);
        }
        Resolved { model: requested.to_owned(), replaced: None }
    }

    /// The current models of a provider.
    pub fn models(&self, provider: &str) -> &[Model] {
        self.entry(provider).map(|entry| entry.models.as_slice()).unwrap_or_default()
    }

    /// Fields that every request to a model contains, such as its reasoning effort or its audio format.
    pub fn params(&self, provider: &str, id: &str) -> Option<&Map<String, Value>> {
        match self.model(provider, id) {
            Some(model) => model.params.as_ref(),
            None => self.family(provider, id)?.params.as_ref(),
        }
    }

    /// The longest text that one speech request may have, in characters.
    pub fn max_chars(&self, provider: &str, id: &str) -> Option<usize> {
        let known = self.model(provider, id).and_then(|model| model.max_chars);
        known.or_else(|| self.family(provider, id)?.max_chars)
    }

    /// The services of a model, from its entry or else from its name. Empty when it provides none.
    pub fn services(&self, provider: &str, id: &str) -> Vec<Service> {
        match self.model(provider, id) {
            Some(model) => model.services.clone(),
            None => self.family(provider, id).map(|family| family.services.clone()).unwrap_or_default(),
        }
    }

    /// The voices of a model.
    pub fn voices(&self, provider: &str, id: &str) -> &[Voice] {
        let set = match self.model(provider, id) {
            Some(model) => model.voice_set.as_deref(),
            None => self.family(provider, id).and_then(|family| family.voice_set.as_deref()),
        };
        set.and_then(|set| self.data.voices.get(set)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The capability of a model among models of its kind, 1 to 5, if it is rated.
    pub fn quality(&self, provider: &str, id: &str) -> Option<u8> {
        self.model(provider, id)?.quality
    }

    /// The entry of a model.
    pub fn find(&self, provider: &str, id: &str) -> Option<&Model> {
        self.model(provider, id)
    }

    /// The models that can replace an unavailable one, best first: the recorded replacement, the default model, then all others of the
    /// service. A speech model is replaced only by one with a language in common.
    pub fn substitutes(&self, provider: &str, service: Service, unavailable: &str) -> impl Iterator<Item = &str> {
        let recorded = self.model(provider, unavailable).and_then(|model| model.replaced_by.as_deref());
        let others = self.models(provider).iter().filter(move |model| model.services.contains(&service));
        let all = recorded
            .into_iter()
            .chain(self.default_model(provider, service))
            .chain(others.map(|model| model.id.as_str()));
        let (provider, unavailable) = (provider.to_owned(), unavailable.to_owned());
        all.filter(move |id| *id != unavailable && self.share_language(&provider, &unavailable, id))
    }

    /// Whether two models have a spoken language in common, judging by their voices. A model without voices, or with a voice of
    /// no particular language, shares one with every other.
    pub fn share_language(&self, provider: &str, one: &str, other: &str) -> bool {
        let (ours, theirs) = (self.voices(provider, one), self.voices(provider, other));
        let any = |voices: &[Voice]| voices.is_empty() || voices.iter().any(|voice| voice.language.is_none());
        any(ours) || any(theirs) || ours.iter().any(|our| theirs.iter().any(|their| their.language == our.language))
    }

    /// The limits of a request to a model.
    pub fn limits(&self, provider: &str, id: &str) -> &ModelLimits {
        static NONE: ModelLimits =
            ModelLimits { min_max_tokens: None, max_images: None, words: false, efforts: Vec::new() };
        match self.model(provider, id) {
            Some(model) => &model.limits,
            None => self.family(provider, id).map_or(&NONE, |family| &family.limits),
        }
    }

    /// Whether the model's answers begin with reasoning that has no opening tag. Unless the server separates it, everything up to the
    /// closing tag is reasoning.
    pub fn starts_with_reasoning(&self, id: &str) -> bool {
        let id = id.to_lowercase();
        self.data.thinking.iter().any(|part| id.contains(part.as_str()))
    }

    /// The model that transcribes live speech in the place of this one.
    pub fn streaming_model(&self, provider: &str, id: &str) -> Option<&str> {
        self.model(provider, id)?.streaming_model.as_deref()
    }

    /// Whether the model transcribes live speech in the place of another one.
    pub fn is_streaming_model(&self, provider: &str, id: &str) -> bool {
        self.models(provider).iter().any(|model| model.streaming_model.as_deref() == Some(id))
    }

    /// Whether a model for live speech takes vocabulary and languages as the lists `keywords` and `languages`.
    pub fn takes_keywords(&self, provider: &str, id: &str) -> bool {
        self.model(provider, id).is_some_and(|model| model.keywords)
    }

    /// A lighter model of the same provider, for when this one is overloaded.
    pub fn overload_fallback(&self, provider: &str, id: &str) -> Option<&str> {
        self.model(provider, id)?.overload_fallback.as_deref()
    }

    /// The model to translate speech into English: the requested one if it can, else the first one of the provider that can.
    pub fn translator<'a>(&'a self, provider: &str, id: &'a str) -> &'a str {
        let translates = |known: &&Model| known.translates;
        match self.model(provider, id) {
            Some(known) if !known.translates => {
                self.models(provider).iter().find(translates).map_or(id, |known| known.id.as_str())
            }
            _ => id,
        }
    }

    /// The price of a model on a given day.
    pub fn price(&self, provider: &str, id: &str, day: Date) -> Option<&Price> {
        self.model(provider, id)?.price.iter().rfind(|price| price.from.is_none_or(|from| from <= day))
    }
}

/// A model name without surrounding space and without the prefix `models/` of Gemini's model list.
pub fn bare_id(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix("models/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Usage;

    fn today() -> Date {
        "2026-11-22".parse().unwrap()
    }

    #[test]
    fn the_embedded_catalog_is_consistent() {
        let catalog = Catalog::embedded();
        assert_eq!(catalog.verified_on(), today());
        for (provider, entry) in &catalog.data.providers {
            for (service, id) in &entry.defaults {
                let model =
                    catalog.model(provider, id).unwrap_or_else(|| panic!("{provider}: default {id} is not listed"));
                assert!(model.services.contains(service), "{provider}: {id} does not do {}", service.as_str());
                assert!(model.shutdown_on.is_none_or(|on| on > today()), "{provider}: default {id} is shut down");
            }
            for model in &entry.models {
                let is_live = catalog.is_streaming_model(provider, &model.id);
                assert!(!model.services.is_empty() || is_live, "{}", model.id);
                if let Some(live) = &model.streaming_model {
                    let known = catalog.model(provider, live).unwrap_or_else(|| panic!("{live} is not listed"));
                    assert!(
                        known.services.is_empty() && !known.price.is_empty(),
                        "{live} is called in live sessions alone"
                    );
                }
                if model.services.contains(&Service::Tts) {
                    assert!(
                        model.open_voices || model.voices.contains(model.default_voice.as_ref().unwrap()),
                        "{}",
                        model.id
                    );
                }
                if let Some(by) = &model.replaced_by {
                    assert!(
                        catalog.models(provider).iter().any(|model| model.id == *by),
                        "{}: {by} is not listed",
                        model.id
                    );
                }
            }
            for retired in &entry.retired {
                for by in retired.by_service.values().chain([&retired.by]) {
                    assert!(catalog.models(provider).iter().any(|model| model.id == *by), "{by} is not listed");
                }
                assert!(
                    retired.ids.iter().all(|id| catalog.model(provider, id).is_none()),
                    "{:?} are listed too",
                    retired.ids
                );
            }
        }
    }

    #[test]
    fn documented_model_names_resolve_to_current_models() {
        use Service::*;
        for (provider, service, id, expected, on) in [
            ("groq", Stt, "whisper-large-v3-turbo", "whisper-large-v3-turbo", None),
            ("groq", Stt, "whisper-large-v3", "whisper-large-v3", None),
            ("groq", Llm, "llama-3.3-70b-versatile", "openai/gpt-oss-120b", Some("2026-08-16")),
            ("groq", Llm, "llama-3.1-8b-instant", "openai/gpt-oss-20b", Some("2026-08-16")),
            ("groq", Llm, "mixtral-8x7b-32768", "openai/gpt-oss-20b", Some("2025-03-20")),
            ("groq", Vlm, "llama-4-maverick-17b-128e-instruct", "qwen/qwen3.8-27b", Some("2026-03-09")),
            ("groq", Llm, "llama-4-maverick-17b-128e-instruct", "openai/gpt-oss-120b", Some("2026-03-09")),
            ("groq", Vlm, "llama-vision-large", "qwen/qwen3.8-27b", None),
            ("groq", Tts, "playai-tts", "canopylabs/orpheus-v1-english", Some("2025-12-31")),
            ("gemini", Llm, "gemini-1.5-pro-latest", "gemini-3.8-flash", Some("2025-09-24")),
            ("gemini", Vlm, "gemini-1.5-flash", "gemini-3.5-flash-lite", Some("2025-09-24")),
            ("gemini", Llm, "gemini-1.5-flash-8b", "gemini-3.5-flash-lite", Some("2025-09-24")),
            ("gemini", Llm, "gemini-2.0-flash-exp", "gemini-3.5-flash-lite", None),
            ("gemini", Llm, "gemini-exp-1206", "gemini-3.5-flash-lite", None),
        ] {
            let resolved = Catalog::embedded().resolve_on(today(), provider, service, id);
            assert_eq!(resolved.model, expected, "{id}");
            assert!(Catalog::embedded().services(provider, &resolved.model).contains(&service), "{id}");
            match resolved.replaced {
                None => assert_eq!(id, expected),
                Some(replaced) => {
                    assert_eq!(
                        (replaced.from.as_str(), replaced.on.as_deref(), replaced.by.as_str()),
                        (id, on, expected)
                    )
                }
            }
        }
    }

    #[test]
    fn unknown_names_pass_and_announced_shutdowns_take_effect() {
        let passed = Catalog::embedded().resolve("groq", Service::Llm, "someone/something-new");
        assert_eq!((passed.model.as_str(), passed.replaced), ("someone/something-new", None));
        assert_eq!(Catalog::embedded().resolve("nobody", Service::Llm, "x").model, "x");
        assert_eq!(
            Catalog::embedded().resolve("gemini", Service::Llm, "models/gemini-3.8-flash").model,
            "gemini-3.8-flash"
        );
        let after = "2026-12-01".parse().unwrap();
        assert_eq!(Catalog::embedded().resolve_on(today(), "gemini", Service::Llm, "gemini-2.5-flash").replaced, None);
        assert_eq!(
            Catalog::embedded().resolve_on(after, "gemini", Service::Llm, "gemini-2.5-flash").model,
            "gemini-3.5-flash-lite"
        );
    }

    #[test]
    fn requested_voices_resolve_to_voices_of_the_model() {
        assert_eq!(Catalog::embedded().default_voice("groq", "canopylabs/orpheus-v1-english"), Some("hannah"));
        assert_eq!(
            Catalog::embedded().resolve_voice("groq", "canopylabs/orpheus-v1-english", "Arista-PlayAI"),
            "hannah"
        );
        assert_eq!(Catalog::embedded().resolve_voice("groq", "canopylabs/orpheus-v1-english", "Troy"), "troy");
        assert_eq!(Catalog::embedded().resolve_voice("gemini", "gemini-3.8-flash-tts", "kore"), "Kore");
        assert_eq!(Catalog::embedded().resolve_voice("gemini", "gemini-9-flash-tts", ""), "Kore");
        assert_eq!(Catalog::embedded().resolve_voice("kokoro", "kokoro", "af_bella(2)+af_sky"), "af_bella(2)+af_sky");
        assert_eq!(Catalog::embedded().voices("gemini", "gemini-3.8-flash-lite-tts").len(), 30);
        assert_eq!(
            Catalog::embedded()
                .default_voice("offline", Catalog::embedded().default_model("offline", Service::Tts).unwrap()),
            Some("en-us")
        );
    }

    #[test]
    fn the_name_of_an_unknown_model_implies_its_services() {
        use Service::*;
        for (provider, id, expected) in [
            ("groq", "openai/gpt-oss-safeguard-20b", vec![]),
            ("groq", "whisper-large-v4", vec![Stt]),
            ("groq", "someone/new-70b", vec![Llm]),
            ("gemini", "gemini-5-flash", vec![Stt, Llm, Vlm]),
            ("gemini", "gemini-3.8-live", vec![]),
            ("gemini", "gemini-5-flash-tts", vec![Tts]),
            ("ollama", "qwen3-vl:8b", vec![Llm, Vlm]),
            ("lmstudio", "text-embedding-nomic-embed-text-v1.5", vec![Embedding]),
            ("custom", "llama3", vec![Llm]),
        ] {
            assert_eq!(Catalog::embedded().services(provider, id), expected, "{id}");
        }
        assert_eq!(Catalog::embedded().params("groq", "openai/gpt-oss-20b").unwrap()["reasoning_effort"], "low");
        assert_eq!(
            Catalog::embedded().params("gemini", "gemini-5-flash").unwrap()["thinkingConfig"]["thinkingLevel"],
            "minimal"
        );
        assert_eq!(Catalog::embedded().params("groq", "whisper-large-v3"), None);
    }

    #[test]
    fn costs_follow_from_usage_and_list_price() {
        let usage = Usage { input_tokens: Some(1_000_000), output_tokens: Some(1_000_000), ..Usage::default() };
        assert_eq!(Catalog::embedded().price("gemini", "gemini-3.8-flash", today()).unwrap().cost(&usage), Some(4.5));
        assert_eq!(
            Catalog::embedded()
                .price("gemini", "gemini-3.8-flash", "2027-01-01".parse().unwrap())
                .unwrap()
                .cost(&usage),
            Some(9.0)
        );
        let cached = Usage { cached_tokens: Some(400_000), ..usage.clone() };
        let cost = Catalog::embedded().price("gemini", "gemini-3.8-flash", today()).unwrap().cost(&cached).unwrap();
        assert!((cost - (0.6 * 0.75 + 0.4 * 0.075 + 3.75)).abs() < 1e-9, "cached tokens are cheaper: {cost}");
        let short = Usage { audio_seconds: Some(3.0), ..Usage::default() };
        let cost = Catalog::embedded().price("groq", "whisper-large-v3-turbo", today()).unwrap().cost(&short).unwrap();
        assert!((cost - 0.000_111).abs() < 1e-6, "ten seconds are billed: {cost}");
        assert_eq!(
            Catalog::embedded().price("groq", "canopylabs/orpheus-v1-english", today()).unwrap().cost(&short),
            None
        );
    }
}
