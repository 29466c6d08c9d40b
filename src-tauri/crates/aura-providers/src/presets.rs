//! Presets: what is particular about each known server with an OpenAI-compatible API. All of it is data, in `catalog/servers.json`;
//! a new server needs no code.

use std::sync::LazyLock;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use url::Host;

use crate::http::is_loopback;
use crate::types::Service;
use crate::wire::{openai_audio, openai_request};

/// How one kind of server differs from OpenAI's own API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Preset {
    /// The name in settings, and in the catalog.
    pub id: String,
    /// The name for users.
    pub label: String,
    /// The default base URL; `None` when there is none.
    pub base_url: Option<Url>,
    /// Whether such a server usually runs on this computer.
    pub local: bool,
    /// Whether it requires an API key. A key that is set is always sent.
    #[serde(default)]
    pub needs_key: bool,
    /// The services of a question that it offers.
    pub services: Vec<Service>,
    /// Whether it offers embeddings.
    #[serde(default)]
    pub embeddings: bool,
    /// The path segment to append to a base URL without a version, such as `v1`.
    #[serde(default = "v1")]
    pub(super) prefix: String,
    #[serde(default = "max_tokens")]
    pub(super) max_tokens_field: String,
    #[serde(default)]
    pub(super) stream_options: bool,
    /// Whether it accepts `top_k`.
    #[serde(default)]
    pub(super) top_k: bool,
    /// Its names of the service tiers; `None` when it has none.
    #[serde(default)]
    pub(super) tiers: Option<openai_request::TierNames>,
    #[serde(default)]
    pub(super) stt: TranscriptionEndpoint,
    #[serde(default = "json_format")]
    pub(super) stt_format: String,
    /// Whether it reports the times of words.
    #[serde(default)]
    pub(super) stt_words: bool,
    /// Its field for vocabulary; `None`: the vocabulary goes into the prompt.
    #[serde(default)]
    pub(super) stt_vocabulary: Option<String>,
    /// Whether it translates into English, at `audio/translations`.
    #[serde(default)]
    pub(super) stt_translates: bool,
    /// Whether it takes a recording that is still being made: a form without a length, whose WAV file does not tell its own.
    #[serde(default)]
    pub(super) stt_upload: bool,
    /// How it transcribes live speech, with the models for which the catalog names one that does; `None`: not at all.
    #[serde(default)]
    pub(super) realtime: Option<Realtime>,
    /// The speech options it accepts.
    #[serde(default)]
    pub(super) tts_takes: openai_audio::SpeechDialect,
    #[serde(default = "wav")]
    pub(super) tts_format: String,
    pub(super) tts_max_chars: Option<usize>,
    #[serde(default)]
    pub(super) models: ModelListFormat,
    /// Whether it lists its voices at `audio/voices`.
    #[serde(default)]
    pub(super) voices: bool,
}

fn v1() -> String {
    "v1".into()
}

fn max_tokens() -> String {
    "max_tokens".into()
}

fn json_format() -> String {
    "json".into()
}

fn wav() -> String {
    "wav".into()
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TranscriptionEndpoint {
    #[default]
    Multipart,
    /// The recording in base64 inside JSON.
    Openrouter,
    /// A form at `inference`, as whisper.cpp's server expects it.
    Whispercpp,
    /// A chat request with the recording in a message, as llama.cpp's server expects it.
    Chat,
}

/// How an OpenAI-compatible server transcribes live speech, at `realtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Realtime {
    /// In OpenAI's format, as LocalAI and speaches do too.
    Openai,
    /// In vLLM's own format.
    Vllm,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModelListFormat {
    #[default]
    List,
    /// The list, and the details of each model from `api/show`.
    Ollama,
    /// LM Studio's native list, if the server has it.
    Lmstudio,
    None,
}

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    // The file is compiled in, and every test parses it.
    serde_json::from_str(include_str!("catalog/servers.json")).expect("the embedded presets are valid")
});

/// All presets. The last one, `custom`, fits any OpenAI-compatible server.
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

impl Preset {
    /// Whether a server of this kind at this URL is on this computer or in the local network, so that no data leaves it.
    pub fn is_local(&self, url: &Url) -> bool {
        if is_loopback(url) {
            // A proxy on this computer to a remote service is not local.
            return self.local || self.base_url.is_none();
        }
        let in_local_network = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_link_local(),
            Some(Host::Ipv6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local(),
            Some(Host::Domain(name)) => {
                !name.contains('.') || [".local", ".lan", ".home.arpa"].iter().any(|end| name.ends_with(end))
            }
            None => false,
        };
        self.local && in_local_network
    }
}

/// The preset with this id, or `custom` if there is none.
pub fn preset(id: &str) -> &'static Preset {
    PRESETS.iter().find(|preset| preset.id == id).unwrap_or_else(|| &PRESETS[PRESETS.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_local_by_its_preset_and_its_address() {
        for (id, address, local) in [
            ("ollama", "http://127.0.0.1:11434/v1/", true),
            ("ollama", "http://localhost:11434/v1/", true),
            ("ollama", "http://192.168.1.9:11434/", true),
            ("ollama", "http://desk.local:11434/", true),
            ("ollama", "http://[fd00::1]:11434/", true),
            ("ollama", "https://ollama.com/v1/", false),
            ("custom", "http://127.0.0.1:9/", true),
            ("custom", "http://192.168.1.9/", false),
            ("openai", "http://127.0.0.1:9/", false),
            ("openai", "https://api.openai.com/v1/", false),
        ] {
            assert_eq!(preset(id).is_local(&address.parse().unwrap()), local, "{id} at {address}");
        }
    }

    #[test]
    fn every_preset_has_a_base_url_and_a_readable_format() {
        assert_eq!(presets().last().unwrap().id, "custom");
        assert_eq!(preset("no such thing").id, "custom");
        for preset in presets() {
            assert!(preset.base_url.is_some() || preset.id == "custom", "{}", preset.id);
            assert!(preset.base_url.as_ref().is_none_or(|url| url.path().ends_with('/')), "{}", preset.id);
            assert!(["wav", "pcm"].contains(&preset.tts_format.as_str()), "{}", preset.id);
        }
        let ids: Vec<&str> = presets().iter().map(|preset| preset.id.as_str()).collect();
        for id in ["openai", "openrouter", "ollama", "lmstudio", "llamacpp", "vllm", "whispercpp", "speaches", "kokoro"]
        {
            assert!(ids.contains(&id), "{id}");
        }
        assert_eq!(preset("ollama").max_tokens_field, "max_tokens", "Ollama ignores `max_completion_tokens`");
        assert_eq!(preset("openai").max_tokens_field, "max_completion_tokens");
    }
}
