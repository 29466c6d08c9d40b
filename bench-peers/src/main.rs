//! The clients `genai` and `async-openai`, called as their own documentation shows.
//!
//! Reads commands from standard input, one a line: `CLIENT PATH COUNT`. Makes that many streamed chat requests, one after the other, and
//! writes one line for each: nanoseconds to the first content and to the end of the answer. An empty line ends a command's output.

use std::error::Error;
use std::time::{Duration, Instant};

use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs};
use futures::StreamExt;
use genai::chat::{ChatMessage, ChatRequest, ChatStreamEvent};
use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
use genai::{ModelIden, ServiceTarget, adapter::AdapterKind};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Words of the answer that the server sends.
const WORDS: usize = 40;
const QUESTION: &str = "What time is it?";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Time to the first content, and to the end.
type Taken = (Duration, Duration);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).ok_or("usage: aura-bench-peers ADDRESS")?;
    let (mut lines, mut out) = (BufReader::new(tokio::io::stdin()).lines(), tokio::io::stdout());
    let mut peers = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let mut words = line.split(' ');
        let (Some(name), Some(path), Some(count)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("not a command: {line}").into());
        };
        let key = format!("{name} {path}");
        if !peers.iter().any(|(known, _)| *known == key) {
            peers.push((key.clone(), Peer::new(name, &format!("{address}/{path}/v1/"))?));
        }
        let peer = peers.iter().find(|(known, _)| *known == key).map(|(_, peer)| peer).ok_or("no such client")?;
        let mut report = String::new();
        for _ in 0..count.parse::<usize>()? {
            let (first, whole) = peer.ask().await?;
            report.push_str(&format!("{} {}\n", first.as_nanos(), whole.as_nanos()));
        }
        report.push('\n');
        out.write_all(report.as_bytes()).await?;
        out.flush().await?;
    }
    Ok(())
}

enum Peer {
    Genai(genai::Client),
    AsyncOpenai(async_openai::Client<OpenAIConfig>),
}

impl Peer {
    fn new(name: &str, base: &str) -> Result<Self> {
        match name {
            "genai" => {
                let base = base.to_owned();
                let resolver = ServiceTargetResolver::from_resolver_fn(move |_: ServiceTarget| {
                    Ok(ServiceTarget {
                        endpoint: Endpoint::from_owned(base.clone()),
                        auth: AuthData::from_single("a-key"),
                        model: ModelIden::new(AdapterKind::OpenAI, "m"),
                    })
                });
                Ok(Self::Genai(genai::Client::builder().with_service_target_resolver(resolver).build()?))
            }
            "async-openai" => {
                let config =
                    OpenAIConfig::new().with_api_key("a-key").with_api_base(base.trim_end_matches('/').to_owned());
                Ok(Self::AsyncOpenai(async_openai::Client::with_config(config)))
            }
            other => Err(format!("there is no client {other}").into()),
        }
    }

    async fn ask(&self) -> Result<Taken> {
        let began = Instant::now();
        let (mut text, mut first) = (String::new(), None);
        let mut add = |content: &str| {
            text.push_str(content);
            if first.is_none() && !text.is_empty() {
                first = Some(began.elapsed());
            }
        };
        match self {
            Self::Genai(client) => {
                let request = ChatRequest::new(vec![ChatMessage::user(QUESTION)]);
                let mut answer = client.exec_chat_stream("m", request, None).await?.stream;
                while let Some(event) = answer.next().await {
                    if let ChatStreamEvent::Chunk(chunk) = event? {
                        add(&chunk.content);
                    }
                }
            }
            Self::AsyncOpenai(client) => {
                let message = ChatCompletionRequestUserMessageArgs::default().content(QUESTION).build()?.into();
                let request = CreateChatCompletionRequestArgs::default()
                    .model("m")
                    .max_completion_tokens(2_048_u32)
                    .messages([message])
                    .build()?;
                let mut answer = client.chat().create_stream(request).await?;
                while let Some(chunk) = answer.next().await {
                    for choice in chunk?.choices {
                        add(choice.delta.content.as_deref().unwrap_or_default());
                    }
                }
            }
        }
        assert_eq!(text.split_whitespace().count(), WORDS, "the answer is complete");
        Ok((first.ok_or("no content")?, began.elapsed()))
    }
}
