//! Reads model and voice lists in OpenAI's format, with the additions of various servers. What a list does not say follows from the
//! model's name.

use serde_json::Value;

use crate::catalog::Catalog;
use crate::types::{ListedModel, ListedPrice, ListedVoice, Service, parameter_count};

/// The usable models in the reply to `GET models`. `provider` is the catalog's name of the provider or preset.
pub(crate) fn list(catalog: &Catalog, provider: &str, value: &Value) -> Vec<ListedModel> {
    // Ollama sends null for an empty list.
    value["data"].as_array().into_iter().flatten().filter_map(|model| entry(catalog, provider, model)).collect()
}

fn entry(catalog: &Catalog, provider: &str, model: &Value) -> Option<ListedModel> {
    let id = model["id"].as_str()?;
    if model["active"].as_bool() == Some(false) {
        return None;
    }
    let services = listed_services(model).unwrap_or_else(|| catalog.services(provider, id));
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let context = ["context_window", "context_length", "max_model_len"].iter().find_map(|name| number(&model[*name]));
    let max_output =
        number(&model["max_completion_tokens"]).or_else(|| number(&model["top_provider"]["max_completion_tokens"]));
    (!services.is_empty()).then(|| ListedModel {
        id: id.to_owned(),
        services,
        context: context.or_else(|| number(&model["meta"]["n_ctx_train"])),
        max_output,
        price: price(&model["pricing"]),
        voices: strings(&model["supported_voices"]).unwrap_or_default(),
        shutdown_on: ["shutdown_date", "expiration_date"].iter().find_map(|name| day(&model[*name])),
        parameters: model["meta"]["n_params"].as_u64(),
    })
}

/// OpenRouter's prices: US dollars per token, as text.
fn price(pricing: &Value) -> Option<ListedPrice> {
    let million = |name: &str| {
        let dollars: f64 = pricing[name].as_str()?.trim().parse().ok()?;
        // Rounded to a millionth of a dollar, because the product of a tiny number has spurious digits. A negative price means: varies.
        (dollars >= 0.0 && dollars.is_finite()).then(|| (dollars * 1e12).round() / 1e6)
    };
    Some(ListedPrice { input: million("prompt")?, output: million("completion")? })
}

/// A day: a date, or the beginning of a timestamp.
fn day(value: &Value) -> Option<jiff::civil::Date> {
    value.as_str()?.get(..10)?.parse().ok()
}

fn strings(value: &Value) -> Option<Vec<String>> {
    Some(value.as_array()?.iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect())
}

/// Adds [`Service::Stt`] to models that accept audio, for servers that transcribe through chat models.
pub(crate) fn add_audio_input(models: &mut [ListedModel], value: &Value) {
    for entry in value["data"].as_array().into_iter().flatten() {
        let inputs = strings(&entry["architecture"]["input_modalities"]).unwrap_or_default();
        let accepts_audio = inputs.iter().any(|medium| medium == "audio");
        if let Some(model) = models.iter_mut().find(|model| accepts_audio && entry["id"] == model.id.as_str())
            && !model.services.contains(&Service::Stt)
        {
            model.services.insert(0, Service::Stt);
        }
    }
}

/// The services of a model, if the list names its modalities or its task.
fn listed_services(model: &Value) -> Option<Vec<Service>> {
    match model["task"].as_str() {
        Some("automatic-speech-recognition") => return Some(vec![Service::Stt]),
        Some("text-to-speech") => return Some(vec![Service::Tts]),
        Some("feature-extraction" | "sentence-similarity") => return Some(vec![Service::Embedding]),
        Some("text-generation") | None => {}
        Some(_) => return Some(vec![]),
    }
    let input = strings(&model["architecture"]["input_modalities"])?;
    let output = strings(&model["architecture"]["output_modalities"])?;
    let has = |list: &[String], word: &str| list.iter().any(|found| found == word);
    let mut services = Vec::new();
    if has(&input, "audio") && has(&output, "transcription") {
        services.push(Service::Stt);
    }
    if has(&input, "text") && has(&output, "text") {
        services.push(Service::Llm);
        if has(&input, "image") {
            services.push(Service::Vlm);
        }
    }
    if has(&output, "audio") || has(&output, "speech") {
        services.push(Service::Tts);
    }
    if has(&output, "embeddings") {
        services.push(Service::Embedding);
    }
    Some(services)
}

/// Reads LM Studio's native list, which has the vision capability and the context length.
pub(crate) fn lmstudio(value: &Value) -> Vec<ListedModel> {
    let entries = value["models"].as_array().into_iter().flatten();
    entries
        .filter(|model| matches!(model["type"].as_str(), Some("llm" | "vlm" | "embedding" | "embeddings")))
        .filter_map(|model| {
            let is_embedding = model["type"].as_str().is_some_and(|kind| kind.starts_with("embedding"));
            let mut services = vec![if is_embedding { Service::Embedding } else { Service::Llm }];
            if model["capabilities"]["vision"].as_bool() == Some(true) || model["type"] == "vlm" {
                services.push(Service::Vlm);
            }
            let context = &model["loaded_instances"][0]["config"]["context_length"];
            let context = context.as_u64().or_else(|| model["max_context_length"].as_u64());
            Some(ListedModel {
                id: model["key"].as_str()?.to_owned(),
                services,
                context: context.and_then(|tokens| u32::try_from(tokens).ok()),
                parameters: model["params_string"].as_str().and_then(parameter_count),
                ..ListedModel::default()
            })
        })
        .collect()
}

/// Adds the details in the reply of Ollama's `api/show` to a listed model.
pub(crate) fn add_ollama_details(model: &mut ListedModel, details: &Value) {
    if let Some(capabilities) = details["capabilities"].as_array() {
        let can = |what: &str| capabilities.iter().any(|capability| capability == what);
        model.services.clear();
        if can("audio") {
            model.services.push(Service::Stt);
        }
        if can("completion") {
            model.services.push(Service::Llm);
        }
        if can("completion") && can("vision") {
            model.services.push(Service::Vlm);
        }
        if can("embedding") {
            model.services.push(Service::Embedding);
        }
    }
    model.parameters = details["details"]["parameter_size"].as_str().and_then(parameter_count).or(model.parameters);
    let info = details["model_info"].as_object().into_iter().flatten();
    let context = info.filter(|(name, _)| name.ends_with(".context_length")).find_map(|(_, value)| value.as_u64());
    model.context = context.and_then(|tokens| u32::try_from(tokens).ok()).or(model.context);
}

/// The voices in the reply to `GET audio/voices`: objects, or only names from older servers.
pub(crate) fn voices(value: &Value) -> Vec<ListedVoice> {
    let list = value["voices"].as_array().or_else(|| value.as_array());
    list.into_iter()
        .flatten()
        .filter_map(|voice| {
            let name = voice["name"].as_str();
            let id = voice.as_str().or_else(|| voice["id"].as_str()).or_else(|| voice["voice_id"].as_str()).or(name)?;
            Some(ListedVoice::new(id, name.unwrap_or(id)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::recorded;

    #[test]
    fn every_recorded_list_is_read() {
        use Service::*;
        for (provider, name, expected) in [
            (
                "groq",
                "groq_models.json",
                vec![
                    ("openai/gpt-oss-20b", vec![Llm], Some(131_072)),
                    ("openai/gpt-oss-120b", vec![Llm], Some(131_072)),
                    ("qwen/qwen3.8-27b", vec![Llm, Vlm], Some(131_072)),
                    ("whisper-large-v3-turbo", vec![Stt], Some(448)),
                    ("whisper-large-v3", vec![Stt], Some(448)),
                    ("canopylabs/orpheus-v1-english", vec![Tts], Some(4000)),
                ],
            ),
            (
                "openai",
                "openai_models.json",
                vec![("gpt-6-luna", vec![Llm, Vlm], None), ("whisper-1", vec![Stt], None)],
            ),
            (
                "openrouter",
                "openrouter_models.json",
                vec![("google/gemini-3.5-flash-lite", vec![Llm, Vlm], Some(1_048_576))],
            ),
            ("ollama", "ollama_models.json", vec![("qwen3-vl:8b", vec![Llm, Vlm], None)]),
            ("ollama", "ollama_models_empty.json", vec![]),
            (
                "lmstudio",
                "lmstudio_models.json",
                vec![
                    ("qwen/qwen3-vl-8b", vec![Llm, Vlm], None),
                    ("text-embedding-nomic-embed-text-v1.5", vec![Embedding], None),
                ],
            ),
            ("llamacpp", "llamacpp_models.json", vec![("gemma-3-4b", vec![Llm, Vlm], Some(131_072))]),
            ("vllm", "vllm_models.json", vec![("Qwen/Qwen3-VL-8B-Instruct", vec![Llm, Vlm], Some(32_768))]),
            (
                "speaches",
                "speaches_models.json",
                vec![
                    ("Systran/faster-distil-whisper-small.en", vec![Stt], None),
                    ("speaches-ai/Kokoro-82M-v1.0-ONNX", vec![Tts], None),
                ],
            ),
            (
                "kokoro",
                "kokoro_models.json",
                vec![("tts-1", vec![Tts], None), ("tts-1-hd", vec![Tts], None), ("kokoro", vec![Tts], None)],
            ),
        ] {
            let models = list(&Catalog::embedded(), provider, &recorded::json(name));
            let found: Vec<_> =
                models.iter().map(|model| (model.id.as_str(), model.services.clone(), model.context)).collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn native_lists_have_more_details() {
        let models = lmstudio(&recorded::json("lmstudio_native_models.json"));
        let expected = ListedModel {
            id: "qwen/qwen3-vl-8b".into(),
            services: vec![Service::Llm, Service::Vlm],
            context: Some(8192),
            parameters: Some(8_000_000_000),
            ..ListedModel::default()
        };
        assert_eq!(models, [expected]);

        let mut model = ListedModel { id: "my-own".into(), services: vec![Service::Llm], ..ListedModel::default() };
        add_ollama_details(&mut model, &recorded::json("ollama_show_capabilities.json"));
        assert_eq!((model.services, model.context), (vec![Service::Llm, Service::Vlm], Some(262_144)));
        assert_eq!(model.parameters, Some(8_800_000_000));
    }

    #[test]
    fn prices_voices_and_shutdown_dates_are_read() {
        let listed = list(&Catalog::embedded(), "openrouter", &recorded::json("openrouter_models.json"));
        assert_eq!(listed[0].price, Some(ListedPrice { input: 0.3, output: 2.5 }));
        assert_eq!((listed[0].shutdown_on, listed[0].voices.len()), (None, 0));
        let listed = list(&Catalog::embedded(), "openai", &recorded::json("openai_models.json"));
        assert_eq!(listed[1].shutdown_on, Some("2027-02-26".parse().unwrap()));
        let list_with_voices = serde_json::json!({ "data": [{
            "id": "someone/voice",
            "architecture": { "input_modalities": ["text"], "output_modalities": ["speech"] },
            "pricing": { "prompt": "-1", "completion": "0" },
            "supported_voices": ["anna", "ben"],
            "expiration_date": "2027-03-01T00:00:00Z",
        }] });
        let listed = &list(&Catalog::embedded(), "openrouter", &list_with_voices)[0];
        assert_eq!((listed.price, listed.voices.as_slice()), (None, &["anna".to_owned(), "ben".to_owned()][..]));
        assert_eq!(listed.shutdown_on, Some("2027-03-01".parse().unwrap()));
    }

    #[test]
    fn a_chat_model_with_audio_input_transcribes() {
        let value = serde_json::json!({ "data": [
            { "id": "text-only", "architecture": { "input_modalities": ["text"], "output_modalities": ["text"] } },
            { "id": "with-audio", "architecture": { "input_modalities": ["text", "audio"], "output_modalities": ["text"] } },
        ] });
        let mut models = list(&Catalog::embedded(), "llamacpp", &value);
        add_audio_input(&mut models, &value);
        assert_eq!(models[0].services, [Service::Llm]);
        assert_eq!(models[1].services, [Service::Stt, Service::Llm]);
        let mut shown = ListedModel::default();
        add_ollama_details(&mut shown, &serde_json::json!({ "capabilities": ["completion", "audio"] }));
        assert_eq!(shown.services, [Service::Stt, Service::Llm]);
    }

    #[test]
    fn both_formats_of_voice_lists_are_read() {
        let expected = ["af_heart", "bm_george"];
        for name in ["kokoro_voices.json", "kokoro_voices_legacy.json"] {
            let voices = voices(&recorded::json(name));
            assert_eq!(voices.iter().map(|voice| voice.id.as_str()).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
