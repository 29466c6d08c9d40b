//! Answers by a model server on this computer, or else a built-in answer.

use std::time::Duration;

use futures::StreamExt;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Offline;
use crate::openai_compatible::Server;
use crate::presets::preset;
use crate::provider::Connection;
use crate::types::{
    Chat, ChatEvent, ChatRequest, ChatStream, Failure, FailureKind, FinishReason, ListedModel, ModelListing, Role,
    Service, Usage,
};

/// How long a server on this computer may take to accept a connection. A refusal is immediate.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
/// How long it may take to list its models.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// The presets of the local model servers to look for.
const SERVERS: [&str; 2] = ["ollama", "llamacpp"];

pub(super) async fn answer(offline: &Offline, request: &ChatRequest) -> Result<ChatStream, Failure> {
    for server in running(offline).await {
        // Skip a server without a model, and any other program on its port.
        if let Ok(Ok(model)) = timeout(LIST_TIMEOUT, server.first_chat_model(&request.model)).await {
            return server.chat(&ChatRequest { model, ..request.clone() }).await;
        }
    }
    if request.needs_structured_output() {
        let message =
            "Tool calls and JSON output need a local model server, and none is running. Start Ollama or llama.cpp.";
        return Err(Failure::new(FailureKind::Unsupported, message));
    }
    if request.continues {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "Continuing an answer needs a local model server, and none is running. Start Ollama or llama.cpp.",
        ));
    }
    Ok(sound_check(request))
}

/// The chat models of all running local servers.
pub(super) async fn models(offline: &Offline) -> Vec<ListedModel> {
    let mut models = Vec::new();
    for server in running(offline).await {
        if let Ok(Ok(listed)) = timeout(LIST_TIMEOUT, server.models()).await {
            models.extend(listed.into_iter().filter(|model| model.services.contains(&Service::Llm)));
        }
    }
    models
}

/// The local model servers that accept connections.
async fn running(offline: &Offline) -> Vec<Server> {
    let mut servers = Vec::new();
    if offline.config.no_model {
        return servers;
    }
    for name in SERVERS {
        let preset = preset(name);
        let host = offline.config.ollama_host.as_deref().filter(|_| name == SERVERS[0]);
        let Some(address) = host.and_then(ollama_address).or_else(|| preset.base_url.clone()) else { continue };
        if accepts_connections(&address).await {
            let connection = Connection::new(name, offline.http.clone())
                .with_catalog(offline.catalog.clone())
                .with_base_url(address);
            servers.extend(Server::new(connection, preset));
        }
    }
    servers
}

/// Whether something accepts connections at this address.
async fn accepts_connections(address: &Url) -> bool {
    let Some((host, port)) = address.host_str().zip(address.port_or_known_default()) else { return false };
    let host = host.trim_matches(['[', ']']).to_owned();
    matches!(timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

/// The base URL for a value of `OLLAMA_HOST`; `None` for another computer, because `offline` must not send data over the network.
fn ollama_address(host: &str) -> Option<Url> {
    let host = host.trim();
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/');
    let rest = if rest.starts_with(':') { format!("127.0.0.1{rest}") } else { rest.to_owned() };
    let mut url: Url = format!("{scheme}://{rest}/").parse().ok()?;
    if url.host_str() == Some("0.0.0.0") || url.host_str() == Some("[::]") {
        url.set_host(Some("127.0.0.1")).ok()?; // it listens on all addresses; connect to the loopback one
    }
    if url.port().is_none() && !host.contains("://") {
        url.set_port(Some(11434)).ok()?;
    }
    let local = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    local.then_some(url)
}

/// The built-in answer: repeats the question, so that the user can check the transcription.
fn sound_check(request: &ChatRequest) -> ChatStream {
    let question = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::User)
        .map(|message| message.text().trim().to_owned())
        .unwrap_or_default();
    let advice = "A key for Groq or Gemini, or a local model, gives real answers.";
    stream(&format!("I heard: \"{question}\". {advice}"), "sound check")
}

/// Streams a finished text word by word. `model` is reported as the model that answered.
pub(super) fn stream(text: &str, model: &str) -> ChatStream {
    let mut events: Vec<ChatEvent> = text.split_inclusive(' ').map(|word| ChatEvent::Text(word.to_owned())).collect();
    events.push(ChatEvent::End {
        finish: FinishReason::Stop,
        usage: Usage { model: Some(model.to_owned()), ..Usage::default() },
    });
    futures::stream::iter(events.into_iter().map(Ok)).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollama_host_is_accepted_in_every_form() {
        for (host, expected) in [
            ("127.0.0.1:11500", Some("http://127.0.0.1:11500/")),
            ("http://localhost:1234/", Some("http://localhost:1234/")),
            ("0.0.0.0", Some("http://127.0.0.1:11434/")),
            ("0.0.0.0:8000", Some("http://127.0.0.1:8000/")),
            (":9999", Some("http://127.0.0.1:9999/")),
            ("localhost", Some("http://localhost:11434/")),
            ("[::1]:7000", Some("http://[::1]:7000/")),
            ("http://example.com:11434", None),
            ("192.168.1.5", None),
            ("not a host", None),
        ] {
            assert_eq!(ollama_address(host).map(String::from).as_deref(), expected, "{host}");
        }
    }
}
