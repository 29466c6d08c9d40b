//! The complete JSON bodies of requests that use every option, one per format.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::wire::{recorded, scripted};

/// A request with every option set.
fn full_request(model: &str) -> ChatRequest {
    let groq = json!({ "search_settings": { "include_domains": ["example.org"] } });
    let gemini = json!({ "labels": { "team": "desk" }, "generationConfig": { "responseLogprobs": true } });
    let extra = BTreeMap::from([
        ("groq".to_owned(), groq.as_object().cloned().unwrap()),
        ("gemini".to_owned(), gemini.as_object().cloned().unwrap()),
    ]);
    ChatRequest {
        messages: vec![Message::new(Role::User, "What is this?").with_image(Some(Bytes::from_static(b"\x89PNG")))],
        sampling: Sampling { temperature: Some(0.5), top_p: Some(0.9), seed: Some(7), ..Sampling::default() },
        top_k: Some(40),
        effort: Some(ReasoningEffort::Medium),
        detail: Some(ImageDetail::High),
        tier: Some(ServiceTier::Flex),
        safety: Some(SafetyLevel::Medium),
        user: Some("desk-7".into()),
        extra,
        ..question(model)
    }
}

/// The body of the request that the adapter sends.
async fn sent_body(provider: &str, preset: Option<&str>, request: &ChatRequest) -> Value {
    let stream = if provider == "gemini" { "gemini_stream.sse" } else { "groq_chat_stream.sse" };
    let server = scripted::start(vec![scripted::events(&recorded::bytes(stream))]).await;
    let chat = at(provider, &server.base, Some(KEY), preset).chat.unwrap();
    collect(chat.chat(request).await).await.1.unwrap();
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
async fn a_full_request_to_groq() {
    let expected = json!({
        "model": "qwen/qwen3.8-27b", "messages": messages(), "stream": true, "max_completion_tokens": 64,
        "temperature": 0.5, "top_p": 0.9, "seed": 7, "user": "desk-7", "service_tier": "flex",
        "reasoning_effort": "medium", "reasoning_format": "hidden",
        "search_settings": { "include_domains": ["example.org"] },
    });
    assert_eq!(sent_body("groq", None, &full_request("qwen/qwen3.8-27b")).await, expected);
}

#[tokio::test]
async fn a_full_request_to_gemini() {
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
    assert_eq!(sent_body("gemini", None, &full_request("gemini-3.8-flash")).await, expected);
    // Older models accept sampling options and a thinking budget.
    let config = &mut expected["generationConfig"];
    config["thinkingConfig"] = json!({ "thinkingBudget": 8_192, "includeThoughts": false });
    (config["temperature"], config["topP"], config["topK"]) = (json!(0.5), json!(0.9), json!(40));
    assert_eq!(sent_body("gemini", None, &full_request("gemini-2.5-flash-lite")).await, expected);
}

#[tokio::test]
async fn a_full_request_to_openai_and_to_a_local_server() {
    let mut expected = json!({
        "model": "gpt-6-luna", "messages": messages(), "stream": true, "stream_options": { "include_usage": true },
        "max_completion_tokens": 64, "temperature": 0.5, "top_p": 0.9, "seed": 7, "user": "desk-7",
        "service_tier": "flex", "reasoning_effort": "medium",
    });
    assert_eq!(sent_body("openai_compatible", Some("openai"), &full_request("gpt-6-luna")).await, expected);
    // A local server has no service tiers and accepts `top_k`.
    let fields = expected.as_object_mut().unwrap();
    fields.remove("service_tier");
    fields.remove("max_completion_tokens");
    fields.insert("max_tokens".into(), json!(64));
    fields.insert("top_k".into(), json!(40));
    assert_eq!(sent_body("openai_compatible", Some("vllm"), &full_request("gpt-6-luna")).await, expected);
}

#[tokio::test]
async fn each_provider_has_its_own_names_of_the_service_tiers() {
    for (provider, preset, field, names) in [
        ("groq", None, "service_tier", ["auto", "on_demand", "flex", "performance"]),
        ("openai_compatible", Some("openai"), "service_tier", ["auto", "default", "flex", "priority"]),
        ("gemini", None, "serviceTier", ["", "standard", "flex", "priority"]),
    ] {
        for (tier, name) in
            [ServiceTier::Auto, ServiceTier::Standard, ServiceTier::Flex, ServiceTier::Priority].into_iter().zip(names)
        {
            let request = ChatRequest { tier: Some(tier), ..question("m") };
            assert_eq!(
                sent_body(provider, preset, &request).await[field].as_str().unwrap_or_default(),
                name,
                "{provider}"
            );
        }
    }
}

/// The names of the fields, sorted: their order depends on a feature of serde_json that other crates of the workspace set.
fn names(body: &serde_json::Value) -> Vec<&String> {
    let mut names: Vec<&String> = body.as_object().unwrap().keys().collect();
    names.sort();
    names
}

#[tokio::test]
async fn options_that_are_not_set_are_not_sent() {
    let groq = sent_body("groq", None, &question("someone/model")).await;
    assert_eq!(names(&groq), ["max_completion_tokens", "messages", "model", "stream"]);
    let gemini = sent_body("gemini", None, &question("gemini-2.0-flash")).await;
    assert_eq!(gemini["generationConfig"], json!({ "maxOutputTokens": 64 }));
    assert_eq!(names(&gemini), ["contents", "generationConfig", "safetySettings", "systemInstruction"]);
}

#[tokio::test]
async fn speech_requests_contain_the_options_that_each_server_accepts() {
    let wav = || scripted::reply("200 OK", "content-type: audio/wav\r\n", &recorded::bytes("speech_ok_24k.wav"));
    let mut request = SpeechRequest { voice: "v".into(), ..sentence("m") };
    request.options = SpeechOptions {
        speed: Some(1.25),
        style: Some("warmly".into()),
        language: Some("en-US".into()),
        sample_rate: Some(16_000),
        ..SpeechOptions::default()
    };
    let mut bodies = Vec::new();
    for preset in ["openai", "openrouter", "speaches", "kokoro", "custom"] {
        let server = scripted::start(vec![wav()]).await;
        let tts = at("openai_compatible", &server.base, Some(KEY), Some(preset)).tts.unwrap();
        samples(tts.speak(&request).await.unwrap()).await;
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
