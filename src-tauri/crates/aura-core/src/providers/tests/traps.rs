//! What real servers are known to trip a client with, where the whole call shows it. The others are beside their codecs, and what
//! the person gets of them is in `tests/traps` of this crate.

use futures::TryStreamExt;
use serde_json::{Value, json};

use super::*;
use crate::providers::wire::{recorded, scripted};

/// Without one Groq's gate answers 403 (error code: 1010).
#[tokio::test]
async fn trap_01_every_call_names_its_user_agent() {
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
    let account = groq.account.unwrap();
    account.models().await.unwrap();
    account.warm().await;
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    for request in requests {
        assert!(request.to_lowercase().contains("\r\nuser-agent: aura/"), "{request}");
    }
    // And what is answered without one is told for what it is.
    let text = recorded::bytes("groq_error_403_cloudflare_1010.txt");
    let server = scripted::start(vec![scripted::reply("403 Forbidden", "", &text)]).await;
    let failure = at("groq", &server.base, Some(KEY), None).account.unwrap().models().await.unwrap_err();
    assert!(failure.message.contains("gate refused this connection"), "{}", failure.message);
}

/// 200 characters, WAV alone, terms to accept, nothing without a letter, and a hundred requests a day.
#[tokio::test]
async fn trap_09_what_orpheus_wants() {
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
    let model = crate::catalog::default_model("groq", Service::Tts).unwrap();
    assert!(tts.max_chars(model) <= 190 && tts.max_chars("anything/new") <= 190, "the cap, with a margin");
    let long = format!("{} --- !!! ... {}", "word ".repeat(80), "ä".repeat(400));
    for part in crate::turn::split_to(&long, tts.max_chars(model)) {
        assert!(part.chars().count() <= 190 && part.chars().any(char::is_alphanumeric), "{part}");
    }
    assert!(crate::turn::split_to("... !!! — ?", 190).is_empty(), "nothing to say is not sent");

    let mut asked = TtsRequest { text: "ä".repeat(190), ..sentence(model) };
    asked.delivery = Delivery { style: Some("cheerful".into()), speed: Some(2.0), ..Delivery::default() };
    samples(tts.speak(&asked).await.unwrap()).await;
    asked.text = "Good morning.".into();
    samples(tts.speak(&asked).await.unwrap()).await;
    let sent: Vec<Value> = server.requests().iter().map(|request| body(request)).collect();
    assert_eq!(sent[0]["input"].as_str().unwrap().chars().count(), 190, "no room for the direction");
    assert_eq!(sent[1]["input"], "[cheerful] Good morning.");
    assert!(sent.iter().all(|body| body["response_format"] == "wav" && body.get("speed").is_none()));

    let terms = tts.speak(&asked).await.err().unwrap();
    assert_eq!((terms.class, terms.not_offered), (Class::ModelGone, true));
    assert!(terms.message.contains("terms must be accepted"), "{}", terms.message);
    assert_eq!(tts.speak(&asked).await.err().unwrap().class, Class::Quota, "a hundred a day are used up");
}

/// A model that reasons may spend all its tokens on it. It is given room enough, asked to think little, and what came of it is told
/// apart from an answer, so that there is more room the next time.
#[tokio::test]
async fn trap_12_there_is_room_for_words_behind_the_thoughts() {
    let thought = json!({"choices": [{"delta": {"reasoning": "Let me see.", "channel": "analysis"}}]});
    let full = json!({"choices": [{"delta": {}, "finish_reason": "length"}]});
    let stream = format!("data: {thought}\n\ndata: {full}\n\ndata: [DONE]\n\n");
    let act = || scripted::events(stream.as_bytes());
    let server = scripted::start(vec![act(), act(), act()]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let model = crate::catalog::default_model("groq", Service::Llm).unwrap();
    let pieces: Vec<ChatPiece> = chat.chat(&question(model)).await.unwrap().try_collect().await.unwrap();
    assert!(
        matches!(pieces.as_slice(), [ChatPiece::Thinking, ChatPiece::End { finish: Finish::Length, .. }]),
        "{pieces:?}"
    );
    let more = ChatRequest { max_tokens: Some(2_048), ..question(model) };
    collect(chat.chat(&more).await).await.1.unwrap();
    collect(chat.chat(&question("a/model-that-does-not-think")).await).await.1.unwrap();
    let sent: Vec<Value> = server.requests().iter().map(|request| body(request)).collect();
    assert_eq!(sent[0]["reasoning_effort"], "low", "it is asked to think little");
    let room: Vec<&Value> = sent.iter().map(|body| &body["max_completion_tokens"]).collect();
    assert_eq!(room, [512, 2_048, 64], "no less than 512, where it thinks");
}

/// How much a model thinks is said in words that another model refuses.
#[test]
fn trap_13_each_model_is_asked_to_think_in_its_own_words() {
    use Effort::*;
    let effort = |model: &str, wish| {
        let efforts = &crate::catalog::limits("groq", model).efforts;
        let base = crate::catalog::reasoning("groq", model);
        wire::effort::params(base, wish, efforts, false).and_then(|params| params.get("reasoning_effort").cloned())
    };
    for wish in [Option::None, Some(None), Some(Minimal), Some(Low)] {
        assert_eq!(effort("openai/gpt-oss-20b", wish), Some(json!("low")), "it refuses `none`: {wish:?}");
    }
    assert_eq!(effort("openai/gpt-oss-20b", Some(High)), Some(json!("high")));
    assert_eq!(effort("qwen/qwen3.8-27b", Option::None), Some(json!("none")));
    assert_eq!(effort("qwen/qwen3.8-27b", Some(Medium)), Some(json!("medium")));
    for wish in [Low, Medium, High] {
        assert_eq!(effort("qwen/qwen3-32b", Some(wish)), Some(json!("none")), "it refuses `{}`", wish.as_str());
        assert_eq!(effort("a/model-of-tomorrow", Some(wish)), Option::None, "what is not known is not asked for");
    }
}

/// Groq's JSON is neither streamed nor combined with tools.
#[tokio::test]
async fn trap_14_json_is_not_combined_with_streams_or_tools() {
    let server = scripted::start(vec![scripted::json(&recorded::text("groq_chat.json"))]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let mut asked = ChatRequest { format: AnswerFormat::Json, ..question("m") };
    assert_eq!(collect(chat.chat(&asked).await).await.0, "Hello there.");
    assert_eq!(body(&server.requests()[0])["stream"], false);
    asked.tools = vec![Tool { name: "clock".into(), description: None, parameters: None, strict: None }];
    assert_eq!(chat.chat(&asked).await.err().unwrap().class, Class::Unsupported);
    assert_eq!(server.requests().len(), 1, "the second one was not sent");
}

/// Four megabytes of base64 in all and three pictures: those of earlier questions make room, those of the last one must fit.
#[tokio::test]
async fn trap_15_pictures_are_few_and_small() {
    let model = crate::catalog::default_model("groq", Service::Vlm).unwrap();
    let shown = |count: usize, size: usize| {
        let mut message = Message::new(Role::User, "this");
        message.parts.extend((0..count).map(|_| Part::Image(Bytes::from(vec![0xff; size]))));
        message
    };
    let asked = |messages| ChatRequest { messages, ..question(model) };
    let good = || scripted::events(&recorded::bytes("groq_chat_stream.sse"));
    let server = scripted::start(vec![good(), good(), good()]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();

    let earlier = vec![shown(2, 9), Message::new(Role::Assistant, "I see."), shown(1, 9), shown(2, 9)];
    collect(chat.chat(&asked(earlier)).await).await.1.unwrap();
    collect(chat.chat(&asked(vec![shown(1, 2_000_000), shown(1, 2_000_000)])).await).await.1.unwrap();
    collect(chat.chat(&asked(vec![shown(3, 9)])).await).await.1.unwrap();
    let pictures: Vec<Vec<usize>> = server
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
    assert_eq!(pictures, [vec![0, 0, 1, 2], vec![0, 1], vec![3]]);
    assert!(server.requests()[0].contains("a picture that was shown earlier"));

    for too_much in [shown(4, 9), shown(1, 3_200_000)] {
        assert_eq!(chat.chat(&asked(vec![too_much])).await.err().unwrap().class, Class::Unsupported);
    }
    assert_eq!(server.requests().len(), 3, "what cannot be taken is not sent");
}

/// The newest models refuse `minimal`. The call fails once, and is another one from then on; the router makes it.
#[tokio::test]
async fn trap_24_a_model_that_thinks_at_least_a_little_is_remembered() {
    let refused = || scripted::reply("400 Bad Request", "", &recorded::bytes("gemini_error_400_thinking_level.json"));
    let good = || scripted::events(&recorded::bytes("gemini_stream.sse"));
    let server = scripted::start(vec![refused(), good(), good(), refused()]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    let sampling = Sampling { temperature: Some(0.2), top_p: Some(0.5), ..Sampling::default() };
    let asked = ChatRequest { sampling, top_k: Some(5), ..question("gemini-99-flash-unheard-of") };
    let failure = collect(chat.chat(&asked).await).await.1.unwrap_err();
    assert!(failure.learnt, "{failure:?}");
    for _ in 0..2 {
        assert!(collect(chat.chat(&asked).await).await.1.is_ok());
    }
    assert!(!collect(chat.chat(&asked).await).await.1.unwrap_err().learnt, "it is not asked for ever");
    let configs: Vec<Value> =
        server.requests().iter().map(|request| body(request)["generationConfig"].clone()).collect();
    let levels: Vec<&Value> = configs.iter().map(|config| &config["thinkingConfig"]["thinkingLevel"]).collect();
    assert_eq!(levels, ["minimal", "low", "low", "low"]);
    for name in ["temperature", "topP", "topK"] {
        assert!(configs[0].get(name).is_none(), "{name} is ignored today and refused tomorrow");
    }
}

/// Models that speak refuse text and a system instruction, and fail with 500 at times, which is worth asking again.
#[tokio::test]
async fn trap_27_models_that_speak_are_only_given_what_they_say() {
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
    let mut classes = Vec::new();
    for _ in 0..3 {
        classes.push(tts.speak(&say).await.err().unwrap().class);
    }
    assert_eq!(classes, [Class::Overloaded, Class::Unsupported, Class::Unsupported]);
}

/// What `-latest` means moves, and old names are sent on to other models in silence; the one that really answered is kept.
#[tokio::test]
async fn trap_28_the_model_that_answered_is_kept() {
    let moved = recorded::text("gemini_stream.sse").replace("gemini-3.5-flash-lite", "gemini-9.1-flash");
    assert!(moved.contains("gemini-9.1-flash"));
    let server = scripted::start(vec![scripted::events(moved.as_bytes())]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    let usage = collect(chat.chat(&question("gemini-flash-latest")).await).await.1.unwrap();
    assert!(server.requests()[0].starts_with("POST /models/gemini-flash-latest:"));
    assert_eq!(usage.model.as_deref(), Some("gemini-9.1-flash"));
}

/// The Interactions dialect stores what it is told unless it is forbidden to. It is not spoken, and nothing is stored.
#[tokio::test]
async fn trap_30_nothing_is_sent_that_is_stored() {
    let server = scripted::start(vec![
        scripted::json(&recorded::text("gemini_stt.json")),
        scripted::events(&recorded::bytes("gemini_stream.sse")),
        scripted::events(&recorded::bytes("gemini_tts_stream.sse")),
    ])
    .await;
    let gemini = at("gemini", &server.base, Some(KEY), None);
    gemini.stt.unwrap().transcribe(&SttRequest { model: "gemini-3.5-transcribe".into(), ..recording() }).await.unwrap();
    collect(gemini.chat.unwrap().chat(&question("gemini-3.5-flash-lite")).await).await.1.unwrap();
    samples(gemini.tts.unwrap().speak(&sentence("gemini-3.8-flash-lite-tts")).await.unwrap()).await;
    for request in server.requests() {
        assert!(!request.lines().next().unwrap().contains("interactions"), "{request}");
        assert_ne!(body(&request)["store"], true);
    }
}

/// A key in an address would be in every message about it.
#[tokio::test]
async fn trap_31_the_key_is_in_a_header_and_no_message_has_an_address() {
    let server = scripted::start(vec![scripted::events(&recorded::bytes("gemini_stream.sse"))]).await;
    let chat = at("gemini", &server.base, Some(KEY), None).chat.unwrap();
    collect(chat.chat(&question("m")).await).await.1.unwrap();
    let request = &server.requests()[0];
    assert!(!request.lines().next().unwrap().contains(KEY));
    assert!(request.contains(&format!("x-goog-api-key: {KEY}")));
    // Nobody is there any more.
    let failure = collect(chat.chat(&question("m")).await).await.1.unwrap_err();
    assert_eq!(failure.class, Class::Unreachable);
    assert!(!failure.message.contains("http://") && !failure.message.contains(KEY), "{}", failure.message);
}

/// One pool of connections, no compression of streams, and no clock of the client's own but the one for connecting: whether a
/// stream stands still too long is the router's to say (`tests/traps`).
#[tokio::test]
async fn trap_35_the_client_has_no_clock_for_streams_and_keeps_its_connections() {
    let bytes = recorded::bytes("groq_chat_stream.sse");
    let act = scripted::slowly(scripted::events(&bytes), 9);
    let server = scripted::start(vec![act]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    assert!(collect(chat.chat(&question("m")).await).await.1.is_ok());
    assert!(!server.requests()[0].to_lowercase().contains("accept-encoding"));
    // Read as configured, because a connection shows none of it.
    let http = format!("{:?}", Http::new(Waits::default()).unwrap());
    assert!(!http.contains("read_timeout") && !http.contains(" timeout:"), "{http}");
    let (connect, no_delay) = (Waits::default().connect, wire::http::NO_DELAY);
    assert!(connect <= Duration::from_secs(5) && no_delay);

    // A second question finds the connection of the first: the server takes no other.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let asked_twice = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = 0;
        let mut buffer = vec![0; 65_536];
        while asked < 2 && socket.read(&mut buffer).await.unwrap_or(0) > 0 {
            asked += 1;
            let body = recorded::text("groq_models.json");
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        asked
    });
    let account = at("groq", &base, Some(KEY), None).account.unwrap();
    account.models().await.unwrap();
    account.models().await.unwrap();
    assert_eq!(asked_twice.await.unwrap(), 2);
}
