//! Calls that fail, and what is made of them.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::providers::wire::{recorded, scripted};

async fn groq(acts: Vec<scripted::Act>) -> (String, Failure, Vec<String>) {
    let server = scripted::start(acts).await;
    let chat = at("groq", &server.base, Some(KEY), None).chat.unwrap();
    let (text, result) = collect(chat.chat(&question("m")).await).await;
    (text, result.unwrap_err(), server.requests())
}

#[tokio::test]
async fn nobody_is_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let chat = at("groq", &base, Some(KEY), None).chat.unwrap();
    let failure = collect(chat.chat(&question("m")).await).await.1.unwrap_err();
    assert_eq!(failure.class, Class::Unreachable);
    assert!(failure.message.contains("127.0.0.1") && failure.message.to_lowercase().contains("refused"), "{failure:?}");
    assert!(!failure.message.contains("http://"), "{failure:?}");
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    let chat = at("groq", "http://no-such-host.invalid/", Some(KEY), None).chat.unwrap();
    assert_eq!(collect(chat.chat(&question("m")).await).await.1.unwrap_err().class, Class::Unreachable);
}

#[tokio::test]
async fn the_connection_closes_before_an_answer() {
    assert_eq!(groq(vec![scripted::raw(b""), scripted::raw(b"")]).await.1.class, Class::Unreachable);
    assert_eq!(groq(vec![scripted::raw(b"HTTP/1.1 2"), scripted::raw(b"")]).await.1.class, Class::Unreachable);
    assert_eq!(groq(vec![scripted::events(b"")]).await.1.class, Class::Unreachable);
}

#[tokio::test]
async fn the_connection_breaks_in_the_middle() {
    let bytes = recorded::bytes("groq_chat_stream.sse");
    let (text, failure, _) = groq(vec![scripted::cut("text/event-stream", &bytes[..900])]).await;
    assert_eq!((text.as_str(), failure.class), ("Hello — café", Class::Interrupted));
    let (text, failure, _) = groq(vec![scripted::cut("text/event-stream", &bytes[..100])]).await;
    assert_eq!((text.as_str(), failure.class), ("", Class::Unreachable));
}

#[tokio::test]
async fn a_body_without_a_reason_to_end_is_interrupted_though_http_is_content() {
    let bytes = recorded::bytes("groq_chat_stream.sse");
    let cut = bytes.len() / 2;
    let (text, failure, _) = groq(vec![scripted::events(&bytes[..cut])]).await;
    assert_eq!((text.as_str(), failure.class), ("Hello — café", Class::Interrupted));
}

#[tokio::test]
async fn speech_that_breaks_is_not_complete() {
    let wav = recorded::bytes("speech_streamed_header_24k.wav");
    let server = scripted::start(vec![
        scripted::cut("audio/wav", &wav[..2000]),
        scripted::reply("200 OK", "content-type: audio/wav\r\n", b""),
    ])
    .await;
    let tts = at("groq", &server.base, Some(KEY), None).tts.unwrap();
    let request = sentence("m");
    let mut speech = tts.speak(&request).await.unwrap();
    assert!(matches!(speech.try_next().await, Ok(Some(SpeechPiece::Pcm(_)))));
    let failure = loop {
        if let Err(failure) = speech.try_next().await.map(|piece| piece.expect("an end without a failure")) {
            break failure;
        }
    };
    assert_eq!(failure.class, Class::Interrupted);
    assert_eq!(tts.speak(&request).await.unwrap().try_next().await.unwrap_err().class, Class::Empty);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = scripted::start(vec![scripted::json("{}")]).await;
    let headers = format!("location: {}\r\n", other.base);
    let (_, failure, _) = groq(vec![scripted::reply("302 Found", &headers, b"")]).await;
    assert_eq!((failure.class, failure.status), (Class::Unreachable, Some(302)));
    assert!(other.requests().is_empty(), "the key would have travelled");
}

#[tokio::test]
async fn limits_tell_how_long_to_wait() {
    let headers = "retry-after: 7\r\nx-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 2.0325s\r\n";
    let (_, failure, _) =
        groq(vec![scripted::reply("429 Too Many Requests", headers, &recorded::bytes("groq_error_429_tpm.json"))])
            .await;
    assert_eq!((failure.class, failure.retry_after), (Class::RateLimited, Some(Duration::from_secs(7))));
    let headers = "x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 2.5s\r\n";
    let (_, failure, _) = groq(vec![scripted::reply("429 Too Many Requests", headers, b"slow down")]).await;
    assert_eq!(failure.retry_after, Some(Duration::from_millis(2500)));
}

#[tokio::test]
async fn a_key_that_comes_back_is_not_repeated() {
    let body = format!(
        "{{\"error\":{{\"message\":\"bad key {KEY} at https://x.example/?key={KEY}\",\"code\":\"invalid_api_key\"}}}}"
    );
    let (_, failure, _) = groq(vec![scripted::reply("401 Unauthorized", "", body.as_bytes())]).await;
    assert_eq!((failure.class, failure.message.as_str()), (Class::Auth, "bad key … at https://x.example/"));
    let long = format!("{} {KEY}", "x".repeat(280));
    let (_, failure, _) =
        groq(vec![scripted::reply("400 Bad Request", "", format!("{{\"error\":\"{long}\"}}").as_bytes())]).await;
    assert!(!failure.message.contains("gsk_test"), "{}", failure.message);
    let stream = format!("data: {{\"error\":{{\"message\":\"who is {KEY}?\"}}}}\n\n");
    let (_, failure, _) = groq(vec![scripted::events(stream.as_bytes())]).await;
    assert!(!failure.message.contains(KEY), "{}", failure.message);
}

#[tokio::test]
async fn keys_that_are_missing_or_cannot_be_sent() {
    for key in [None, Some(""), Some("  "), Some("two\nlines")] {
        for provider in ["groq", "gemini"] {
            let services = at(provider, "http://127.0.0.1:9/", key, None);
            let chat = collect(services.chat.unwrap().chat(&question("m")).await).await.1.unwrap_err();
            assert_eq!(chat.class, Class::Auth, "{provider} {key:?}");
            assert_eq!(services.account.unwrap().models().await.unwrap_err().class, Class::Auth);
            assert_eq!(services.stt.unwrap().transcribe(&recording()).await.unwrap_err().class, Class::Auth);
        }
    }
}

/// Pages of proxies are cut, and no key is in them.
#[tokio::test]
async fn trap_38_error_bodies_are_bounded_in_size_and_time() {
    let long = vec![b'x'; 300_000];
    let (_, failure, _) = groq(vec![scripted::reply("500 Internal Server Error", "", &long)]).await;
    assert_eq!(failure.class, Class::Overloaded);
    assert!(failure.message.chars().count() <= 300);

    let page = format!("<html><title>413 {KEY}</title>{}</html>", "x".repeat(200_000));
    let (_, failure, _) = groq(vec![scripted::reply("413 Payload Too Large", "", page.as_bytes())]).await;
    assert_eq!((failure.class, failure.message.as_str()), (Class::Unsupported, "413 …"));

    let head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 500\r\n\r\nover capac";
    let (_, failure, _) = groq(vec![scripted::hanging(scripted::raw(head))]).await;
    assert_eq!((failure.class, failure.message.as_str()), (Class::Overloaded, "over capac"));
}

#[tokio::test]
async fn pages_of_somebody_else() {
    let page = recorded::bytes("groq_error_502.html");
    let (_, failure, _) = groq(vec![scripted::reply("200 OK", "content-type: text/html\r\n", &page)]).await;
    assert_eq!(failure.class, Class::Unreachable);
    let server = scripted::start(vec![scripted::reply("200 OK", "content-type: text/html\r\n", &page)]).await;
    let account = at("groq", &server.base, Some(KEY), None).account.unwrap();
    assert_eq!(account.models().await.unwrap_err().class, Class::Unreachable);
}

/// Errors with status 200, and each server in a dialect of its own.
#[tokio::test]
async fn trap_37_errors_in_every_servers_own_words() {
    let nothing = || scripted::json(&recorded::text("lmstudio_200_unexpected_endpoint.json"));
    let server = scripted::start(vec![nothing(), nothing(), nothing()]).await;
    let services = at("openai_compatible", &server.base, None, Some("custom"));
    let mut classes = vec![services.stt.unwrap().transcribe(&recording()).await.unwrap_err().class];
    classes.push(collect(services.chat.unwrap().chat(&question("m")).await).await.1.unwrap_err().class);
    classes.push(services.tts.unwrap().speak(&sentence("m")).await.unwrap().try_next().await.unwrap_err().class);
    assert_eq!(classes, [Class::Unsupported; 3]);

    for (name, status, says) in [
        ("kokoro_error_400.json", "400 Bad Request", "Unsupported model"),
        ("fastapi_error_422.json", "422 Unprocessable", "Field required"),
        ("whispercpp_error_400.json", "400 Bad Request", "no 'file' field"),
    ] {
        let (_, failure, _) = groq(vec![scripted::reply(status, "", &recorded::bytes(name))]).await;
        assert!(failure.message.contains(says), "{name}: {}", failure.message);
    }
    // whisper.cpp calls its text a web page, and Ollama's list is null when it is empty.
    let said = scripted::reply("200 OK", "content-type: text/html\r\n", b" Good morning.\n");
    let empty = scripted::json(&recorded::text("ollama_models_empty.json"));
    let server = scripted::start(vec![said, empty]).await;
    let at = |preset| at("openai_compatible", &server.base, None, Some(preset));
    assert_eq!(at("whispercpp").stt.unwrap().transcribe(&recording()).await.unwrap().text, "Good morning.");
    assert_eq!(at("ollama").account.unwrap().models().await.unwrap(), []);
}

/// Dropping the answer closes the connection, which is how HTTP/1 tells that nobody listens.
#[tokio::test]
async fn trap_36_dropping_the_answer_ends_the_call() {
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

/// A frame of HTTP/2: its kind, its stream, and what it holds.
async fn frame(socket: &mut tokio::net::TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.ok()?;
    Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), body))
}

/// Over HTTP/2 it is a frame that resets the stream; the connection stays for the next question. RFC 9113, section 6.
#[tokio::test]
async fn trap_36_dropping_the_answer_resets_the_stream_of_http_2() {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: reqwest::Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let reset = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap(); // settings, as they are
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
    let connection = Connection { http: Http::http2().unwrap(), ..connection("groq", base, Some(KEY), None) };
    let stream = (find("groq").unwrap().connect)(connection).chat.unwrap().chat(&question("m")).await.unwrap();
    drop(stream);
    let reset = tokio::time::timeout(Duration::from_secs(20), reset).await.expect("nothing is reset").unwrap();
    assert!(reset, "the connection closed without a reset");
}

/// The reason to end is there: what the body does after that is nobody's loss.
#[tokio::test]
async fn a_body_that_breaks_or_stalls_after_the_answer_is_complete_ends_it() {
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
