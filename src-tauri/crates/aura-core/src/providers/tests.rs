//! Whole calls of the adapters over a real socket, against a scripted server.

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
    let connection = Connection {
        name: provider.to_owned(),
        http: Http::new().unwrap(),
        base_url: Some(base.parse().unwrap()),
        key: key.map(SecretString::from),
        programs: Arc::new(Bare),
        preset: preset.map(str::to_owned),
    };
    (find(provider).unwrap().connect)(connection)
}

const KEY: &str = "gsk_test_0123456789abcdef0123456789";

fn recording() -> SttRequest {
    SttRequest {
        model: "m".into(),
        wav: Bytes::from(vec![0; 4000]),
        duration: Duration::from_secs(1),
        language: Some("en-US".into()),
    }
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
