//! What is sent, byte for byte of its JSON, when a caller asks for everything there is: one body per dialect.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::providers::wire::{recorded, scripted};

/// A question with every field that a caller can set.
fn everything(model: &str) -> ChatRequest {
    let own = json!({ "search_settings": { "include_domains": ["example.org"] } });
    let gemini = json!({ "labels": { "team": "desk" }, "generationConfig": { "responseLogprobs": true } });
    let extra = BTreeMap::from([
        ("groq".to_owned(), own.as_object().cloned().unwrap()),
        ("gemini".to_owned(), gemini.as_object().cloned().unwrap()),
    ]);
    ChatRequest {
        messages: vec![Message::new(Role::User, "What is this?").showing(Some(Bytes::from_static(b"\x89PNG")))],
        sampling: Sampling { temperature: Some(0.5), top_p: Some(0.9), seed: Some(7), ..Sampling::default() },
        top_k: Some(40),
        effort: Some(Effort::Medium),
        detail: Some(Detail::High),
        tier: Some(Tier::Flex),
        safety: Some(Safety::Medium),
        user: Some("desk-7".into()),
        extra,
        ..question(model)
    }
}

/// The body of the one request that a question makes.
async fn sent(provider: &str, preset: Option<&str>, asked: &ChatRequest) -> Value {
    let stream = if provider == "gemini" { "gemini_stream.sse" } else { "groq_chat_stream.sse" };
    let server = scripted::start(vec![scripted::events(&recorded::bytes(stream))]).await;
    let chat = at(provider, &server.base, Some(KEY), preset).chat.unwrap();
    collect(chat.chat(asked).await).await.1.unwrap();
    body(&server.requests()[0])
}

fn messages() -> Value {
    json!([
        { "role": "system", "content": "You are AURA." },
        { "role": "user", "content": [
            { "type": "text", "text": "What is this?" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw==", "detail": "high" } },
        ] },
    ])
}

#[tokio::test]
async fn everything_that_groq_takes() {
    let expected = json!({
        "model": "qwen/qwen3.8-27b", "messages": messages(), "stream": true, "max_completion_tokens": 64,
        "temperature": 0.5, "top_p": 0.9, "seed": 7, "user": "desk-7", "service_tier": "flex",
        "reasoning_effort": "medium", "reasoning_format": "hidden",
        "search_settings": { "include_domains": ["example.org"] },
    });
    assert_eq!(sent("groq", None, &everything("qwen/qwen3.8-27b")).await, expected);
}

#[tokio::test]
async fn everything_that_gemini_takes() {
    let threshold = "BLOCK_MEDIUM_AND_ABOVE";
    let categories = ["HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT"];
    let safety = categories.map(|of| json!({ "category": format!("HARM_CATEGORY_{of}"), "threshold": threshold }));
    let picture = json!({ "inlineData": { "mimeType": "image/png", "data": "iVBORw==" } });
    let mut expected = json!({
        "contents": [{ "role": "user", "parts": [picture, { "text": "What is this?" }] }],
        "systemInstruction": { "parts": [{ "text": "You are AURA." }] },
        "safetySettings": safety, "serviceTier": "flex", "labels": { "team": "desk" },
        "generationConfig": {
            "maxOutputTokens": 64, "seed": 7, "mediaResolution": "MEDIA_RESOLUTION_HIGH", "responseLogprobs": true,
            "thinkingConfig": { "thinkingLevel": "medium", "includeThoughts": false },
        },
    });
    assert_eq!(sent("gemini", None, &everything("gemini-3.8-flash")).await, expected);
    // The models of before take the words they were chosen from, and count their thoughts.
    let config = &mut expected["generationConfig"];
    config["thinkingConfig"] = json!({ "thinkingBudget": 8_192, "includeThoughts": false });
    (config["temperature"], config["topP"], config["topK"]) = (json!(0.5), json!(0.9), json!(40));
    assert_eq!(sent("gemini", None, &everything("gemini-2.5-flash-lite")).await, expected);
}

#[tokio::test]
async fn everything_that_openai_takes() {
    let mut expected = json!({
        "model": "gpt-6-luna", "messages": messages(), "stream": true, "stream_options": { "include_usage": true },
        "max_completion_tokens": 64, "temperature": 0.5, "top_p": 0.9, "seed": 7, "user": "desk-7",
        "service_tier": "flex", "reasoning_effort": "medium",
    });
    assert_eq!(sent("openai_compatible", Some("openai"), &everything("gpt-6-luna")).await, expected);
    // A server on this computer has no ways of being served, and takes one more number.
    let fields = expected.as_object_mut().unwrap();
    fields.remove("service_tier");
    fields.remove("max_completion_tokens");
    fields.insert("max_tokens".into(), json!(64));
    fields.insert("top_k".into(), json!(40));
    assert_eq!(sent("openai_compatible", Some("vllm"), &everything("gpt-6-luna")).await, expected);
}

#[tokio::test]
async fn each_word_for_how_urgent_it_is() {
    for (provider, preset, field, words) in [
        ("groq", None, "service_tier", ["auto", "on_demand", "flex", "performance"]),
        ("openai_compatible", Some("openai"), "service_tier", ["auto", "default", "flex", "priority"]),
        ("gemini", None, "serviceTier", ["", "standard", "flex", "priority"]),
    ] {
        for (tier, word) in [Tier::Auto, Tier::Standard, Tier::Flex, Tier::Priority].into_iter().zip(words) {
            let asked = ChatRequest { tier: Some(tier), ..question("m") };
            assert_eq!(sent(provider, preset, &asked).await[field].as_str().unwrap_or_default(), word, "{provider}");
        }
    }
}

#[tokio::test]
async fn nothing_that_was_not_asked_for() {
    let groq = sent("groq", None, &question("someone/model")).await;
    let names: Vec<&String> = groq.as_object().unwrap().keys().collect();
    assert_eq!(names, ["max_completion_tokens", "messages", "model", "stream"]);
    let gemini = sent("gemini", None, &question("gemini-2.0-flash")).await;
    assert_eq!(gemini["generationConfig"], json!({ "maxOutputTokens": 64 }));
    let names: Vec<&String> = gemini.as_object().unwrap().keys().collect();
    assert_eq!(names, ["contents", "generationConfig", "safetySettings", "systemInstruction"]);
}

#[tokio::test]
async fn speech_is_asked_for_as_each_server_takes_it() {
    let wav = || scripted::reply("200 OK", "content-type: audio/wav\r\n", &recorded::bytes("speech_ok_24k.wav"));
    let mut asked = TtsRequest { voice: "v".into(), ..sentence("m") };
    asked.delivery = Delivery {
        speed: Some(1.25),
        style: Some("warmly".into()),
        language: Some("en-US".into()),
        sample_rate: Some(16_000),
        ..Delivery::default()
    };
    let mut bodies = Vec::new();
    for preset in ["openai", "openrouter", "speaches", "kokoro", "custom"] {
        let server = scripted::start(vec![wav()]).await;
        let tts = at("openai_compatible", &server.base, Some(KEY), Some(preset)).tts.unwrap();
        samples(tts.speak(&asked).await.unwrap()).await;
        bodies.push((preset, body(&server.requests()[0])));
    }
    let plain =
        |format: &str| json!({ "model": "m", "voice": "v", "input": "Good morning.", "response_format": format });
    for (preset, body) in bodies {
        let mut expected = plain(if preset == "openrouter" { "pcm" } else { "wav" });
        expected["speed"] = json!(1.25);
        match preset {
            "openai" | "custom" => expected["instructions"] = json!("warmly"),
            "speaches" => expected["sample_rate"] = json!(16_000),
            _ => {}
        }
        assert_eq!(body, expected, "{preset}");
    }
}
