//! A sandbox and a client for it, and what the tests read from the wire.

use std::sync::Once;
use std::time::Duration;

use aura_sandbox::{Fixed, FixedAudio, RequestRecord, Sandbox, SandboxConfig, Sound};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// A sandbox that runs no program, and a client for it.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

impl Bench {
    /// Fixed speech, so that only the wire is tested.
    pub(crate) async fn start() -> Self {
        let audio = FixedAudio { sound: Sound::Tone, ms: 500 };
        let fixed = Fixed { transcript: Some("open the window".into()), audio: Some(audio) };
        Self::with(SandboxConfig { fixed, ..SandboxConfig::default() }).await
    }

    pub(crate) async fn with(config: SandboxConfig) -> Self {
        static CRYPTO: Once = Once::new();
        CRYPTO.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let client = Client::builder().user_agent("aura-test").no_proxy().build().unwrap();
        Self { sandbox: Sandbox::start(config).await.unwrap(), client }
    }

    /// A request to Groq with the right key.
    pub(crate) fn groq(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}/{path}", self.sandbox.groq_base_url())).bearer_auth(self.sandbox.key())
    }

    /// Waits until the log holds a request of which this is true: a client is told of some things sooner than the log is.
    pub(crate) async fn logged(&self, holds: impl Fn(&RequestRecord) -> bool) -> RequestRecord {
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
            Err(_) => panic!("no such request in {:#?}", self.sandbox.requests().await),
        }
    }

    /// A question to Groq.
    pub(crate) fn ask_groq(&self, stream: bool) -> RequestBuilder {
        let messages = json!([{"role": "user", "content": "Good morning"}]);
        let body = json!({"model": "openai/gpt-oss-20b", "messages": messages, "stream": stream});
        self.groq("chat/completions").json(&body)
    }

    /// A request to Gemini with the right key.
    pub(crate) fn gemini(&self, tail: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}/models/{tail}", self.sandbox.gemini_base_url());
        self.client.post(url).header("x-goog-api-key", self.sandbox.key()).json(body)
    }

    /// A streamed question to Gemini.
    pub(crate) fn ask_gemini(&self) -> RequestBuilder {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "Good morning"}]}]});
        self.gemini("gemini-3.5-flash-lite:streamGenerateContent?alt=sse", &body)
    }
}

/// What arrives until the stream ends, and whether it ended as it should.
pub(crate) async fn drain(mut response: Response) -> (String, bool) {
    let mut all = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => all.extend_from_slice(&piece),
            Ok(None) => return (String::from_utf8(all).unwrap(), true),
            Err(_) => return (String::from_utf8(all).unwrap(), false),
        }
    }
}

/// The text in a Groq stream.
pub(crate) fn groq_text(stream: &str) -> String {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    events
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}
