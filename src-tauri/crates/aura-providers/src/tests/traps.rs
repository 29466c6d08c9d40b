//! Known pitfalls of real servers that show in complete calls. Others are tested beside their decoders, and their effect on a user in
//! `aura-core/tests/traps`.

use futures::TryStreamExt;
use serde_json::{Value, json};

use super::*;
use crate::wire::{recorded, scripted};

/// Without a user agent, Groq's gateway replies 403 (error code: 1010).
#[tokio::test]
async fn trap_01_every_request_has_a_user_agent() {
    let wav = scripted::reply("200 OK", "content-type: audio/wav\r\n", &recorded::bytes("speech_ok_24k.wav"));
    let server = scripted::start(vec![
        scripted::json(&recorded::text("groq_transcription_json.json")),
        scripted::events(&recorded::bytes("groq_chat_stream.sse")),
        wav,
        scripted::json(&recorded::text("groq_models.json")),
        scripted::reply("404 Not Found", "", b""),
    ])
    .await;
    let groq = at("groq", &server.base, Some(KEY), None);
    groq.stt.unwrap().transcribe(&recording()).await.unwrap();
    collect(groq.chat.unwrap().chat(&question("m")).await).await.1.unwrap();
    samples(groq.tts.unwrap().speak(&sentence("m")).await.unwrap()).await;
    let models = groq.models.unwrap();
    models.models().await.unwrap();
    models.preconnect().await;
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    for request in requests {
        assert!(request.to_lowercase().contains("\r\nuser-agent: aura/"), "{request}");
    }
    // The gateway's refusal has an explanation.
    let text = recorded::bytes("groq_error_403_cloudflare_1010.txt");
    let server = scripted::start(vec![scripted::reply("403 Forbidden", "", &text)]).await;
    let failure = at("groq", &server.base, Some(KEY), None).models.unwrap().models().await.unwrap_err();
    assert!(failure.message.contains("gateway refused this connection"), "{}", failure.message);
}

/// 200 characters, WAV only, terms to accept, and a hundred requests a day.
#[tokio::test]
async fn trap_09_requests_to_orpheus_keep_its_limits() {
    let wav = || scripted::reply("200 OK", "content-type: audio/wav\r\n", &recorded::bytes("speech_ok_24k.wav"));
    let refused = |status: &str, name: &str| scripted::reply(status, "", &recorded::bytes(name));
    let server = scripted::start(vec![
        wav(),
        wav(),
        refused("400 Bad Request", "groq_error_400_model_terms_required.json"),
        refused("429 Too Many Requests", "groq_error_429_rpd.json"),
    ])
    .await;
    let tts = at("groq", &server.base, Some(KEY), None).tts.unwrap();
    let catalog = Catalog::embedded();
    let model = catalog.default_model("groq", Service::Tts).unwrap();
    assert!(tts.max_chars(model) <= 190 && tts.max_chars("anything/new") <= 190, "the limit, with a margin");

    let mut request = SpeechRequest { text: "ä".repeat(190), ..sentence(model) };
    request.options = SpeechOptions { style: Some("cheerful".into()), speed: Some(2.0), ..SpeechOptions::default() };
    samples(tts.speak(&request).await.unwrap()).await;
    request.text = "Good morning.".into();
    samples(tts.speak(&request).await.unwrap()).await;
    let sent: Vec<Value> = server.requests().iter().map(|request| body(request)).collect();
    assert_eq!(sent[0]["input"].as_str().unwrap().chars().count(), 190, "the style direction would not fit");
    assert_eq!(sent[1]["input"], "[cheerful] Good morning.");
    assert!(sent.iter().all(|body| body["response_format"] == "wav" && body.get("speed").is_none()));

    let terms = tts.speak(&request).await.err().unwrap();
    assert_eq!((terms.kind, terms.detail), (FailureKind::ModelGone, Some(FailureDetail::NotEntitled)));
    assert!(terms.message.contains("terms must be accepted"), "{}", terms.message);
    assert_eq!(tts.speak(&request).await.err().unwrap().kind, FailureKind::Quota, "the daily quota is used up");
}

/// A reasoning model may spend all tokens on reasoning. So its token limit has a minimum, its effort is low, and an answer without text
/// is recognisable.
#[tokio::test]
async fn trap_12_reasoning_models_get_a_minimum_token_limit() {
    let thought = json!({"choices": [{"delta": {"reasoning": "Let me see.", "channel": "analysis"}}]});
    let full = json!({"choices": [{"delta": {}, "finish_reason": "length"}]});
    let stream = format!("data: {thought}\n\ndata: {full}\n\ndata: [DONE]\n\n");
    let reply = || scripted::events(stream.as_bytes());
    let server = scripted::start(vec![reply(), reply(), reply()]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let catalog = Catalog::embedded();
    let model = catalog.default_model("groq", Service::Llm).unwrap();
    let events: Vec<ChatEvent> = chat.chat(&question(model)).await.unwrap().try_collect().await.unwrap();
    assert!(
        matches!(events.as_slice(), [ChatEvent::Thinking, ChatEvent::End { finish: FinishReason::Length, .. }]),
        "{events:?}"
    );
    let more = ChatRequest { max_tokens: Some(2_048), ..question(model) };
    collect(chat.chat(&more).await).await.1.unwrap();
    collect(chat.chat(&question("a/model-without-reasoning")).await).await.1.unwrap();
    let sent: Vec<Value> = server.requests().iter().map(|request| body(request)).collect();
    assert_eq!(sent[0]["reasoning_effort"], "low", "the effort is low");
    let limits: Vec<&Value> = sent.iter().map(|body| &body["max_completion_tokens"]).collect();
    assert_eq!(limits, [512, 2_048, 64], "at least 512 for a reasoning model");
}

/// Models accept different reasoning efforts.
#[test]
fn trap_13_each_model_gets_an_effort_that_it_accepts() {
    use ReasoningEffort::*;
    let effort = |model: &str, requested| {
        let catalog = Catalog::embedded();
        let efforts = &catalog.limits("groq", model).efforts;
        let base = catalog.params("groq", model);
        wire::effort::params(base, requested, efforts, false).and_then(|params| params.get("reasoning_effort").cloned())
    };
    for requested in [Option::None, Some(None), Some(Minimal), Some(Low)] {
        assert_eq!(effort("openai/gpt-oss-20b", requested), Some(json!("low")), "it rejects `none`: {requested:?}");
    }
    assert_eq!(effort("openai/gpt-oss-20b", Some(High)), Some(json!("high")));
    assert_eq!(effort("qwen/qwen3.8-27b", Option::None), Some(json!("none")));
    assert_eq!(effort("qwen/qwen3.8-27b", Some(Medium)), Some(json!("medium")));
    for requested in [Low, Medium, High] {
        assert_eq!(
            effort("qwen/qwen3-32b", Some(requested)),
            Some(json!("none")),
            "it rejects `{}`",
            requested.as_str()
        );
        assert_eq!(effort("a/model-of-tomorrow", Some(requested)), Option::None, "an unknown model gets no effort");
    }
}

/// Groq supports JSON output neither with streaming nor with tools.
#[tokio::test]
async fn trap_14_json_output_is_not_combined_with_streaming_or_tools() {
    let server = scripted::start(vec![scripted::json(&recorded::text("groq_chat.json"))]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let mut request = ChatRequest { format: ResponseFormat::Json, ..question("m") };
    assert_eq!(collect(chat.chat(&request).await).await.0, "Hello there.");
    assert_eq!(body(&server.requests()[0])["stream"], false);
    request.tools = vec![Tool { name: "clock".into(), description: None, parameters: None, strict: None }];
    assert_eq!(chat.chat(&request).await.err().unwrap().kind, FailureKind::Unsupported);
    assert_eq!(server.requests().len(), 1, "the second request was not sent");
}

/// Groq accepts three images and 4 MB of base64. Images of earlier questions are dropped; those of the last one must fit.
#[tokio::test]
async fn trap_15_the_number_and_size_of_images_are_limited() {
    let catalog = Catalog::embedded();
    let model = catalog.default_model("groq", Service::Vlm).unwrap();
    let shown = |count: usize, size: usize| {
        let mut message = Message::new(Role::User, "this");
        message.parts.extend((0..count).map(|_| ContentPart::Image(Bytes::from(vec![0xff; size]))));
        message
    };
    let sample_request = |messages| ChatRequest { messages, ..question(model) };
    let good = || scripted::events(&recorded::bytes("groq_chat_stream.sse"));
    let server = scripted::start(vec![good(), good(), good()]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();

    let earlier = vec![shown(2, 9), Message::new(Role::Assistant, "I see."), shown(1, 9), shown(2, 9)];
    collect(chat.chat(&sample_request(earlier)).await).await.1.unwrap();
    collect(chat.chat(&sample_request(vec![shown(1, 2_000_000), shown(1, 2_000_000)])).await).await.1.unwrap();
    collect(chat.chat(&sample_request(vec![shown(3, 9)])).await).await.1.unwrap();
    let images: Vec<Vec<usize>> = server
        .requests()
        .iter()
        .map(|request| {
            let messages = body(request)["messages"].clone();
            let of = |message: &Value| {
                let parts = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
                parts.iter().filter(|part| part["type"] == "image_url").count()
            };
            messages.as_array().unwrap().iter().skip(1).map(of).collect()
        })
        .collect();
    assert_eq!(images, [vec![0, 0, 1, 2], vec![0, 1], vec![3]]);
    assert!(server.requests()[0].contains("a picture that was shown earlier"));

    for too_much in [shown(4, 9), shown(1, 3_200_000)] {
        assert_eq!(chat.chat(&sample_request(vec![too_much])).await.err().unwrap().kind, FailureKind::Unsupported);
    }
    assert_eq!(server.requests().len(), 3, "a request over the limit is not sent");
}

/// The newest models reject the thinking level `minimal`. The first call fails, and later ones use `low`.
#[tokio::test]
async fn trap_24_a_model_that_rejects_minimal_is_remembered() {
    let refused = || scripted::reply("400 Bad Request", "", &recorded::bytes("gemini_error_400_thinking_level.json"));
    let good = || scripted::events(&recorded::bytes("gemini_stream.sse"));
    let server = scripted::start(vec![refused(), good(), good(), refused()]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    let sampling = Sampling { temperature: Some(0.2), top_p: Some(0.5), ..Sampling::default() };
    let request = ChatRequest { sampling, top_k: Some(5), ..question("gemini-99-flash-unheard-of") };
    let failure = collect(chat.chat(&request).await).await.1.unwrap_err();
    assert_eq!(failure.detail, Some(FailureDetail::RequestAdjusted), "{failure:?}");
    for _ in 0..2 {
        assert!(collect(chat.chat(&request).await).await.1.is_ok());
    }
    assert_eq!(collect(chat.chat(&request).await).await.1.unwrap_err().detail, None, "a second rejection is final");
    let configs: Vec<Value> =
        server.requests().iter().map(|request| body(request)["generationConfig"].clone()).collect();
    let levels: Vec<&Value> = configs.iter().map(|config| &config["thinkingConfig"]["thinkingLevel"]).collect();
    assert_eq!(levels, ["minimal", "low", "low", "low"]);
    for name in ["temperature", "topP", "topK"] {
        assert!(configs[0].get(name).is_none(), "{name} is ignored by current models and will be rejected");
    }
}

/// Speech models reject text output and system instructions, and sometimes fail with 500, which a retry solves.
#[tokio::test]
async fn trap_27_speech_models_get_only_the_text_to_speak() {
    let server = scripted::start(vec![
        scripted::events(&recorded::bytes("gemini_tts_stream.sse")),
        scripted::reply("500 Internal Server Error", "", &recorded::bytes("gemini_error_500.json")),
        scripted::reply("400 Bad Request", "", &recorded::bytes("gemini_error_400_modalities.json")),
        scripted::reply("400 Bad Request", "", &recorded::bytes("gemini_error_400_tts_system_instruction.json")),
    ])
    .await;
    let tts = at("gemini", &server.base, Some(KEY), None).tts.unwrap();
    let say = sentence("gemini-3.8-flash-lite-tts");
    assert_eq!(samples(tts.speak(&say).await.unwrap()).await, 240);
    let sent = body(&server.requests()[0]);
    assert!(sent.get("systemInstruction").is_none() && sent.get("tools").is_none());
    assert_eq!(sent["generationConfig"]["responseModalities"], json!(["AUDIO"]));
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(tts.speak(&say).await.err().unwrap().kind);
    }
    assert_eq!(kinds, [FailureKind::Overloaded, FailureKind::Unsupported, FailureKind::Unsupported]);
}

/// Aliases with `-latest` change their target, and retired names are redirected silently; the usage has the model that answered.
#[tokio::test]
async fn trap_28_the_usage_names_the_model_that_answered() {
    let moved = recorded::text("gemini_stream.sse").replace("gemini-3.5-flash-lite", "gemini-9.1-flash");
    assert!(moved.contains("gemini-9.1-flash"));
    let server = scripted::start(vec![scripted::events(moved.as_bytes())]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    let usage = collect(chat.chat(&question("gemini-flash-latest")).await).await.1.unwrap();
    assert!(server.requests()[0].starts_with("POST /models/gemini-flash-latest:"));
    assert_eq!(usage.model.as_deref(), Some("gemini-9.1-flash"));
}

/// The Interactions API stores conversations by default, so it is not used.
#[tokio::test]
async fn trap_30_no_request_is_stored_by_the_provider() {
    let server = scripted::start(vec![
        scripted::json(&recorded::text("gemini_stt.json")),
        scripted::events(&recorded::bytes("gemini_stream.sse")),
        scripted::events(&recorded::bytes("gemini_tts_stream.sse")),
    ])
    .await;
    let gemini = at("gemini", &server.base, Some(KEY), None);
    gemini
        .stt
        .unwrap()
        .transcribe(&TranscriptionRequest { model: "gemini-3.5-transcribe".into(), ..recording() })
        .await
        .unwrap();
    collect(gemini.chat.unwrap().chat(&question("gemini-3.5-flash-lite")).await).await.1.unwrap();
    samples(gemini.tts.unwrap().speak(&sentence("gemini-3.8-flash-lite-tts")).await.unwrap()).await;
    for request in server.requests() {
        assert!(!request.lines().next().unwrap().contains("interactions"), "{request}");
        assert_ne!(body(&request)["store"], true);
    }
}

/// A key in a URL would be part of messages and logs.
#[tokio::test]
async fn trap_31_the_key_is_in_a_header_and_no_message_has_a_url() {
    let server = scripted::start(vec![scripted::events(&recorded::bytes("gemini_stream.sse"))]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    collect(chat.chat(&question("m")).await).await.1.unwrap();
    let request = &server.requests()[0];
    assert!(!request.lines().next().unwrap().contains(KEY));
    assert!(request.contains(&format!("x-goog-api-key: {KEY}")));
    // The server has stopped.
    let failure = collect(chat.chat(&question("m")).await).await.1.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(!failure.message.contains("http://") && !failure.message.contains(KEY), "{}", failure.message);
}

/// One connection pool, no compression, and no timeout but the one for connecting. Timeouts of streams belong to the caller
/// (`aura-core/tests/traps`).
#[tokio::test]
async fn trap_35_the_client_has_no_stream_timeout_and_reuses_connections() {
    let bytes = recorded::bytes("groq_chat_stream.sse");
    let reply = scripted::slowly(scripted::events(&bytes), 9);
    let server = scripted::start(vec![reply]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    assert!(collect(chat.chat(&question("m")).await).await.1.is_ok());
    assert!(!server.requests()[0].to_lowercase().contains("accept-encoding"));
    // Read from the configuration, because a connection does not show it.
    let http = format!("{:?}", HttpPools::new(HttpTimeouts::default()).unwrap());
    assert!(!http.contains("read_timeout") && !http.contains(" timeout:"), "{http}");
    let (connect, no_delay) = (HttpTimeouts::default().connect, http::NO_DELAY);
    assert!(connect <= Duration::from_secs(5) && no_delay);

    // The second request reuses the connection: the server accepts no other.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut requests = 0;
        let mut buffer = vec![0; 65_536];
        while requests < 2 && socket.read(&mut buffer).await.unwrap_or(0) > 0 {
            requests += 1;
            let body = recorded::text("groq_models.json");
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        requests
    });
    let models = at("groq", &base, Some(KEY), None).models.unwrap();
    models.models().await.unwrap();
    models.models().await.unwrap();
    assert_eq!(served.await.unwrap(), 2);
}
