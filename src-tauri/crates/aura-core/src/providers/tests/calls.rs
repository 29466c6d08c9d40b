//! Calls that succeed.

use serde_json::Value;

use super::*;
use crate::providers::wire::{recorded, scripted};

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Trap 1: without a User-Agent Groq's gate answers 403.
#[tokio::test]
async fn groq_transcribes() {
    let headers = "content-type: application/json\r\nx-ratelimit-remaining-audio-seconds: 7190\r\n";
    let server =
        scripted::start(vec![scripted::reply("200 OK", headers, &recorded::bytes("groq_transcription_verbose.json"))])
            .await;
    let stt = at("groq", &server.base, Some(KEY), None).stt.unwrap();
    let found = stt.transcribe(&recording()).await.unwrap();
    assert_eq!(found.text, "Open the settings window.");
    assert_eq!(found.usage.rate_limit.unwrap().audio_seconds_left, Some(7190));
    let request = &server.requests()[0];
    let head = request.to_lowercase();
    assert!(head.starts_with("post /audio/transcriptions http/1.1\r\n"), "{request}");
    assert!(head.contains(&format!("\r\nauthorization: bearer {KEY}\r\n")));
    assert!(head.contains("\r\nuser-agent: aura/"), "trap 1: without it Groq answers 403");
    assert!(request.contains("verbose_json") && request.contains("name=\"language\"\r\n\r\nen\r\n"));
}

#[tokio::test]
async fn groq_answers_byte_by_byte() {
    let act = scripted::slowly(scripted::events(&recorded::bytes("groq_chat_stream.sse")), 97);
    let server = scripted::start(vec![act]).await;
    let model = crate::catalog::default_model("groq", Service::Llm).unwrap();
    let (text, usage) =
        collect(at("groq", &server.base, Some(KEY), None).chat.unwrap().chat(&question(model)).await).await;
    assert_eq!((text.as_str(), usage.unwrap().output_tokens), ("Hello — café 👋", Some(12)));
    let sent = body(&server.requests()[0]);
    assert_eq!(
        (&sent["reasoning_effort"], &sent["max_completion_tokens"], &sent["stream"]),
        (&"low".into(), &64.into(), &true.into())
    );
    assert!(sent.get("stream_options").is_none() && sent.get("max_tokens").is_none());
}

/// Trap 9: at most 190 characters, as WAV, with a voice that is still there.
#[tokio::test]
async fn groq_speaks_and_replaces_a_retired_voice() {
    let wav = recorded::bytes("speech_streamed_header_24k.wav");
    let server =
        scripted::start(vec![scripted::slowly(scripted::reply("200 OK", "content-type: audio/wav\r\n", &wav), 777)])
            .await;
    let tts = at("groq", &server.base, Some(KEY), None).tts.unwrap();
    let model = crate::catalog::default_model("groq", Service::Tts).unwrap();
    assert!(tts.max_chars(model) <= 190 && tts.max_chars("anything/new") <= 190);
    let request = TtsRequest { model: model.into(), voice: "Arista-PlayAI".into(), text: "Good morning.".into() };
    let pieces: Vec<SpeechPiece> = tts.speak(&request).await.unwrap().try_collect().await.unwrap();
    let samples: usize =
        pieces.iter().map(|piece| if let SpeechPiece::Pcm(pcm) = piece { pcm.samples.len() } else { 0 }).sum();
    assert_eq!(samples, 2400);
    assert!(pieces.len() > 1, "the sound was not streamed");
    let sent = body(&server.requests()[0]);
    assert_eq!((&sent["voice"], &sent["response_format"]), (&"hannah".into(), &"wav".into()));
}

#[tokio::test]
async fn groq_lists_its_models() {
    let server = scripted::start(vec![scripted::json(&recorded::text("groq_models.json"))]).await;
    let account = at("groq", &server.base, Some(KEY), None).account.unwrap();
    assert_eq!(account.models().await.unwrap().len(), 6, "the inactive one is left out");
}

/// Trap 28: what `-latest` means moves; the model that really answered is kept.
/// Trap 30: the dialect that stores by default is not spoken.
/// Trap 31: a key in an address would be in every message about it.
#[tokio::test]
async fn gemini_keeps_its_key_out_of_the_address() {
    let server = scripted::start(vec![scripted::events(&recorded::bytes("gemini_stream.sse"))]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    let (text, usage) = collect(chat.chat(&question("models/gemini-3.5-flash-lite")).await).await;
    assert_eq!(text, "The Général tab — 👍 is open.");
    assert_eq!(usage.unwrap().model.as_deref(), Some("gemini-3.5-flash-lite"));
    let request = &server.requests()[0];
    let line = request.lines().next().unwrap();
    assert_eq!(line, "POST /models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse HTTP/1.1");
    assert!(request.contains(&format!("x-goog-api-key: {KEY}")));
}

/// Trap 24: the newest models refuse `minimal`.
#[tokio::test]
async fn gemini_learns_that_a_model_thinks_at_least_a_little() {
    let refused = || scripted::reply("400 Bad Request", "", &recorded::bytes("gemini_error_400_thinking_level.json"));
    let good = || scripted::events(&recorded::bytes("gemini_stream.sse"));
    let server = scripted::start(vec![refused(), good(), good()]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    for _ in 0..2 {
        assert!(collect(chat.chat(&question("gemini-99-flash-unheard-of")).await).await.1.is_ok());
    }
    let levels: Vec<Value> = server
        .requests()
        .iter()
        .map(|request| body(request)["generationConfig"]["thinkingConfig"]["thinkingLevel"].clone())
        .collect();
    assert_eq!(levels, ["minimal", "low", "low"], "trap 24: once more, then remembered");
}

/// Trap 27: models that speak refuse a system instruction.
#[tokio::test]
async fn gemini_transcribes_and_speaks() {
    let server = scripted::start(vec![
        scripted::json(&recorded::text("gemini_stt.json")),
        scripted::json(&recorded::text("gemini_stt.json")),
        scripted::events(&recorded::bytes("gemini_tts_stream.sse")),
        scripted::json(&recorded::text("gemini_tts_wav.json")),
    ])
    .await;
    let gemini = at("gemini", &server.base, Some(KEY), None);
    let (stt, tts) = (gemini.stt.unwrap(), gemini.tts.unwrap());
    for model in ["gemini-3.5-flash-lite", "gemini-3.5-transcribe"] {
        let request = SttRequest { model: model.into(), ..recording() };
        assert_eq!(stt.transcribe(&request).await.unwrap().text, "Open the settings window.");
    }
    for _ in 0..2 {
        let request = TtsRequest {
            model: "gemini-3.8-flash-lite-tts".into(),
            voice: String::new(),
            text: "Good morning.".into(),
        };
        let pieces: Vec<SpeechPiece> = tts.speak(&request).await.unwrap().try_collect().await.unwrap();
        let samples: usize =
            pieces.iter().map(|piece| if let SpeechPiece::Pcm(pcm) = piece { pcm.samples.len() } else { 0 }).sum();
        assert_eq!(samples, 240);
    }
    let sent: Vec<Value> = server.requests().iter().map(|request| body(request)).collect();
    assert!(sent[0]["contents"][0]["parts"][1]["text"].as_str().unwrap().contains("output nothing"));
    assert!(sent[1]["contents"][0]["parts"].as_array().unwrap().len() == 1);
    assert_eq!(sent[1]["generationConfig"]["audioTranscriptionConfig"]["mode"], "VERBATIM");
    assert_eq!(sent[2]["generationConfig"]["responseFormat"]["audio"]["mimeType"], "AUDIO_L16");
    assert!(sent[2].get("systemInstruction").is_none(), "trap 27: these models refuse it");
}

#[tokio::test]
async fn gemini_lists_all_pages() {
    let server = scripted::start(vec![
        scripted::json(&recorded::text("gemini_models.json")),
        scripted::json(&recorded::text("gemini_models_page2.json")),
    ])
    .await;
    let account = at("gemini", &server.base, Some(KEY), None).account.unwrap();
    assert_eq!(account.models().await.unwrap().len(), 4);
    assert!(server.requests()[1].starts_with("GET /models?pageSize=1000&pageToken=cGFnZS0y "));
}

#[tokio::test]
async fn servers_are_spoken_to_in_their_own_way() {
    let server = scripted::start(vec![
        scripted::json(&recorded::text("whispercpp_verbose.json")),
        scripted::json(&recorded::text("openrouter_stt.json")),
        scripted::json(&recorded::text("openai_transcription_json.json")),
        scripted::events(&recorded::bytes("ollama_chat_stream.sse")),
        scripted::json(&recorded::text("ollama_models.json")),
        scripted::json(&recorded::text("ollama_show_capabilities.json")),
        scripted::json(&recorded::text("lmstudio_native_models.json")),
        scripted::json(&recorded::text("kokoro_voices.json")),
    ])
    .await;
    let preset = |name: &str| at("openai_compatible", &server.base, Some(KEY), Some(name));
    for name in ["whispercpp", "openrouter", "openai"] {
        assert_eq!(
            preset(name).stt.unwrap().transcribe(&recording()).await.unwrap().text,
            "Open the settings window.",
            "{name}"
        );
    }
    assert_eq!(collect(preset("ollama").chat.unwrap().chat(&question("qwen3:8b")).await).await.0, "Hi");
    assert_eq!(preset("ollama").account.unwrap().models().await.unwrap()[0].context, Some(262_144));
    assert_eq!(preset("lmstudio").account.unwrap().models().await.unwrap()[0].context, Some(8192));
    assert_eq!(preset("kokoro").account.unwrap().voices().await.unwrap()[0].id, "af_heart");
    let requests = server.requests();
    let lines: Vec<&str> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "POST /inference HTTP/1.1",
            "POST /v1/audio/transcriptions HTTP/1.1",
            "POST /v1/audio/transcriptions HTTP/1.1",
            "POST /v1/chat/completions HTTP/1.1",
            "GET /v1/models HTTP/1.1",
            "POST /api/show HTTP/1.1",
            "GET /api/v1/models HTTP/1.1",
            "GET /v1/audio/voices HTTP/1.1",
        ]
    );
    assert_eq!(body(&requests[1])["input_audio"]["format"], "wav");
    let chat = body(&requests[3]);
    assert_eq!((&chat["max_tokens"], &chat["stream_options"]["include_usage"]), (&64.into(), &true.into()));
}

#[tokio::test]
async fn what_a_server_does_not_offer_is_absent() {
    let services = at("openai_compatible", "http://127.0.0.1:9/", None, Some("kokoro"));
    assert!(services.tts.is_some() && services.stt.is_none() && services.chat.is_none());
}
