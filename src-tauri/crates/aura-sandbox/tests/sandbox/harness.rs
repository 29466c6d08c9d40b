//! The test harness: a sandbox, an HTTP client for it, and readers for streamed responses.

use std::sync::Once;
use std::time::Duration;

use aura_sandbox::{FixedAnswers, FixedAudio, RequestRecord, Sandbox, SandboxConfig, TestSignal};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// A running sandbox and an HTTP client for it.
pub(crate) struct Harness {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

impl Harness {
    /// Starts a sandbox with a fixed transcript and fixed audio, so that no speech program runs.
    pub(crate) async fn start() -> Self {
        let audio = FixedAudio { sound: TestSignal::Tone, ms: 500 };
        let fixed = FixedAnswers { transcript: Some("open the window".into()), audio: Some(audio) };
        Self::with(SandboxConfig { fixed, ..SandboxConfig::default() }).await
    }

    /// Starts a sandbox with `config`.
    pub(crate) async fn with(config: SandboxConfig) -> Self {
        static CRYPTO: Once = Once::new();
        CRYPTO.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let client = Client::builder().user_agent("aura-test").no_proxy().build().unwrap();
        Self { sandbox: Sandbox::start(config).await.unwrap(), client }
    }

    /// A POST request to Groq with the accepted API key.
    pub(crate) fn groq(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}/{path}", self.sandbox.groq_base_url())).bearer_auth(self.sandbox.key())
    }

    /// Waits until the request log holds a record for which `holds` is true, and returns that record. The client can
    /// see a response before the log is updated.
    pub(crate) async fn wait_for_record(&self, holds: impl Fn(&RequestRecord) -> bool) -> RequestRecord {
        let search = async {
            loop {
                if let Some(found) = self.sandbox.requests().await.into_iter().find(&holds) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(30), search).await {
            Ok(found) => found,
            Err(_) => panic!("no matching record in {:#?}", self.sandbox.requests().await),
        }
    }

    /// A chat completion request to Groq.
    pub(crate) fn groq_chat(&self, stream: bool) -> RequestBuilder {
        let messages = json!([{"role": "user", "content": "Good morning"}]);
        let body = json!({"model": "openai/gpt-oss-20b", "messages": messages, "stream": stream});
        self.groq("chat/completions").json(&body)
    }

    /// A POST request to Gemini with the accepted API key. `tail` is the model, the method and the query.
    pub(crate) fn gemini(&self, tail: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}/models/{tail}", self.sandbox.gemini_base_url());
        self.client.post(url).header("x-goog-api-key", self.sandbox.key()).json(body)
    }

    /// A streaming generateContent request to Gemini.
    pub(crate) fn gemini_stream(&self) -> RequestBuilder {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "Good morning"}]}]});
        self.gemini("gemini-3.5-flash-lite:streamGenerateContent?alt=sse", &body)
    }
}

/// Reads the body to its end. The flag says whether it ended without an error.
pub(crate) async fn read_to_end(mut response: Response) -> (String, bool) {
    let mut all = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            Ok(None) => return (String::from_utf8(all).unwrap(), true),
            Err(_) => return (String::from_utf8(all).unwrap(), false),
        }
    }
}

/// The text of a streamed Groq completion, put together from its chunks.
pub(crate) fn groq_text(stream: &str) -> String {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    events
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}
