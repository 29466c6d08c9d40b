//! The providers: who can transcribe, answer, see and speak, and how each is reached.
//!
//! A provider is one file with one `static PROVIDER`; two lines here register it. What it offers are small traits, one per
//! service, that make a single call and report how it failed. Retries, clocks and fallback are the router's.

pub mod wire;

mod chat;
mod failure;
mod gemini;
mod groq;
mod offline;
mod openai_compatible;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use reqwest::Url;
use secrecy::SecretString;

pub use chat::{
    AnswerFormat, ChatPiece, ChatRequest, ChatStream, Detail, Effort, Finish, Message, Part, Role, Safety, Sampling,
    Tier, Tool, ToolCall, ToolChoice,
};
pub use failure::{Class, Failure};
pub use openai_compatible::{Preset, preset, presets};
pub use service::{
    Account, Chat, Delivery, Doubt, ListedModel, ListedPrice, ListedVoice, RateLimit, Segment, Service, SpeakerVoice,
    SpeechPiece, SpeechStream, SpeechToText, SttRequest, TextToSpeech, Transcript, TtsRequest, Usage, Word,
};
pub use wire::http::{Http, Waits};

use crate::ports::Programs;

/// The provider table. Its order is the order of the interface and of the default fallback.
pub static PROVIDERS: &[&Provider] = &[
    &groq::PROVIDER,
    &gemini::PROVIDER,
    &openai_compatible::PROVIDER,
    &offline::PROVIDER, // stays last: the last link of every fallback order
];

/// A kind of provider: what it is called, how it is reached and what it offers.
pub struct Provider {
    /// Its name in settings and requests.
    pub id: &'static str,
    /// Its name for the person.
    pub label: &'static str,
    /// The environment variable that overrides the saved key; `None` when it needs no key.
    pub key_env: Option<&'static str>,
    /// The environment variable that moves it.
    pub base_url_env: Option<&'static str>,
    /// Where it is. `None`: each configured server has its own, or there is nothing to reach.
    pub base_url: Option<&'static str>,
    /// Whether it runs on this computer: no consent is needed, and a model may take long to load.
    pub local: bool,
    /// What it offers.
    pub services: &'static [Service],
    /// Makes the services of one connection. Cheap: nothing is opened.
    pub connect: fn(Connection) -> Services,
}

/// How one configured provider is reached.
#[derive(Clone)]
pub struct Connection {
    /// The configured name: `groq`, `gemini`, `offline`, or the name the person gave a server.
    pub name: String,
    /// The shared connections.
    pub http: Http,
    /// Where it is, always with a trailing slash. Absent for `offline`.
    pub base_url: Option<Url>,
    /// Its key.
    pub key: Option<SecretString>,
    /// Local programs, for `offline`.
    pub programs: Arc<dyn Programs>,
    /// The preset of an OpenAI-compatible server: `openai`, `ollama`, `lmstudio`, …
    pub preset: Option<String>,
}

/// What one connection offers; a service that is absent is not offered.
#[derive(Clone, Default)]
pub struct Services {
    /// Speech to text.
    pub stt: Option<Arc<dyn SpeechToText>>,
    /// Text, and text about an image: the same call with a picture in it.
    pub chat: Option<Arc<dyn Chat>>,
    /// Text to speech.
    pub tts: Option<Arc<dyn TextToSpeech>>,
    /// The model list and the warm-up.
    pub account: Option<Arc<dyn Account>>,
}

/// The provider kind of that name.
pub fn find(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.id == id)
}
