//! Successful calls.

use futures::StreamExt;
use serde_json::Value;

use super::*;
use crate::wire::{recorded, scripted};

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
    assert!(request.contains("verbose_json") && request.contains("name=\"language\"\r\n\r\nen\r\n"));
}

#[tokio::test]
async fn groq_streams_an_answer_cut_anywhere() {
    let reply = scripted::slowly(scripted::events(&recorded::bytes("groq_chat_stream.sse")), 97);
    let server = scripted::start(vec![reply]).await;
    let catalog = Catalog::embedded();
    let model = catalog.default_model("groq", Service::Llm).unwrap();
    let (text, usage) =
        collect(at("groq", &server.base, Some(KEY), None).chat.unwrap().chat(&question(model)).await).await;
    assert_eq!((text.as_str(), usage.unwrap().output_tokens), ("Hello — café 👋", Some(12)));
    let sent = body(&server.requests()[0]);
    assert_eq!(
        (&sent["reasoning_effort"], &sent["max_completion_tokens"], &sent["stream"]),
        (&"low".into(), &512.into(), &true.into())
    );
    assert!(sent.get("stream_options").is_none() && sent.get("max_tokens").is_none());
}

#[tokio::test]
async fn groq_speaks_and_replaces_a_retired_voice() {
    let wav = recorded::bytes("speech_streamed_header_24k.wav");
    let server =
        scripted::start(vec![scripted::slowly(scripted::reply("200 OK", "content-type: audio/wav\r\n", &wav), 777)])
            .await;
    let tts = at("groq", &server.base, Some(KEY), None).tts.unwrap();
    let catalog = Catalog::embedded();
    let model = catalog.default_model("groq", Service::Tts).unwrap();
    assert!(tts.max_chars(model) <= 190 && tts.max_chars("anything/new") <= 190);
    let request = SpeechRequest { voice: "Arista-PlayAI".into(), ..sentence(model) };
    let events: Vec<SpeechEvent> = tts.speak(&request).await.unwrap().try_collect().await.unwrap();
    assert!(events.len() > 1, "the speech was not streamed");
    assert_eq!(samples(futures::stream::iter(events.into_iter().map(Ok)).boxed()).await, 2400);
    let sent = body(&server.requests()[0]);
    assert_eq!((&sent["voice"], &sent["response_format"]), (&"hannah".into(), &"wav".into()));
}

#[tokio::test]
async fn groq_lists_its_models() {
    let server = scripted::start(vec![scripted::json(&recorded::text("groq_models.json"))]).await;
    let models = at("groq", &server.base, Some(KEY), None).models.unwrap();
    assert_eq!(models.models().await.unwrap().len(), 6, "the inactive one is omitted");
}

#[tokio::test]
async fn gemini_answers() {
    let server = scripted::start(vec![scripted::events(&recorded::bytes("gemini_stream.sse"))]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    let (text, usage) = collect(chat.chat(&question("models/gemini-3.5-flash-lite")).await).await;
    assert_eq!(text, "The Général tab — 👍 is open.");
    assert_eq!(usage.unwrap().model.as_deref(), Some("gemini-3.5-flash-lite"));
    let request = &server.requests()[0];
    let line = request.lines().next().unwrap();
    assert_eq!(line, "POST /models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse HTTP/1.1");
}

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
        let request = TranscriptionRequest { model: model.into(), ..recording() };
        assert_eq!(stt.transcribe(&request).await.unwrap().text, "Open the settings window.");
    }
    for _ in 0..2 {
        let speech = tts.speak(&sentence("gemini-3.8-flash-lite-tts")).await.unwrap();
        assert_eq!(samples(speech).await, 240);
    }
    let sent: Vec<Value> = server.requests().iter().map(|request| body(request)).collect();
    assert!(sent[0]["contents"][0]["parts"][1]["text"].as_str().unwrap().contains("output nothing"));
    assert!(sent[1]["contents"][0]["parts"].as_array().unwrap().len() == 1);
    assert_eq!(sent[1]["generationConfig"]["audioTranscriptionConfig"]["mode"], "VERBATIM");
    assert_eq!(sent[2]["generationConfig"]["responseFormat"]["audio"]["mimeType"], "AUDIO_L16");
}

#[tokio::test]
async fn gemini_lists_all_pages() {
    let server = scripted::start(vec![
        scripted::json(&recorded::text("gemini_models.json")),
        scripted::json(&recorded::text("gemini_models_page2.json")),
    ])
    .await;
    let models = at("gemini", &server.base, Some(KEY), None).models.unwrap();
    assert_eq!(models.models().await.unwrap().len(), 5);
    assert!(server.requests()[1].starts_with("GET /models?pageSize=1000&pageToken=cGFnZS0y "));
}

#[tokio::test]
async fn each_preset_uses_the_endpoints_of_its_server() {
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
    assert_eq!(preset("ollama").models.unwrap().models().await.unwrap()[0].context, Some(262_144));
    assert_eq!(preset("lmstudio").models.unwrap().models().await.unwrap()[0].context, Some(8192));
    assert_eq!(preset("kokoro").models.unwrap().voices().await.unwrap()[0].id, "af_heart");
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

#[tokio::test]
async fn a_server_that_only_chats_transcribes_in_a_chat() {
    let answer = r#"{"choices":[{"message":{"content":" Good morning."},"finish_reason":"stop"}]}"#;
    let models = r#"{"data":[{"id":"hears","architecture":{"input_modalities":["text","audio"],"output_modalities":["text"]}}]}"#;
    let server = scripted::start(vec![scripted::json(answer), scripted::json(models)]).await;
    let llamacpp = at("openai_compatible", &server.base, None, Some("llamacpp"));
    assert_eq!(llamacpp.stt.unwrap().transcribe(&recording()).await.unwrap().text, "Good morning.");
    assert_eq!(llamacpp.models.unwrap().models().await.unwrap()[0].services, [Service::Stt, Service::Llm]);
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /v1/chat/completions "));
    assert_eq!(body(request)["messages"][0]["content"][0]["input_audio"]["format"], "wav");
}

#[tokio::test]
async fn what_was_said_is_translated_where_that_is_offered() {
    let good = || scripted::json(&recorded::text("groq_translation_json.json"));
    let server = scripted::start(vec![good(), good(), good()]).await;
    let sample_request = |model: &str| TranscriptionRequest { translate: true, model: model.into(), ..recording() };
    for (provider, preset, model) in [
        ("groq", None, "whisper-large-v3-turbo"),
        ("openai_compatible", Some("openai"), "gpt-transcribe"),
        ("openai_compatible", Some("whispercpp"), "whisper-1"),
    ] {
        let stt = at(provider, &server.base, Some(KEY), preset).stt.unwrap();
        assert_eq!(stt.transcribe(&sample_request(model)).await.unwrap().text, "Where is the train station?");
    }
    let requests = server.requests();
    let model = |name: &str| format!("name=\"model\"\r\n\r\n{name}\r\n");
    assert!(requests[0].starts_with("POST /audio/translations ") && requests[0].contains(&model("whisper-large-v3")));
    assert!(requests[1].starts_with("POST /v1/audio/translations ") && requests[1].contains(&model("whisper-1")));
    assert!(requests[2].starts_with("POST /inference ") && requests[2].contains("name=\"translate\""));
    let openrouter = at("openai_compatible", &server.base, Some(KEY), Some("openrouter")).stt.unwrap();
    assert_eq!(openrouter.transcribe(&sample_request("m")).await.unwrap_err().kind, FailureKind::Unsupported);
}
