//! Complete calls of the adapters over a real socket, against a scripted server.

mod bodies;
mod calls;
mod faults;
mod live;
mod sent_once;
mod traps;
mod uploads;

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;

use reqwest::Url;

use super::*;
use crate::catalog::Catalog;

/// The services of a provider at a base URL.
fn at(provider: &str, base: &str, key: Option<&str>, preset: Option<&str>) -> Services {
    (find(provider).unwrap().connect)(connection(provider, base.parse().unwrap(), key, preset))
}

fn connection(provider: &str, base: Url, key: Option<&str>, preset: Option<&str>) -> Connection {
    let mut connection =
        Connection::new(provider, HttpPools::new(HttpTimeouts::default()).unwrap()).with_base_url(base);
    connection.key = key.map(Into::into);
    connection.preset = preset.map(str::to_owned);
    connection
}

const KEY: &str = "gsk_test_0123456789abcdef0123456789";

fn recording() -> TranscriptionRequest {
    TranscriptionRequest {
        model: "m".into(),
        wav: Bytes::from(vec![0; 4000]),
        duration: Duration::from_secs(1),
        language: Some("en-US".into()),
        ..TranscriptionRequest::default()
    }
}

fn sentence(model: &str) -> SpeechRequest {
    SpeechRequest { model: model.into(), text: "Good morning.".into(), ..SpeechRequest::default() }
}

/// The JSON body of a request.
fn body(request: &str) -> serde_json::Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The number of samples in a stream.
async fn samples(stream: SpeechStream) -> usize {
    let events: Vec<SpeechEvent> = stream.try_collect().await.unwrap();
    events.iter().map(|event| if let SpeechEvent::Pcm(pcm) = event { pcm.samples.len() } else { 0 }).sum()
}

fn question(model: &str) -> ChatRequest {
    let messages = vec![Message::new(Role::User, "hi")];
    ChatRequest {
        model: model.into(),
        system: "You are AURA.".into(),
        messages,
        max_tokens: Some(64),
        ..ChatRequest::default()
    }
}

/// The text of an answer, and its usage or failure.
async fn collect(stream: Result<ChatStream, Failure>) -> (String, Result<Usage, Failure>) {
    let mut text = String::new();
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(failure) => return (text, Err(failure)),
    };
    loop {
        match stream.try_next().await {
            Ok(Some(ChatEvent::Text(part))) => text.push_str(&part),
            Ok(Some(ChatEvent::Thinking | ChatEvent::Logprobs(_) | ChatEvent::ToolCall(_))) => {}
            Ok(Some(ChatEvent::End { usage, .. })) => {
                assert!(stream.try_next().await.unwrap().is_none(), "an event after the end");
                return (text, Ok(usage));
            }
            Ok(None) => panic!("the stream ended without an end"),
            Err(failure) => return (text, Err(failure)),
        }
    }
}
