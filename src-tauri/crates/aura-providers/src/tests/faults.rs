//! Failed calls and their failures.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::wire::{recorded, scripted};

async fn groq(acts: Vec<scripted::ScriptedReply>) -> (String, Failure, Vec<String>) {
    let server = scripted::start(acts).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let (text, result) = collect(chat.chat(&question("m")).await).await;
    (text, result.unwrap_err(), server.requests())
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let chat = at("groq", &base, Some(KEY), None).chat.unwrap();
    let failure = collect(chat.chat(&question("m")).await).await.1.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.message.contains("127.0.0.1") && failure.message.to_lowercase().contains("refused"), "{failure:?}");
    assert!(!failure.message.contains("http://"), "{failure:?}");
}

#[tokio::test]
async fn an_unknown_host_is_unreachable() {
    let chat = at("groq", "https://no-such-host.invalid/", Some(KEY), None).chat.unwrap();
    assert_eq!(collect(chat.chat(&question("m")).await).await.1.unwrap_err().kind, FailureKind::Unreachable);
}

#[tokio::test]
async fn plain_http_beyond_this_computer_carries_no_key() {
    let chat = at("groq", "http://no-such-host.invalid/", Some(KEY), None).chat.unwrap();
    let failure = collect(chat.chat(&question("m")).await).await.1.unwrap_err();
    assert_eq!(failure.kind, FailureKind::KeyRejected);
    assert!(failure.message.contains("not encrypted"), "{failure:?}");
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_unreachable() {
    assert_eq!(groq(vec![scripted::raw(b""), scripted::raw(b"")]).await.1.kind, FailureKind::Unreachable);
    assert_eq!(groq(vec![scripted::raw(b"HTTP/1.1 2"), scripted::raw(b"")]).await.1.kind, FailureKind::Unreachable);
    assert_eq!(groq(vec![scripted::events(b"")]).await.1.kind, FailureKind::Unreachable);
}

#[tokio::test]
async fn a_connection_broken_after_content_is_interrupted() {
    let bytes = recorded::bytes("groq_chat_stream.sse");
    let (text, failure, _) = groq(vec![scripted::cut("text/event-stream", &bytes[..900])]).await;
    assert_eq!((text.as_str(), failure.kind), ("Hello — café", FailureKind::Interrupted));
    let (text, failure, _) = groq(vec![scripted::cut("text/event-stream", &bytes[..100])]).await;
    assert_eq!((text.as_str(), failure.kind), ("", FailureKind::Unreachable));
}

#[tokio::test]
async fn a_complete_body_without_a_finish_reason_is_interrupted() {
    let bytes = recorded::bytes("groq_chat_stream.sse");
    let cut = bytes.len() / 2;
    let (text, failure, _) = groq(vec![scripted::events(&bytes[..cut])]).await;
    assert_eq!((text.as_str(), failure.kind), ("Hello — café", FailureKind::Interrupted));
}

#[tokio::test]
async fn broken_speech_is_interrupted_and_silent_speech_empty() {
    let wav = recorded::bytes("speech_streamed_header_24k.wav");
    let server = scripted::start(vec![
        scripted::cut("audio/wav", &wav[..2000]),
        scripted::reply("200 OK", "content-type: audio/wav\r\n", b""),
    ])
    .await;
    let tts = at("groq", &server.base, Some(KEY), None).tts.unwrap();
    let request = sentence("m");
    let mut speech = tts.speak(&request).await.unwrap();
    assert!(matches!(speech.try_next().await, Ok(Some(SpeechEvent::Pcm(_)))));
    let failure = loop {
        if let Err(failure) = speech.try_next().await.map(|event| event.expect("an end without a failure")) {
            break failure;
        }
    };
    assert_eq!(failure.kind, FailureKind::Interrupted);
    assert_eq!(tts.speak(&request).await.unwrap().try_next().await.unwrap_err().kind, FailureKind::Empty);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = scripted::start(vec![scripted::json("{}")]).await;
    let headers = format!("location: {}\r\n", other.base);
    let (_, failure, _) = groq(vec![scripted::reply("302 Found", &headers, b"")]).await;
    assert_eq!((failure.kind, failure.status), (FailureKind::Unreachable, Some(302)));
    assert!(other.requests().is_empty(), "the key would have been sent to another host");
}

#[tokio::test]
async fn a_rate_limit_has_its_retry_delay() {
    let headers = "retry-after: 7\r\nx-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 2.0325s\r\n";
    let (_, failure, _) =
        groq(vec![scripted::reply("429 Too Many Requests", headers, &recorded::bytes("groq_error_429_tpm.json"))])
            .await;
    assert_eq!((failure.kind, failure.retry_after), (FailureKind::RateLimited, Some(Duration::from_secs(7))));
    let headers = "x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 2.5s\r\n";
    let (_, failure, _) = groq(vec![scripted::reply("429 Too Many Requests", headers, b"slow down")]).await;
    assert_eq!(failure.retry_after, Some(Duration::from_millis(2500)));
}

#[tokio::test]
async fn a_key_in_an_error_reply_is_redacted() {
    let body = format!(
        "{{\"error\":{{\"message\":\"bad key {KEY} at https://x.example/?key={KEY}\",\"code\":\"invalid_api_key\"}}}}"
    );
    let (_, failure, _) = groq(vec![scripted::reply("401 Unauthorized", "", body.as_bytes())]).await;
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::KeyRejected, "bad key … at https://x.example/"));
    let long = format!("{} {KEY}", "x".repeat(280));
    let (_, failure, _) =
        groq(vec![scripted::reply("400 Bad Request", "", format!("{{\"error\":\"{long}\"}}").as_bytes())]).await;
    assert!(!failure.message.contains("gsk_test"), "{}", failure.message);
    let stream = format!("data: {{\"error\":{{\"message\":\"who is {KEY}?\"}}}}\n\n");
    let (_, failure, _) = groq(vec![scripted::events(stream.as_bytes())]).await;
    assert!(!failure.message.contains(KEY), "{}", failure.message);
}

#[tokio::test]
async fn missing_and_unsendable_keys_are_rejected() {
    for key in [None, Some(""), Some("  "), Some("two\nlines")] {
        for provider in ["groq", "gemini"] {
            let services = at(provider, "http://127.0.0.1:9/", key, None);
            let chat = collect(services.chat.unwrap().chat(&question("m")).await).await.1.unwrap_err();
            assert_eq!(chat.kind, FailureKind::KeyRejected, "{provider} {key:?}");
            assert_eq!(services.models.unwrap().models().await.unwrap_err().kind, FailureKind::KeyRejected);
            assert_eq!(
                services.stt.unwrap().transcribe(&recording()).await.unwrap_err().kind,
                FailureKind::KeyRejected
            );
        }
    }
}

/// A proxy may reply with a large page that contains the key.
#[tokio::test]
async fn trap_38_error_bodies_are_bounded_in_size_and_time() {
    let long = vec![b'x'; 300_000];
    let (_, failure, _) = groq(vec![scripted::reply("500 Internal Server Error", "", &long)]).await;
    assert_eq!(failure.kind, FailureKind::Overloaded);
    assert!(failure.message.chars().count() <= 300);

    let page = format!("<html><title>413 {KEY}</title>{}</html>", "x".repeat(200_000));
    let (_, failure, _) = groq(vec![scripted::reply("413 Payload Too Large", "", page.as_bytes())]).await;
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Unsupported, "413 …"));

    let head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 500\r\n\r\nover capac";
    let (_, failure, _) = groq(vec![scripted::hanging(scripted::raw(head))]).await;
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Overloaded, "over capac"));
}

#[tokio::test]
async fn web_pages_are_not_answers() {
    let page = recorded::bytes("groq_error_502.html");
    let (_, failure, _) = groq(vec![scripted::reply("200 OK", "content-type: text/html\r\n", &page)]).await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    let server = scripted::start(vec![scripted::reply("200 OK", "content-type: text/html\r\n", &page)]).await;
    let models = at("groq", &server.base, Some(KEY), None).models.unwrap();
    assert_eq!(models.models().await.unwrap_err().kind, FailureKind::Unreachable);
}

/// Errors with status 200, and the error format of each server.
#[tokio::test]
async fn trap_37_errors_of_every_server_are_read() {
    let nothing = || scripted::json(&recorded::text("lmstudio_200_unexpected_endpoint.json"));
    let server = scripted::start(vec![nothing(), nothing(), nothing()]).await;
    let services = at("openai_compatible", &server.base, None, Some("custom"));
    let mut kinds = vec![services.stt.unwrap().transcribe(&recording()).await.unwrap_err().kind];
    kinds.push(collect(services.chat.unwrap().chat(&question("m")).await).await.1.unwrap_err().kind);
    kinds.push(services.tts.unwrap().speak(&sentence("m")).await.unwrap().try_next().await.unwrap_err().kind);
    assert_eq!(kinds, [FailureKind::Unsupported; 3]);

    for (name, status, says) in [
        ("kokoro_error_400.json", "400 Bad Request", "Unsupported model"),
        ("fastapi_error_422.json", "422 Unprocessable", "Field required"),
        ("whispercpp_error_400.json", "400 Bad Request", "no 'file' field"),
    ] {
        let (_, failure, _) = groq(vec![scripted::reply(status, "", &recorded::bytes(name))]).await;
        assert!(failure.message.contains(says), "{name}: {}", failure.message);
    }
    // whisper.cpp labels plain text as HTML, and Ollama sends null for an empty list.
    let reply = scripted::reply("200 OK", "content-type: text/html\r\n", b" Good morning.\n");
    let empty = scripted::json(&recorded::text("ollama_models_empty.json"));
    let server = scripted::start(vec![reply, empty]).await;
    let at = |preset| at("openai_compatible", &server.base, None, Some(preset));
    assert_eq!(at("whispercpp").stt.unwrap().transcribe(&recording()).await.unwrap().text, "Good morning.");
    assert_eq!(at("ollama").models.unwrap().models().await.unwrap(), []);
}

/// With HTTP/1.1, a client cancels by closing the connection.
#[tokio::test]
async fn trap_36_dropping_the_answer_closes_the_connection() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let closed = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 65536];
        assert!(socket.read(&mut buffer).await.unwrap() > 0);
        socket.write_all(head).await.unwrap();
        while socket.read(&mut buffer).await.unwrap_or(0) > 0 {}
    });
    let stream = at("groq", &base, Some(KEY), None).chat.unwrap().chat(&question("m")).await.unwrap();
    drop(stream);
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("the connection stays open").unwrap();
}

/// Reads an HTTP/2 frame: its type, its stream id and its payload.
async fn frame(socket: &mut tokio::net::TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.ok()?;
    Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), body))
}

/// With HTTP/2, a client cancels with RST_STREAM, and the connection stays open. RFC 9113, section 6.4.
#[tokio::test]
async fn trap_36_dropping_the_answer_resets_the_http_2_stream() {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: reqwest::Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let reset = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap(); // empty SETTINGS
        while let Some((kind, stream, _)) = frame(&mut socket).await {
            match kind {
                // `:status: 200` is the eighth entry of the static table; the stream stays open.
                HEADERS => {
                    let [a, b, c, d] = stream.to_be_bytes();
                    socket.write_all(&[0, 0, 1, HEADERS, 4, a, b, c, d, 0x88]).await.unwrap();
                }
                RESET => return true,
                _ => {}
            }
        }
        false
    });
    let connection = Connection { http: HttpPools::http2().unwrap(), ..connection("groq", base, Some(KEY), None) };
    let stream = (find("groq").unwrap().connect)(connection).chat.unwrap().chat(&question("m")).await.unwrap();
    drop(stream);
    let reset = tokio::time::timeout(Duration::from_secs(20), reset).await.expect("no reset arrived").unwrap();
    assert!(reset, "the connection closed without a reset");
}

/// After the finish reason no content is missing.
#[tokio::test]
async fn a_body_that_breaks_or_stalls_after_the_finish_reason_is_complete() {
    let whole = recorded::text("groq_chat_stream.sse");
    let ended = whole.find("data: [DONE]").unwrap();
    let bytes = &whole.as_bytes()[..ended];
    let server = scripted::start(vec![scripted::cut("text/event-stream", bytes)]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let (text, result) = collect(chat.chat(&question("m")).await).await;
    assert_eq!((text.as_str(), result.unwrap().output_tokens), ("Hello — café 👋", Some(12)), "it broke");
    let server = scripted::start(vec![scripted::hanging(scripted::cut("text/event-stream", bytes))]).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let (text, result) = collect(chat.chat(&question("m")).await).await;
    assert_eq!((text.as_str(), result.is_ok()), ("Hello — café 👋", true), "it stalled");
}
