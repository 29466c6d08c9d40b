//! An answer that breaks off anywhere and is continued with its exact rest by the next provider is the whole answer, over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "../texts/mod.rs"]
mod texts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aura_providers::{ChatRequest, Message, Role, Service};
use aura_router::{ProviderSettings, RouteOverrides, Router, RoutingSettings, sink_fn};
use serde_json::{Value, json};
use texts::{PROSE, TEXTS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The distance between two cuts of one text, in characters. The unit tests of continuations cut at every character.
const STEP: usize = 5;
/// The first provider's text is sent in pieces of this many characters.
const PIECE: usize = 3;

/// What the providers do with the next question.
#[derive(Clone, Default)]
struct Script {
    text: String,
    /// Where the first provider breaks off, in bytes.
    cut: usize,
}

/// Two providers: the one at `/groq` breaks off, the other gives the rest of what it is shown.
async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(answer(socket, script.clone()));
    }
}

async fn answer(mut socket: TcpStream, script: Arc<Mutex<Script>>) {
    let Some((path, request)) = read_request(&mut socket).await else { return };
    let Script { text, cut } = script.lock().unwrap().clone();
    let (text, is_whole) = if path.starts_with("/groq") {
        (text[..cut].to_owned(), false)
    } else {
        let messages = request["messages"].as_array().unwrap();
        let so_far = messages.iter().find(|message| message["role"] == "assistant");
        let so_far = so_far.map_or("", |message| message["content"].as_str().unwrap());
        (text.strip_prefix(so_far).unwrap_or_else(|| panic!("{so_far:?} begins {text:?}")).to_owned(), true)
    };
    let event = |delta: Value, finish: Option<&str>| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let letters: Vec<char> = text.chars().collect();
    let pieces = letters.chunks(PIECE).map(|piece| event(json!({"content": piece.iter().collect::<String>()}), None));
    let mut body: String = pieces.collect();
    if is_whole {
        body += &event(json!({}), Some("stop"));
        body += "data: [DONE]\n\n";
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = socket.shutdown().await;
}

/// Reads a request: its path and its body.
async fn read_request(socket: &mut TcpStream) -> Option<(String, Value)> {
    let (mut request, mut buffer) = (Vec::new(), [0; 8_192]);
    loop {
        let count = socket.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
        let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if request.len() - end - 4 >= length.parse().unwrap() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            return Some((path, serde_json::from_slice(&request[end + 4..]).unwrap_or_default()));
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_is_continued_exactly() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(Script::default()));
    tokio::spawn(serve(listener, script.clone()));
    let own = ProviderSettings {
        preset: Some("openai".into()),
        base_url: Some(format!("{address}/own/v1")),
        ..ProviderSettings::default()
    };
    let mut settings = RoutingSettings::default();
    settings.providers = BTreeMap::from([("own".to_owned(), own)]);
    let router = Router::builder()
        .settings(settings)
        .key("groq", "k")
        .key("own", "k")
        .variables(BTreeMap::from([("GROQ_BASE_URL".to_owned(), format!("{address}/groq/v1"))]))
        .build()
        .unwrap();
    let (mut cuts, mut continued) = (0, 0);
    for (number, text) in TEXTS.iter().chain(&PROSE).enumerate() {
        // Not always the same places.
        for (cut, _) in text.char_indices().skip(1 + number % STEP).step_by(STEP) {
            *script.lock().unwrap() = Script { text: (*text).to_owned(), cut };
            // Closes the circuit that the cuts before have opened.
            router.reset_key("groq");
            let plan = router.plan(Service::Llm, &RouteOverrides::default()).unwrap();
            let question = Message::new(Role::User, "What is it?");
            let request = ChatRequest { messages: vec![question], ..ChatRequest::default() };
            let mut streamed = String::new();
            let mut sink = sink_fn(|part: String| streamed.push_str(&part));
            let answer = router.chat(&plan, &request, &(), &mut sink).await.unwrap();
            assert_eq!(answer.route.provider, "own");
            assert_eq!(answer.value.text, *text, "cut at {cut}");
            assert_eq!(streamed, *text, "cut at {cut}");
            cuts += 1;
        }
        let fallbacks = router.health().fallbacks;
        continued += usize::from(fallbacks.iter().any(|fallback| fallback.from.provider == "groq"));
    }
    assert!(cuts > 800 && continued == TEXTS.len() + PROSE.len(), "{cuts} cuts, {continued} texts");
}
