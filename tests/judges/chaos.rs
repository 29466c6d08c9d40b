//! Failover in front of aimock with chaos: the first provider is the imitation that others wrote and break, the second is healthy. Every
//! answer arrives whole, in each format of the local API.

use std::path::Path;

use aura_sandbox::{Rule, Sandbox, SandboxConfig, Script};
use aura_tests::http::{HttpServer, answer, sandboxed};
use aura_tests::process::Running;
use futures::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{KEY, aimock};

const QUESTION: &str = "Do I need a coat?";
const FIRST: &str = "The first provider says that it will be a warm and sunny day.";
const SECOND: &str = "The second provider says that it will rain until the evening.";
/// Longer than the time limit of [`SETTINGS`].
const TOO_LATE_MS: u64 = 20_000;
const SETTINGS: &str = "[timeouts]\nfirst_content_ms = 1500\n";

/// A format of the local API, whole or streamed.
#[derive(Debug, Clone, Copy)]
struct Format {
    path: &'static str,
    streamed: bool,
}

fn formats() -> impl Iterator<Item = Format> {
    let paths = ["/v1/chat/completions", "/v1/responses", "/v1/messages"];
    paths.into_iter().flat_map(|path| [false, true].map(|streamed| Format { path, streamed }))
}

impl Format {
    /// Asks the question. Returns the text of the answer, which must be whole.
    async fn ask(self, server: &HttpServer) -> String {
        let messages = json!([{"role": "user", "content": QUESTION}]);
        let mut body = json!({"model": "auto", "stream": self.streamed});
        body[if self.path == "/v1/responses" { "input" } else { "messages" }] = messages;
        if self.path == "/v1/messages" {
            body["max_tokens"] = json!(500);
        }
        let reply = server.post(self.path).json(&body).send().await.unwrap();
        if self.streamed { self.joined(&reply.text().await.unwrap()) } else { self.text(&answer(reply).await) }
    }

    fn text(self, reply: &Value) -> String {
        let (text, end) = match self.path {
            "/v1/chat/completions" => ("/choices/0/message/content", ("/choices/0/finish_reason", "stop")),
            "/v1/responses" => ("/output/0/content/0/text", ("/status", "completed")),
            _ => ("/content/0/text", ("/stop_reason", "end_turn")),
        };
        assert_eq!(reply.pointer(end.0), Some(&json!(end.1)), "{reply}");
        reply.pointer(text).and_then(Value::as_str).unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    fn joined(self, stream: &str) -> String {
        let (delta, end) = match self.path {
            "/v1/chat/completions" => ("/choices/0/delta/content", "data: [DONE]"),
            "/v1/responses" => ("/delta", "event: response.completed"),
            _ => ("/delta/text", "event: message_stop"),
        };
        assert!(stream.contains(end), "{self:?} does not end: {stream}");
        let events = stream.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        events.filter_map(|event| event.pointer(delta)?.as_str().map(str::to_owned)).collect()
    }
}

/// aimock as the first provider in front of a healthy one.
struct Judge {
    _aimock: Running,
    sandbox: Sandbox,
    /// The address of aimock.
    url: String,
    /// The name of the first provider, whose format aimock speaks.
    first: &'static str,
}

impl Judge {
    async fn new(folder: &Path, first: &'static str, fixture: Value) -> Self {
        let (running, url) = aimock(folder, &json!([fixture]));
        let script = Script { rules: vec![Rule::reply(SECOND)] };
        let (sandbox, _) = sandboxed(SandboxConfig { script, ..SandboxConfig::default() }).await;
        Self { _aimock: running, sandbox, url: url.trim_end_matches("/v1").to_owned(), first }
    }

    /// A server that has not learned of any failure yet.
    fn server(&self) -> HttpServer {
        let key = aura_sandbox::DEFAULT_KEY;
        let aura = aura_tests::aura::Aura::new();
        let aura = match self.first {
            "groq" => aura
                .with("GROQ_BASE_URL", format!("{}/v1", self.url))
                .with("GROQ_API_KEY", KEY)
                .with("GEMINI_BASE_URL", self.sandbox.gemini_base_url())
                .with("GEMINI_API_KEY", key),
            _ => aura
                .with("GEMINI_BASE_URL", format!("{}/v1beta", self.url))
                .with("GEMINI_API_KEY", KEY)
                .with("GROQ_BASE_URL", self.sandbox.groq_base_url())
                .with("GROQ_API_KEY", key),
        };
        HttpServer::start(aura.settings(&format!("{SETTINGS}[routes.llm]\nprovider = \"{}\"\n", self.first)))
    }

    fn control(&self, method: Method, path: &str) -> RequestBuilder {
        reqwest::Client::new().request(method, format!("{}/__aimock/{path}", self.url)).bearer_auth(KEY)
    }

    async fn chaos(&self, chaos: &Value) {
        answer(self.control(Method::POST, "chaos").json(chaos).send().await.unwrap()).await;
    }

    /// What aimock did to the requests that it received, in order: the name of its fault, or none.
    async fn faults(&self) -> Vec<Option<String>> {
        let journal = answer(self.control(Method::GET, "journal").send().await.unwrap()).await;
        let entries = journal.as_array().or_else(|| journal["entries"].as_array()).unwrap().clone();
        let posts = entries.iter().filter(|entry| entry["method"] == "POST");
        posts.map(|entry| entry["response"]["chaosAction"].as_str().map(str::to_owned)).collect()
    }
}

fn healthy() -> Value {
    json!({"match": {"userMessage": "coat"}, "response": {"content": FIRST}})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_whole_whatever_the_first_provider_does() {
    for first in ["groq", "gemini"] {
        let folder = tempfile::tempdir().unwrap();
        let judge = Judge::new(folder.path(), first, healthy()).await;
        let server = judge.server();
        for format in formats() {
            assert_eq!(format.ask(&server).await, FIRST, "{first} {format:?}");
        }
        let chaos = [
            (json!({"dropRate": 1}), Some("drop")),
            (json!({"malformedRate": 1}), Some("malformed")),
            (json!({"rateLimitRate": 1}), Some("rateLimit")),
            (json!({"disconnectRate": 1}), Some("disconnect")),
            (json!({"latencyMs": TOO_LATE_MS}), None),
        ];
        for (chaos, fault) in chaos {
            judge.chaos(&chaos).await;
            // New servers: one that has seen failures leaves the provider out.
            let servers: Vec<HttpServer> = formats().map(|_| judge.server()).collect();
            let asked = join_all(formats().zip(&servers).map(|(format, server)| format.ask(server))).await;
            for (format, text) in formats().zip(asked) {
                assert_eq!(text, SECOND, "{first} {chaos} {format:?}");
            }
            if fault.is_some() {
                assert_eq!(judge.faults().await.last().unwrap().as_deref(), fault, "{first}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_continued() {
    for first in ["groq", "gemini"] {
        for (fault, value) in [("truncateAfterChunks", 4), ("disconnectAfterMs", 70)] {
            let folder = tempfile::tempdir().unwrap();
            let mut broken = healthy();
            broken[fault] = value.into();
            let judge = Judge::new(folder.path(), first, broken).await;
            for format in formats().filter(|format| format.streamed) {
                let text = format.ask(&judge.server()).await;
                let begun = text.strip_suffix(SECOND).unwrap_or_else(|| panic!("{first} {fault} {format:?}: {text}"));
                assert!(FIRST.starts_with(begun.trim_end()), "{first} {fault} {format:?}: {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_faults_of_many_requests_at_once_are_hidden() {
    for first in ["groq", "gemini"] {
        let folder = tempfile::tempdir().unwrap();
        let judge = Judge::new(folder.path(), first, healthy()).await;
        let mixed = json!({"dropRate": 0.2, "malformedRate": 0.2, "rateLimitRate": 0.2, "disconnectRate": 0.2, "latencyMs": 30});
        judge.chaos(&mixed).await;
        let server = judge.server();
        let asked = join_all((0..8).flat_map(|_| formats()).map(|format| format.ask(&server))).await;
        for text in &asked {
            assert!([FIRST, SECOND].contains(&text.as_str()), "{first}: {text}");
        }
        let by_first = asked.iter().filter(|text| *text == FIRST).count();
        let faults = judge.faults().await.iter().flatten().count();
        println!("{first}: {} answers, {by_first} by aimock, after {faults} faults", asked.len());
        assert!(faults > 0, "{first}: aimock broke nothing");
    }
}
