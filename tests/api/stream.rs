//! Server-sent events: the progress of a question, and changes of health and routes.

use std::time::Duration;

use aura_sandbox::{Fault, Provider, Rule, ScriptedReply, Service};
use aura_tests::http::{HttpServer, answer, eventually, sandboxed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::{form, quick, rule, text};

/// The events in a text, with their names.
fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    blocks
        .map(|block| {
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
            };
            (field("event:").unwrap(), serde_json::from_str(&field("data:").unwrap()).unwrap())
        })
        .collect()
}

async fn streamed(request: RequestBuilder) -> Vec<(String, Value)> {
    let reply = request.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(reply.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    events(&reply.text().await.unwrap())
}

fn named<'a>(events: &'a [(String, Value)], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_streamed_and_repeated_whole_at_the_end() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("The capital of France is Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq).service(Service::Llm).times(1));
    let server = HttpServer::start(aura);
    let received = streamed(server.post("/chat").json(&json!({"text": "Which?", "session_id": "s"}))).await;
    let pieces: Vec<&str> = named(&received, "text").iter().map(|piece| piece["delta"].as_str().unwrap()).collect();
    assert!(pieces.len() > 2, "{received:?}");
    assert_eq!(pieces.concat().trim(), "The capital of France is Paris.");
    assert_eq!(named(&received, "stage")[0]["stage"], "thinking");
    assert_eq!(named(&received, "attempt")[0]["class"], "overloaded", "{received:?}");
    assert_eq!(named(&received, "notice")[0]["kind"], "fallback", "{received:?}");
    let (last, done) = received.last().unwrap();
    assert_eq!(last, "done", "{received:?}");
    assert_eq!(
        (done["response"].as_str(), done["session_id"].as_str()),
        (Some("The capital of France is Paris."), Some("s"))
    );
    assert_eq!(named(&received, "done").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_streams_transcript_and_audio() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("The capital of France is Paris.")])).await;
    let server = HttpServer::start(aura);
    let received = streamed(server.post("/process").multipart(form())).await;
    assert_eq!(named(&received, "transcript")[0]["text"], "What is the capital of France?");
    let stages: Vec<&str> = named(&received, "stage").iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(&stages[..2], ["listening", "transcribing"], "{stages:?}");
    let sound: Vec<u8> = named(&received, "audio")
        .iter()
        .flat_map(|piece| {
            assert_eq!((piece["format"].as_str(), piece["channels"].as_u64()), (Some("pcm_s16le"), Some(1)));
            BASE64.decode(piece["data"].as_str().unwrap()).unwrap()
        })
        .collect();
    let done = named(&received, "done")[0];
    let wav = BASE64.decode(done["tts_audio"].as_str().unwrap()).unwrap();
    assert!(!sound.is_empty());
    assert_eq!(&wav[44..], sound.as_slice(), "the chunks make up the whole");
    let place = |name: &str| received.iter().position(|(known, _)| known == name).unwrap();
    assert!(place("text") < place("done") && place("audio") < place("done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_the_stream_with_its_attempts() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    sandbox.add_fault(Fault::status(503).service(Service::Llm));
    let server = HttpServer::start(aura.with("ENABLE_PROVIDER_FALLBACK", "false"));
    let received = streamed(server.post("/chat").json(&json!({"text": "Which?"}))).await;
    let (last, body) = received.last().unwrap();
    assert_eq!(last, "error", "{received:?}");
    assert_eq!(body["error"]["code"], "all_routes_failed");
    assert!(!body["error"]["attempts"].as_array().unwrap().is_empty());
    // An invalid request is rejected before the stream begins.
    let wrong = server.post("/chat").header("accept", "text/event-stream").json(&json!({"text": ""}));
    assert_eq!(wrong.send().await.unwrap().status(), 422);
}

/// Reads a stream until it contains a text.
async fn read_until(reply: Response, wanted: &str) -> Response {
    let (mut stream, mut text) = (reply, String::new());
    while !text.contains(wanted) {
        let part =
            stream.chunk().await.unwrap().unwrap_or_else(|| panic!("the stream ended without `{wanted}`: {text}"));
        text.push_str(&String::from_utf8_lossy(&part));
    }
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnected_client_cancels_the_providers_call() {
    let words = "One two three four five six seven eight nine ten. ".repeat(20);
    let slow = ScriptedReply { chunk_ms: Some(100), ..text(&words) };
    let late = ScriptedReply { first_ms: Some(20_000), ..text("Too late.") };
    let (sandbox, aura) = sandboxed(quick(vec![rule("count", slow), rule("wait", late)])).await;
    let server = HttpServer::start(aura);
    let stopped = async || {
        let requests = sandbox.requests().await;
        requests.iter().any(|request| request.service == Service::Llm && request.cancelled)
    };
    // In mid-stream.
    let question = server.post("/chat").header("accept", "text/event-stream").json(&json!({"text": "count"}));
    let reply = read_until(question.send().await.unwrap(), "event: text").await;
    drop(reply);
    assert!(eventually(stopped).await, "the call still streams");
    // While the client waits for the whole answer.
    sandbox.clear_requests();
    let question = server.post("/chat").json(&json!({"text": "wait"})).send();
    let waiting = tokio::spawn(question);
    let arrived = async || sandbox.requests().await.iter().any(|request| request.service == Service::Llm);
    assert!(eventually(arrived).await);
    waiting.abort();
    assert!(eventually(stopped).await, "the call still waits");
    // The request's permit is free again.
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
}

/// Reads events until one with this name for which `holds` is true; returns it.
async fn until(stream: &mut Response, text: &mut String, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
    loop {
        let whole = text.rfind("\n\n").map_or(0, |end| end + 2);
        let seen: String = text.drain(..whole).collect();
        if let Some((_, found)) = events(&seen).into_iter().find(|(name, value)| name == wanted && holds(value)) {
            return found;
        }
        let part = tokio::time::timeout(Duration::from_secs(30), stream.chunk()).await;
        let part = part.unwrap_or_else(|_| panic!("no such `{wanted}` event; last: {seen}")).unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&part));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_report_health_and_switches() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let server = HttpServer::start(aura);
    let mut stream = server.get("/events").send().await.unwrap();
    let mut text = String::new();
    let answered_by = |changed: &Value| {
        let routes = changed["routes"].as_array().unwrap();
        let llm = routes.iter().find(|view| view["service"] == "llm").unwrap();
        llm["routes"][0]["provider"].as_str().unwrap().to_owned()
    };
    let health = until(&mut stream, &mut text, "health", |_| true).await;
    assert!(health["providers"].as_array().unwrap().iter().any(|of| of["provider"] == "groq"), "{health}");
    let before = until(&mut stream, &mut text, "changed", |_| true).await;
    assert_eq!(answered_by(&before), "groq", "{before}");
    server.switch(json!({"service_type": "llm", "provider": "gemini"})).await;
    let after = until(&mut stream, &mut text, "changed", |changed| answered_by(changed) == "gemini").await;
    assert!(after.get("settings").is_none() && !after.to_string().contains("sandbox-key"), "{after}");
    sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    for _ in 0..3 {
        let chat = answer(server.post("/chat").json(&json!({"text": "Which?"})).send().await.unwrap()).await;
        assert_eq!(chat["stages"][0]["route"]["provider"], "groq", "{chat}");
    }
    let down = until(&mut stream, &mut text, "availability", |of| of["status"] == "unhealthy").await;
    assert_eq!((&down["provider"], &down["service"]), (&json!("gemini"), &json!("llm")), "{down}");
}
