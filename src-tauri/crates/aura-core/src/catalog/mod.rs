//! What is known about models: services, limits, prices, voices, shutdown dates and replacements.
//!
//! All of it is data with a date, in `data.json`: no model's name is in code. A provider's live list overrules it.
//! Servers that speak OpenAI's dialect are found under the name of their preset.

mod data;
mod price;

use jiff::civil::Date;
use serde_json::{Map, Value};

pub use data::{Limits, Model, Voice};
pub use price::{Price, Unit};

use crate::providers::Service;
use data::{DATA, Entry, Family};

/// The day the data was last compared with what the providers publish.
pub fn verified_on() -> Date {
    DATA.verified_on
}

/// A model's name as it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The name.
    pub model: String,
    /// Why it is not the one that was asked for.
    pub replaced: Option<Replacement>,
}

/// What a notice about a replaced model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The name that was asked for.
    pub from: String,
    /// The day it was switched off, if known.
    pub on: Option<String>,
    /// The name that is used.
    pub by: String,
}

fn entry(provider: &str) -> Option<&'static Entry> {
    DATA.providers.get(provider)
}

fn model(provider: &str, id: &str) -> Option<&'static Model> {
    models(provider).iter().find(|model| model.id == id)
}

fn family(provider: &str, id: &str) -> Option<&'static Family> {
    let id = id.to_lowercase();
    let own = entry(provider).map(|entry| entry.families.as_slice()).unwrap_or_default();
    own.iter().chain(&DATA.families).find(|family| family.fits(&id))
}

/// The model when a request names none.
pub fn default_model(provider: &str, service: Service) -> Option<&'static str> {
    entry(provider)?.defaults.get(&service).map(String::as_str)
}

/// The voice when a request names none.
pub fn default_voice(provider: &str, id: &str) -> Option<&'static str> {
    let known = model(provider, id).and_then(|model| model.default_voice.as_deref());
    known.or_else(|| family(provider, id)?.default_voice.as_deref())
}

/// The voice to send: the one asked for, or the model's own when it has no such voice.
pub fn resolve_voice(provider: &str, id: &str, requested: &str) -> String {
    let default = || default_voice(provider, id).unwrap_or(requested).to_owned();
    let closed = model(provider, id).filter(|model| !model.open_voices).map(|model| &model.voices);
    match closed {
        _ if requested.is_empty() => default(),
        // Names are case-sensitive at the providers; people are not.
        Some(voices) if !voices.is_empty() => {
            voices.iter().find(|voice| voice.eq_ignore_ascii_case(requested)).cloned().unwrap_or_else(default)
        }
        _ => requested.to_owned(),
    }
}

/// The name to send for a name that was asked for. Unknown names pass unchanged: the provider may know them.
pub fn resolve(provider: &str, service: Service, requested: &str) -> Resolved {
    resolve_on(jiff::Zoned::now().date(), provider, service, requested)
}

/// A model's name without what Gemini's own list puts before it.
pub fn plain(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix("models/").unwrap_or(name)
}

fn resolve_on(today: Date, provider: &str, service: Service, requested: &str) -> Resolved {
    let plain = plain(requested);
    let replaced = |on: Option<Date>, by: &str| Resolved {
        model: by.to_owned(),
        replaced: Some(Replacement { from: plain.to_owned(), on: on.map(|on| on.to_string()), by: by.to_owned() }),
    };
    if let Some(retired) =
        entry(provider).and_then(|entry| entry.retired.iter().find(|retired| retired.ids.iter().any(|id| id == plain)))
    {
        return replaced(retired.on, retired.by_service.get(&service).unwrap_or(&retired.by));
    }
    if let Some(Model { shutdown_on: Some(on), replaced_by: Some(by), .. }) = model(provider, plain)
        && *on <= today
    {
        return replaced(Some(*on), by);
    }
    Resolved { model: plain.to_owned(), replaced: None }
}

/// The models of a provider that are served.
pub fn models(provider: &str) -> &'static [Model] {
    entry(provider).map(|entry| entry.models.as_slice()).unwrap_or_default()
}

/// The parameters every request to a model carries: how much it should reason, or the format of its speech.
pub fn reasoning(provider: &str, id: &str) -> Option<&'static Map<String, Value>> {
    match model(provider, id) {
        Some(model) => model.params.as_ref(),
        None => family(provider, id)?.params.as_ref(),
    }
}

/// The longest text a model speaks at once, in characters.
pub fn max_chars(provider: &str, id: &str) -> Option<usize> {
    let known = model(provider, id).and_then(|model| model.max_chars);
    known.or_else(|| family(provider, id)?.max_chars)
}

/// What a listed model can do, by its entry or else by its name. Empty: of no use here.
pub fn services(provider: &str, id: &str) -> Vec<Service> {
    match model(provider, id) {
        Some(model) => model.services.clone(),
        None => family(provider, id).map(|family| family.services.clone()).unwrap_or_default(),
    }
}

/// The voices of a model.
pub fn voices(provider: &str, id: &str) -> &'static [Voice] {
    let set = match model(provider, id) {
        Some(model) => model.voice_set.as_deref(),
        None => family(provider, id).and_then(|family| family.voice_set.as_deref()),
    };
    set.and_then(|set| DATA.voices.get(set)).map(Vec::as_slice).unwrap_or_default()
}

/// How capable a model is, 1 to 5, where it was rated.
pub fn quality(provider: &str, id: &str) -> Option<u8> {
    model(provider, id)?.quality
}

/// What the catalog knows of one model.
pub fn find(provider: &str, id: &str) -> Option<&'static Model> {
    model(provider, id)
}

/// The models that may stand in for one that is gone: the recorded replacement, the default, then the others of its service. A
/// model that speaks is only replaced by one that speaks the same language.
pub fn substitutes(provider: &str, service: Service, gone: &str) -> impl Iterator<Item = &'static str> {
    let recorded = model(provider, gone).and_then(|model| model.replaced_by.as_deref());
    let others = models(provider).iter().filter(move |model| model.services.contains(&service));
    let all = recorded.into_iter().chain(default_model(provider, service)).chain(others.map(|model| model.id.as_str()));
    let (provider, gone) = (provider.to_owned(), gone.to_owned());
    all.filter(move |id| *id != gone && speak_alike(&provider, &gone, id))
}

/// Whether two models speak a language in common, as far as their voices tell. What does not speak is alike in that.
pub fn speak_alike(provider: &str, one: &str, other: &str) -> bool {
    let (ours, theirs) = (voices(provider, one), voices(provider, other));
    let any = |voices: &[Voice]| voices.is_empty() || voices.iter().any(|voice| voice.language.is_none());
    any(ours) || any(theirs) || ours.iter().any(|our| theirs.iter().any(|their| their.language == our.language))
}

/// What a request to a model must keep to.
pub fn limits(provider: &str, id: &str) -> &'static Limits {
    static NONE: Limits = Limits { least_room: None, max_images: None, words: false, efforts: Vec::new() };
    match model(provider, id) {
        Some(model) => &model.limits,
        None => family(provider, id).map_or(&NONE, |family| &family.limits),
    }
}

/// Whether a model begins to think before it answers, with no mark where its thoughts begin. Where a server does not keep them
/// apart, everything up to the mark of their end is no part of the answer.
pub fn thinks_aloud(id: &str) -> bool {
    let id = id.to_lowercase();
    DATA.thinking.iter().any(|part| id.contains(part.as_str()))
}

/// The model that answers while this one is overloaded.
pub fn when_busy(provider: &str, id: &str) -> Option<&'static str> {
    model(provider, id)?.when_busy.as_deref()
}

/// The model that translates what it hears into English: the one asked for if it does, else the provider's first that does.
pub fn translator<'a>(provider: &str, id: &'a str) -> &'a str {
    let does = |known: &&'static Model| known.translates;
    match model(provider, id) {
        Some(known) if !known.translates => models(provider).iter().find(does).map_or(id, |known| known.id.as_str()),
        _ => id,
    }
}

/// The price of a model on a day.
pub fn price(provider: &str, id: &str, day: Date) -> Option<&'static Price> {
    model(provider, id)?.price.iter().rfind(|price| price.from.is_none_or(|from| from <= day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Usage;

    fn today() -> Date {
        "2026-11-22".parse().unwrap()
    }

    #[test]
    fn the_file_agrees_with_itself() {
        assert_eq!(verified_on(), today());
        for (provider, entry) in &DATA.providers {
            for (service, id) in &entry.defaults {
                let model = model(provider, id).unwrap_or_else(|| panic!("{provider}: default {id} is not listed"));
                assert!(model.services.contains(service), "{provider}: {id} does not do {}", service.as_str());
                assert!(model.shutdown_on.is_none_or(|on| on > today()), "{provider}: default {id} is off");
            }
            for model in &entry.models {
                assert!(!model.services.is_empty(), "{}", model.id);
                if model.services.contains(&Service::Tts) {
                    assert!(
                        model.open_voices || model.voices.contains(model.default_voice.as_ref().unwrap()),
                        "{}",
                        model.id
                    );
                }
                if let Some(by) = &model.replaced_by {
                    assert!(models(provider).iter().any(|model| model.id == *by), "{}: {by} is not listed", model.id);
                }
            }
            for retired in &entry.retired {
                for by in retired.by_service.values().chain([&retired.by]) {
                    assert!(models(provider).iter().any(|model| model.id == *by), "{by} is not listed");
                }
                assert!(retired.ids.iter().all(|id| model(provider, id).is_none()), "{:?} are listed too", retired.ids);
            }
        }
    }

    #[test]
    fn every_model_of_the_guide_is_answered() {
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
            let resolved = resolve_on(today(), provider, service, id);
            assert_eq!(resolved.model, expected, "{id}");
            assert!(services(provider, &resolved.model).contains(&service), "{id}");
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
    fn unknown_names_pass_and_announced_dates_count() {
        let passed = resolve("groq", Service::Llm, "someone/something-new");
        assert_eq!((passed.model.as_str(), passed.replaced), ("someone/something-new", None));
        assert_eq!(resolve("nobody", Service::Llm, "x").model, "x");
        assert_eq!(resolve("gemini", Service::Llm, "models/gemini-3.8-flash").model, "gemini-3.8-flash");
        let after = "2026-12-01".parse().unwrap();
        assert_eq!(resolve_on(today(), "gemini", Service::Llm, "gemini-2.5-flash").replaced, None);
        assert_eq!(resolve_on(after, "gemini", Service::Llm, "gemini-2.5-flash").model, "gemini-3.5-flash-lite");
    }

    #[test]
    fn voices() {
        assert_eq!(default_voice("groq", "canopylabs/orpheus-v1-english"), Some("hannah"));
        assert_eq!(resolve_voice("groq", "canopylabs/orpheus-v1-english", "Arista-PlayAI"), "hannah");
        assert_eq!(resolve_voice("groq", "canopylabs/orpheus-v1-english", "Troy"), "troy");
        assert_eq!(resolve_voice("gemini", "gemini-3.8-flash-tts", "kore"), "Kore");
        assert_eq!(resolve_voice("gemini", "gemini-9-flash-tts", ""), "Kore");
        assert_eq!(resolve_voice("kokoro", "kokoro", "af_bella(2)+af_sky"), "af_bella(2)+af_sky");
        assert_eq!(super::voices("gemini", "gemini-3.8-flash-lite-tts").len(), 30);
        assert_eq!(default_voice("offline", default_model("offline", Service::Tts).unwrap()), Some("en-us"));
    }

    #[test]
    fn names_tell_what_an_unknown_model_does() {
        use Service::*;
        for (provider, id, expected) in [
            ("groq", "openai/gpt-oss-safeguard-20b", vec![]),
            ("groq", "whisper-large-v4", vec![Stt]),
            ("groq", "someone/new-70b", vec![Llm]),
            ("gemini", "gemini-5-flash", vec![Stt, Llm, Vlm]),
            ("gemini", "gemini-3.8-live", vec![]),
            ("gemini", "gemini-5-flash-tts", vec![Tts]),
            ("ollama", "qwen3-vl:8b", vec![Llm, Vlm]),
            ("lmstudio", "text-embedding-nomic-embed-text-v1.5", vec![]),
            ("custom", "llama3", vec![Llm]),
        ] {
            assert_eq!(services(provider, id), expected, "{id}");
        }
        assert_eq!(reasoning("groq", "openai/gpt-oss-20b").unwrap()["reasoning_effort"], "low");
        assert_eq!(reasoning("gemini", "gemini-5-flash").unwrap()["thinkingConfig"]["thinkingLevel"], "minimal");
        assert_eq!(reasoning("groq", "whisper-large-v3"), None);
    }

    #[test]
    fn prices() {
        let usage = Usage { input_tokens: Some(1_000_000), output_tokens: Some(1_000_000), ..Usage::default() };
        assert_eq!(price("gemini", "gemini-3.8-flash", today()).unwrap().cost(&usage), Some(4.5));
        assert_eq!(price("gemini", "gemini-3.8-flash", "2027-01-01".parse().unwrap()).unwrap().cost(&usage), Some(9.0));
        let cached = Usage { cached_tokens: Some(400_000), ..usage.clone() };
        let cost = price("gemini", "gemini-3.8-flash", today()).unwrap().cost(&cached).unwrap();
        assert!((cost - (0.6 * 0.75 + 0.4 * 0.075 + 3.75)).abs() < 1e-9, "what it remembered is cheaper: {cost}");
        let short = Usage { audio_seconds: Some(3.0), ..Usage::default() };
        let cost = price("groq", "whisper-large-v3-turbo", today()).unwrap().cost(&short).unwrap();
        assert!((cost - 0.000_111).abs() < 1e-6, "ten seconds are billed: {cost}");
        assert_eq!(price("groq", "canopylabs/orpheus-v1-english", today()).unwrap().cost(&short), None);
    }
}
