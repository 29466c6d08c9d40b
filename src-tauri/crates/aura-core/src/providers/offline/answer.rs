//! Answers by a model that runs on this computer, else the sound check.

use std::time::Duration;

use futures::StreamExt;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Offline;
use crate::providers::openai_compatible::{Server, preset};
use crate::providers::{
    Account, Chat, ChatPiece, ChatRequest, ChatStream, Class, Connection, Failure, Finish, ListedModel, Role, Service,
    Usage,
};

/// How long a server on this computer may take to accept a connection. A refusal takes no time at all.
const KNOCK: Duration = Duration::from_millis(250);
/// How long it may take to say which models it has.
const LIST: Duration = Duration::from_secs(2);

/// Where local models are looked for, as presets.
const SERVERS: [&str; 2] = ["ollama", "llamacpp"];

pub(super) async fn answer(offline: &Offline, request: &ChatRequest) -> Result<ChatStream, Failure> {
    for server in running(offline).await {
        // A server without a model, or something else on its port, is as good as none.
        if let Ok(Ok(model)) = timeout(LIST, server.first_chat_model(&request.model)).await {
            return server.chat(&ChatRequest { model, ..request.clone() }).await;
        }
    }
    if request.is_for_programs() {
        let message = "Without a local model this computer can neither call tools nor write JSON.";
        return Err(Failure::new(Class::Unsupported, message));
    }
    if request.continues {
        return Err(Failure::new(
            Class::Unsupported,
            "Without a local model this computer cannot go on with an answer.",
        ));
    }
    Ok(sound_check(request))
}

/// The models of the local servers that run.
pub(super) async fn models(offline: &Offline) -> Vec<ListedModel> {
    let mut models = Vec::new();
    for server in running(offline).await {
        if let Ok(Ok(listed)) = timeout(LIST, server.models()).await {
            models.extend(listed.into_iter().filter(|model| model.services.contains(&Service::Llm)));
        }
    }
    models
}

async fn running(offline: &Offline) -> Vec<Server> {
    let mut servers = Vec::new();
    if offline.surroundings.no_model {
        return servers;
    }
    for name in SERVERS {
        let preset = preset(name);
        let host = offline.surroundings.ollama_host.as_deref().filter(|_| name == SERVERS[0]);
        let Some(address) = host.and_then(ollama_address).or_else(|| preset.base_url.clone()) else { continue };
        if knock(&address).await {
            let connection = Connection {
                name: name.to_owned(),
                http: offline.http.clone(),
                base_url: Some(address),
                key: None,
                programs: offline.programs.clone(),
                preset: None,
            };
            servers.extend(Server::new(connection, preset));
        }
    }
    servers
}

async fn knock(address: &Url) -> bool {
    let Some((host, port)) = address.host_str().zip(address.port_or_known_default()) else { return false };
    let host = host.trim_matches(['[', ']']).to_owned();
    matches!(timeout(KNOCK, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

/// `OLLAMA_HOST` in its many forms. Only this computer counts: the offline provider asks nobody's consent to send text away.
fn ollama_address(host: &str) -> Option<Url> {
    let host = host.trim();
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/');
    let rest = if rest.starts_with(':') { format!("127.0.0.1{rest}") } else { rest.to_owned() };
    let mut url: Url = format!("{scheme}://{rest}/").parse().ok()?;
    if url.host_str() == Some("0.0.0.0") || url.host_str() == Some("[::]") {
        url.set_host(Some("127.0.0.1")).ok()?; // where it listens on every address, it is reached on this one
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

fn sound_check(request: &ChatRequest) -> ChatStream {
    let heard = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::User)
        .map(|message| message.text().trim().to_owned())
        .unwrap_or_default();
    let advice = "A key for Groq or Gemini, or a local model, gives real answers.";
    stream(&format!("I heard: \"{heard}\". {advice}"), "sound check")
}

/// A finished text as if it were being written.
pub(super) fn stream(text: &str, by: &str) -> ChatStream {
    let mut pieces: Vec<ChatPiece> = text.split_inclusive(' ').map(|word| ChatPiece::Text(word.to_owned())).collect();
    pieces
        .push(ChatPiece::End { finish: Finish::Stop, usage: Usage { model: Some(by.to_owned()), ..Usage::default() } });
    futures::stream::iter(pieces.into_iter().map(Ok)).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollama_host_in_every_form() {
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
