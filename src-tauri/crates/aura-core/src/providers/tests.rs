//! Whole calls of the adapters over a real socket, against a scripted server.

mod bodies;
mod calls;
mod faults;
mod traps;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;

use super::*;
use crate::ports::{Job, JobOutput};

/// A computer without programs.
struct Bare;

#[async_trait::async_trait]
impl Programs for Bare {
    fn find(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    async fn run(&self, _job: Job) -> crate::error::Result<JobOutput> {
        unreachable!("nothing is found, so nothing is run")
    }
}

/// The services of a provider at an address.
fn at(provider: &str, base: &str, key: Option<&str>, preset: Option<&str>) -> Services {
    (find(provider).unwrap().connect)(connection(provider, base.parse().unwrap(), key, preset))
}

fn connection(provider: &str, base: Url, key: Option<&str>, preset: Option<&str>) -> Connection {
    Connection {
        name: provider.to_owned(),
        http: Http::new(Waits::default()).unwrap(),
        base_url: Some(base),
        key: key.map(SecretString::from),
        programs: Arc::new(Bare),
        preset: preset.map(str::to_owned),
    }
}

const KEY: &str = "gsk_test_0123456789abcdef0123456789";

fn recording() -> SttRequest {
    SttRequest {
        model: "m".into(),
        wav: Bytes::from(vec![0; 4000]),
        duration: Duration::from_secs(1),
        language: Some("en-US".into()),
        ..SttRequest::default()
    }
}

fn sentence(model: &str) -> TtsRequest {
    TtsRequest { model: model.into(), text: "Good morning.".into(), ..TtsRequest::default() }
}

/// The JSON of a request.
fn body(request: &str) -> serde_json::Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// How many samples came.
async fn samples(stream: SpeechStream) -> usize {
    let pieces: Vec<SpeechPiece> = stream.try_collect().await.unwrap();
    pieces.iter().map(|piece| if let SpeechPiece::Pcm(pcm) = piece { pcm.samples.len() } else { 0 }).sum()
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

/// The text, the pieces in all, and how it went.
async fn collect(stream: Result<ChatStream, Failure>) -> (String, Result<Usage, Failure>) {
    let mut text = String::new();
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(failure) => return (text, Err(failure)),
    };
    loop {
        match stream.try_next().await {
            Ok(Some(ChatPiece::Text(piece))) => text.push_str(&piece),
            Ok(Some(ChatPiece::Thinking | ChatPiece::ToolCall(_))) => {}
            Ok(Some(ChatPiece::End { usage, .. })) => {
                assert!(stream.try_next().await.unwrap().is_none(), "a piece after the end");
                return (text, Ok(usage));
            }
            Ok(None) => panic!("the stream ended without an end"),
            Err(failure) => return (text, Err(failure)),
        }
    }
}
