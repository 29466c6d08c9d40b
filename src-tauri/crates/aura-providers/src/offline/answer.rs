//! Answers by a model server on this computer, or else a built-in answer.

use std::time::Duration;

use futures::StreamExt;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Offline;
use super::server_model::{best, is_local};
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
const SERVERS: [&str; 3] = ["ollama", "lmstudio", "llamacpp"];
/// The model that AURA's own local API lists. It is no server to send a question to: the question would come back.
const OWN_MODEL: &str = "auto";

/// A running server, and its models that run on this computer.
pub(super) struct Running {
    server: Server,
    models: Vec<ListedModel>,
}

impl Running {
    /// The model with this id, if the server has it.
    pub(super) fn has(&self, id: &str) -> bool {
        self.models.iter().any(|model| model.id == id)
    }

    /// Whether it has a model for this service.
    pub(super) fn serves(&self, service: Service) -> bool {
        best(&self.models, service).is_some()
    }
}

/// Answers with the named model of a running server, or else with its best one; `None` when there is none. `only_named`: with no other
/// than the named one.
pub(super) async fn by_server(
    offline: &Offline,
    request: &ChatRequest,
    service: Service,
    only_named: bool,
) -> Option<Result<ChatStream, Failure>> {
    let servers = running(offline).await;
    let named = servers.iter().find(|running| running.has(&request.model)).map(|running| (running, &*request.model));
    let (running, model) = named.or_else(|| {
        let mut best = servers.iter().filter_map(|running| Some((running, &*best(&running.models, service)?.id)));
        best.next().filter(|_| !only_named)
    })?;
    Some(running.server.chat(&ChatRequest { model: model.to_owned(), ..request.clone() }).await)
}

/// The answer when there is neither a model nor a server.
pub(super) fn without_model(request: &ChatRequest) -> Result<ChatStream, Failure> {
    let needs = |what: &str| {
        let advice = "Download a language model under Models, or start Ollama, LM Studio or llama.cpp.";
        Err(Failure::new(FailureKind::Unsupported, format!("{what} on this computer needs a language model. {advice}")))
    };
    if request.needs_structured_output() {
        return needs("A tool call or JSON output");
    }
    if request.continues {
        return needs("The rest of an answer");
    }
    Ok(sound_check(request))
}

/// The chat models of all running local servers.
pub(super) async fn models(offline: &Offline) -> Vec<ListedModel> {
    let listed = running(offline).await.into_iter().flat_map(|running| running.models);
    listed.filter(|model| model.services.contains(&Service::Llm)).collect()
}

/// The local model servers that list models.
pub(super) async fn running(offline: &Offline) -> Vec<Running> {
    if offline.config.no_model {
        return Vec::new();
    }
    let servers = SERVERS.map(async |name| {
        let preset = preset(name);
        let host = offline.config.ollama_host.as_deref().filter(|_| name == SERVERS[0]);
        let address = host.and_then(ollama_address).or_else(|| preset.base_url.clone())?;
        if !accepts_connections(&address).await {
            return None;
        }
        let connection =
            Connection::new(name, offline.http.clone()).with_catalog(offline.catalog.clone()).with_base_url(address);
        let server = Server::new(connection, preset)?;
        // Skip a server without a model, and any other program on its port.
        let mut models = timeout(LIST_TIMEOUT, server.models()).await.ok()?.ok()?;
        let is_own = models.iter().any(|model| model.id == OWN_MODEL);
        models.retain(is_local);
        (!is_own && !models.is_empty()).then_some(Running { server, models })
    });
    futures::future::join_all(servers).await.into_iter().flatten().collect()
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
    let advice = "A local model, or a key for Groq or Gemini, gives real answers.";
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
