//! Server-sent events: a question while it is answered, and what happens to the providers.

use std::time::Duration;

use aura_sandbox::{Fault, Provider, Reply, Rule, Service};
use aura_tests::http::{HttpDoor, answer, eventually, sandboxed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::{form, quick, rule, text};

/// The events in a text, each with its name.
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
async fn an_answer_comes_piece_by_piece_and_whole_at_the_end() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("The capital of France is Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq).service(Service::Llm).times(1));
    let door = HttpDoor::start(aura);
    let told = streamed(door.post("/chat").json(&json!({"text": "Which?", "session_id": "s"}))).await;
    let pieces: Vec<&str> = named(&told, "text").iter().map(|piece| piece["delta"].as_str().unwrap()).collect();
    assert!(pieces.len() > 2, "{told:?}");
    assert_eq!(pieces.concat().trim(), "The capital of France is Paris.");
    assert_eq!(named(&told, "stage")[0]["stage"], "thinking");
    assert_eq!(named(&told, "attempt")[0]["class"], "overloaded", "{told:?}");
    assert_eq!(named(&told, "notice")[0]["kind"], "fallback", "{told:?}");
    let (last, done) = told.last().unwrap();
    assert_eq!(last, "done", "{told:?}");
    assert_eq!(
        (done["response"].as_str(), done["session_id"].as_str()),
        (Some("The capital of France is Paris."), Some("s"))
    );
    assert_eq!(named(&told, "done").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_streams_its_transcript_and_its_sound() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("The capital of France is Paris.")])).await;
    let door = HttpDoor::start(aura);
    let told = streamed(door.post("/process").multipart(form())).await;
    assert_eq!(named(&told, "transcript")[0]["text"], "What is the capital of France?");
    let stages: Vec<&str> = named(&told, "stage").iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(&stages[..2], ["listening", "transcribing"], "{stages:?}");
    let sound: Vec<u8> = named(&told, "audio")
        .iter()
        .flat_map(|piece| {
            assert_eq!((piece["format"].as_str(), piece["channels"].as_u64()), (Some("pcm_s16le"), Some(1)));
            BASE64.decode(piece["data"].as_str().unwrap()).unwrap()
        })
        .collect();
    let done = named(&told, "done")[0];
    let wav = BASE64.decode(done["tts_audio"].as_str().unwrap()).unwrap();
    assert!(!sound.is_empty());
    assert_eq!(&wav[44..], sound.as_slice(), "the pieces are the whole");
    let place = |name: &str| told.iter().position(|(known, _)| known == name).unwrap();
    assert!(place("text") < place("done") && place("audio") < place("done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_the_stream_with_its_attempts() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    sandbox.add_fault(Fault::status(503).service(Service::Llm));
    let door = HttpDoor::start(aura.with("ENABLE_PROVIDER_FALLBACK", "false"));
    let told = streamed(door.post("/chat").json(&json!({"text": "Which?"}))).await;
    let (last, body) = told.last().unwrap();
    assert_eq!(last, "error", "{told:?}");
    assert_eq!(body["error"]["code"], "all_routes_failed");
    assert!(!body["error"]["attempts"].as_array().unwrap().is_empty());
    // What is wrong with the question itself is told before the stream begins.
    let wrong = door.post("/chat").header("accept", "text/event-stream").json(&json!({"text": ""}));
    assert_eq!(wrong.send().await.unwrap().status(), 422);
}

/// Reads a stream until a text is in it.
async fn read_until(reply: Response, wanted: &str) -> Response {
    let (mut stream, mut text) = (reply, String::new());
    while !text.contains(wanted) {
        let part = stream.chunk().await.unwrap().unwrap_or_else(|| panic!("it ended without `{wanted}`: {text}"));
        text.push_str(&String::from_utf8_lossy(&part));
    }
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_stops_the_work() {
    let words = "One two three four five six seven eight nine ten. ".repeat(20);
    let slow = Reply { chunk_ms: Some(100), ..text(&words) };
    let late = Reply { first_ms: Some(20_000), ..text("Too late.") };
    let (sandbox, aura) = sandboxed(quick(vec![rule("count", slow), rule("wait", late)])).await;
    let door = HttpDoor::start(aura);
    let stopped = async || {
        let requests = sandbox.requests().await;
        requests.iter().any(|request| request.service == Service::Llm && request.cancelled)
    };
    // In the middle of a stream.
    let question = door.post("/chat").header("accept", "text/event-stream").json(&json!({"text": "count"}));
    let reply = read_until(question.send().await.unwrap(), "event: text").await;
    drop(reply);
    assert!(eventually(stopped).await, "the provider is still writing");
    // And while the whole answer is waited for.
    sandbox.clear_requests();
    let question = door.post("/chat").json(&json!({"text": "wait"})).send();
    let waiting = tokio::spawn(question);
    let arrived = async || sandbox.requests().await.iter().any(|request| request.service == Service::Llm);
    assert!(eventually(arrived).await);
    waiting.abort();
    assert!(eventually(stopped).await, "the provider is still thinking");
    // Its place is free again.
    assert_eq!(door.get("/health").send().await.unwrap().status(), 200);
}

/// Reads events until one of this name holds what is looked for; gives it.
async fn until(stream: &mut Response, text: &mut String, wanted: &str, holds: impl Fn(&Value) -> bool) -> Value {
    loop {
        let whole = text.rfind("\n\n").map_or(0, |end| end + 2);
        let seen: String = text.drain(..whole).collect();
        if let Some((_, found)) = events(&seen).into_iter().find(|(name, value)| name == wanted && holds(value)) {
            return found;
        }
        let part = tokio::time::timeout(Duration::from_secs(30), stream.chunk()).await;
        let part = part.unwrap_or_else(|_| panic!("no such `{wanted}` was told; last: {seen}")).unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&part));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_of_health_and_switches() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let door = HttpDoor::start(aura);
    let mut stream = door.get("/events").send().await.unwrap();
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
    door.switch(json!({"service_type": "llm", "provider": "gemini"})).await;
    let after = until(&mut stream, &mut text, "changed", |changed| answered_by(changed) == "gemini").await;
    assert!(after.get("settings").is_none() && !after.to_string().contains("sandbox-key"), "{after}");
    sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    for _ in 0..3 {
        let chat = answer(door.post("/chat").json(&json!({"text": "Which?"})).send().await.unwrap()).await;
        assert_eq!(chat["stages"][0]["route"]["provider"], "groq", "{chat}");
    }
    let down = until(&mut stream, &mut text, "availability", |of| of["status"] == "unhealthy").await;
    assert_eq!((&down["provider"], &down["service"]), (&json!("gemini"), &json!("llm")), "{down}");
}
