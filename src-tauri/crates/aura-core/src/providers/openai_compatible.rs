//! Any server that speaks OpenAI's dialect. What differs between them is in `catalog/servers.json`; a new one needs no code.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use futures::future;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use url::Host;

use super::wire::http::{self, KeyHeader, Link, is_loopback};
use super::wire::json_events::JsonEvents;
use super::wire::speech::Speech;
use super::wire::{effort, heard, openai_audio, openai_chat, openai_models, openai_request};
use super::{
    Account, Chat, ChatRequest, ChatStream, Class, Connection, Failure, ListedModel, ListedVoice, Provider, Service,
    Services, SpeechStream, SpeechToText, SttRequest, TextToSpeech, Transcript, TtsRequest,
};
use crate::catalog;

/// What OpenAI's upload takes, in bytes; most servers copied it.
const MAX_UPLOAD: usize = 25_000_000;
/// What OpenAI speaks at once, in characters.
const MAX_CHARS: usize = 4096;
/// How many models of a local server are asked what they can do.
const MAX_SHOWN: usize = 30;

pub(super) static PROVIDER: Provider = Provider {
    id: "openai_compatible",
    label: "OpenAI-compatible server",
    key_env: None,
    base_url_env: None,
    base_url: None,
    local: false,
    services: &Service::ALL,
    connect,
};

/// How one kind of server speaks the dialect.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name in settings, and its models' in the catalog.
    pub id: String,
    /// Its name for the person.
    pub label: String,
    /// Where it is found when nobody moved it.
    pub base_url: Option<Url>,
    /// Whether it runs on this computer.
    pub local: bool,
    /// Whether it needs a key. Every server gets one that is set.
    #[serde(default)]
    pub needs_key: bool,
    /// What it offers.
    pub services: Vec<Service>,
    /// What comes before the endpoints of an address that names no version.
    #[serde(default = "v1")]
    prefix: String,
    #[serde(default = "max_tokens")]
    max_tokens_field: String,
    #[serde(default)]
    stream_options: bool,
    /// Whether it takes `top_k`.
    #[serde(default)]
    top_k: bool,
    /// What it calls the ways of being served.
    #[serde(default)]
    tiers: Option<openai_request::Tiers>,
    #[serde(default)]
    stt: SttStyle,
    #[serde(default = "json_format")]
    stt_format: String,
    /// Whether it tells the times of words.
    #[serde(default)]
    stt_words: bool,
    /// Its field for names and terms.
    #[serde(default)]
    stt_vocabulary: Option<String>,
    /// Whether it translates into English, at `audio/translations`.
    #[serde(default)]
    stt_translates: bool,
    /// What of a delivery its voices take.
    #[serde(default)]
    tts_takes: openai_audio::Takes,
    #[serde(default = "wav")]
    tts_format: String,
    tts_max_chars: Option<usize>,
    #[serde(default)]
    models: ModelsStyle,
    /// Whether it lists its voices at `audio/voices`.
    #[serde(default)]
    voices: bool,
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
enum SttStyle {
    #[default]
    Multipart,
    /// The recording inside JSON.
    Openrouter,
    /// A form at `inference`, as whisper.cpp's server has it.
    Whispercpp,
    /// A question in a chat, with the recording in it, as llama.cpp's server has it.
    Chat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModelsStyle {
    #[default]
    List,
    /// The list, and for each model what `api/show` tells.
    Ollama,
    /// LM Studio's own list, where there is one.
    Lmstudio,
    None,
}

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    // The file is compiled in, and a test reads it.
    serde_json::from_str(include_str!("../catalog/servers.json")).expect("the file of servers is valid")
});

/// The kinds of servers that are known.
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

impl Preset {
    /// Whether a server of this kind at that address is on this computer or in this house.
    pub(crate) fn is_near(&self, url: &Url) -> bool {
        if is_loopback(url) {
            // What passes questions on to somebody else is not near, though it may be reached so.
            return self.local || self.base_url.is_none();
        }
        let in_house = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_link_local(),
            Some(Host::Ipv6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local(),
            Some(Host::Domain(name)) => {
                !name.contains('.') || [".local", ".lan", ".home.arpa"].iter().any(|end| name.ends_with(end))
            }
            None => false,
        };
        self.local && in_house
    }
}

/// The preset of that name; the last one, for any server, when there is none.
pub fn preset(id: &str) -> &'static Preset {
    PRESETS.iter().find(|preset| preset.id == id).unwrap_or_else(|| &PRESETS[PRESETS.len() - 1])
}

pub(super) struct Server {
    /// The name that the person gave it.
    name: String,
    link: Link,
    /// The address without version and prefix, for what is not OpenAI's dialect.
    root: Link,
    preset: &'static Preset,
}

fn connect(connection: Connection) -> Services {
    let preset = preset(connection.preset.as_deref().unwrap_or(&connection.name));
    let Some(server) = Server::new(connection, preset) else { return Services::default() };
    let server = Arc::new(server);
    let offers = |service: Service| preset.services.contains(&service).then(|| server.clone());
    Services {
        stt: offers(Service::Stt).map(|server| server as Arc<dyn SpeechToText>),
        chat: offers(Service::Llm).map(|server| server as Arc<dyn Chat>),
        tts: offers(Service::Tts).map(|server| server as Arc<dyn TextToSpeech>),
        account: Some(server.clone()),
    }
}

impl Server {
    pub(super) fn new(connection: Connection, preset: &'static Preset) -> Option<Self> {
        let address = connection.base_url.or_else(|| preset.base_url.clone())?;
        let (base, root) = addresses(&address, &preset.prefix);
        let link = |base| Link::new(connection.http.clone(), base, connection.key.clone(), KeyHeader::Bearer);
        Some(Self { link: link(base), root: link(root), preset, name: connection.name })
    }

    fn link(&self) -> Result<&Link, Failure> {
        if self.preset.needs_key { self.link.with_key(&self.preset.label) } else { Ok(&self.link) }
    }
}

/// The address of the endpoints and the one above it, whether or not the person wrote the slash and the version.
fn addresses(address: &Url, prefix: &str) -> (Url, Url) {
    let mut base = address.clone();
    base.set_query(None);
    base.set_fragment(None);
    let path: Vec<String> = base.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let version =
        |part: &str| part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut root = path.clone();
    if root.last().is_some_and(|part| version(part)) {
        root.pop();
    }
    let mut full = path;
    if !prefix.is_empty() && !full.iter().any(|part| version(part)) {
        full.push(prefix.to_owned());
    } else if prefix.is_empty() {
        full.clone_from(&root);
    }
    let with = |parts: &[String]| {
        let mut url = base.clone();
        let slash = if parts.is_empty() { "" } else { "/" };
        url.set_path(&format!("/{}{slash}", parts.join("/")));
        url
    };
    (with(&full), with(&root))
}

#[async_trait]
impl SpeechToText for Server {
    async fn transcribe(&self, request: &SttRequest) -> Result<Transcript, Failure> {
        let link = self.link()?;
        openai_audio::check(request, MAX_UPLOAD)?;
        if request.translate && !self.preset.stt_translates {
            return Err(Failure::new(Class::Unsupported, "This server writes down and does not translate."));
        }
        let mut form = openai_audio::Form {
            format: &self.preset.stt_format,
            words: self.preset.stt_words || catalog::limits(&self.preset.id, &request.model).words,
            vocabulary: self.preset.stt_vocabulary.as_deref(),
            translate: None,
        };
        let endpoint = ["audio", if request.translate { "translations" } else { "transcriptions" }];
        let mut in_chat = false;
        let reply = match self.preset.stt {
            SttStyle::Multipart => {
                let model = catalog::translator(&self.preset.id, &request.model);
                let asked = SttRequest {
                    model: if request.translate { model } else { &request.model }.into(),
                    ..request.clone()
                };
                let (content_type, body) = openai_audio::transcription_form(&asked, form);
                link.post(link.url(&endpoint), &content_type, body).await?
            }
            SttStyle::Openrouter => {
                link.post_json(link.url(&endpoint), &openai_audio::transcription_json(request)).await?
            }
            SttStyle::Whispercpp => {
                form.translate = Some("translate");
                let (content_type, body) = openai_audio::transcription_form(request, form);
                link.post(link.url(&["inference"]), &content_type, body).await?
            }
            SttStyle::Chat => {
                in_chat = true;
                let body = heard::transcription_chat(request, &self.preset.max_tokens_field);
                link.post_json(link.url(&["chat", "completions"]), &body).await?
            }
        };
        let rate_limit = reply.rate_limit();
        let mut transcript = if in_chat {
            reply.read(|body| heard::transcript_of_chat(&http::parse(body)?, request)).await?
        } else {
            reply.read(|body| openai_audio::transcript(body, request)).await?
        };
        transcript.usage.rate_limit = rate_limit;
        Ok(transcript)
    }
}

#[async_trait]
impl Chat for Server {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let link = self.link()?;
        let limits = catalog::limits(&self.preset.id, &request.model);
        let Some(request) = request.with_pictures_within(limits.max_images.unwrap_or(usize::MAX), usize::MAX) else {
            return Err(Failure::new(Class::Unsupported, "These are more pictures than the model takes."));
        };
        let base = catalog::reasoning(&self.preset.id, &request.model);
        let params = effort::params(base, request.effort, &limits.efforts, true);
        let shape = openai_request::Shape {
            max_tokens_field: &self.preset.max_tokens_field,
            stream_options: self.preset.stream_options,
            penalties: true,
            top_k: self.preset.top_k,
            tiers: self.preset.tiers,
            least_room: limits.least_room.unwrap_or_default(),
            name: &self.name,
            params: params.as_deref(),
        };
        let reply =
            link.post_json(link.url(&["chat", "completions"]), &openai_request::request(&request, shape)).await?;
        let answer = openai_chat::Answer::new(&request.model, reply.rate_limit());
        Ok(reply.stream(JsonEvents::new(answer)))
    }
}

#[async_trait]
impl TextToSpeech for Server {
    async fn speak(&self, request: &TtsRequest) -> Result<SpeechStream, Failure> {
        let link = self.link()?;
        let mut request = request.clone();
        request.voice = catalog::resolve_voice(&self.preset.id, &request.model, &request.voice);
        let format = &self.preset.tts_format;
        let body = openai_audio::speech(&request, format, self.preset.tts_takes);
        let reply = link.post_json(link.url(&["audio", "speech"]), &body).await?;
        let decoder = Speech::new(reply.content_type(), format, reply.rate_limit());
        Ok(reply.stream(decoder))
    }

    fn max_chars(&self, model: &str) -> usize {
        catalog::max_chars(&self.preset.id, model).or(self.preset.tts_max_chars).unwrap_or(MAX_CHARS)
    }
}

#[async_trait]
impl Account for Server {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let link = self.link()?;
        let known = || catalog::models(&self.preset.id).iter().map(listed).collect();
        match self.preset.models {
            ModelsStyle::None => {
                link.get(link.url(&[])).await?; // a server without a list: whether it answers is all there is to know
                return Ok(known());
            }
            ModelsStyle::Lmstudio => {
                if let Ok(reply) = self.root.get(self.root.url(&["api", "v1", "models"])).await
                    && let Ok(value) = reply.json().await
                    && value["models"].is_array()
                {
                    return Ok(openai_models::lmstudio(&value));
                }
            }
            ModelsStyle::List | ModelsStyle::Ollama => {}
        }
        let value = link.get(link.url(&["models"])).await?.json().await?;
        let mut models = openai_models::list(&self.preset.id, &value);
        if matches!(self.preset.stt, SttStyle::Chat) {
            openai_models::hearing(&mut models, &value);
        }
        if self.preset.models == ModelsStyle::Ollama {
            let shown = models.iter_mut().take(MAX_SHOWN).map(|model| async move {
                let asked = self.root.post_json(self.root.url(&["api", "show"]), &json!({ "model": model.id })).await;
                if let Ok(reply) = asked
                    && let Ok(value) = reply.json().await
                {
                    openai_models::ollama(model, &value);
                }
            });
            future::join_all(shown).await;
            models.retain(|model| !model.services.is_empty());
        }
        Ok(models)
    }

    async fn voices(&self) -> Result<Vec<ListedVoice>, Failure> {
        if !self.preset.voices {
            return Ok(Vec::new());
        }
        let link = self.link()?;
        Ok(openai_models::voices(&link.get(link.url(&["audio", "voices"])).await?.json().await?))
    }

    async fn warm(&self) {
        self.link.warm().await;
    }
}

fn listed(model: &catalog::Model) -> ListedModel {
    ListedModel {
        id: model.id.clone(),
        services: model.services.clone(),
        context: model.context,
        max_output: model.max_output,
        ..ListedModel::default()
    }
}

impl Server {
    /// The first model that answers questions, if the server is there.
    pub(super) async fn first_chat_model(&self, wanted: &str) -> Result<String, Failure> {
        let value = self.link.get(self.link.url(&["models"])).await?.json().await?;
        let models = openai_models::list(&self.preset.id, &value);
        let chats = |model: &&ListedModel| model.services.contains(&Service::Llm);
        let model = models.iter().find(|model| model.id == wanted).or_else(|| models.iter().find(chats));
        model
            .map(|model| model.id.clone())
            .ok_or_else(|| Failure::new(Class::ModelGone, "The local server has no model yet."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_slash_and_version() {
        let of = |address: &str, prefix: &str| {
            let (base, root) = addresses(&address.parse().unwrap(), prefix);
            (base.to_string(), root.to_string())
        };
        for address in ["http://h:1/v1/", "http://h:1/v1", "http://h:1", "http://h:1/", "http://h:1/v1/?x=1"] {
            assert_eq!(of(address, "v1"), ("http://h:1/v1/".into(), "http://h:1/".into()), "{address}");
        }
        assert_eq!(of("https://openrouter.ai/api", "v1").0, "https://openrouter.ai/api/v1/");
        assert_eq!(
            of("https://openrouter.ai/api/v1", "v1"),
            ("https://openrouter.ai/api/v1/".into(), "https://openrouter.ai/api/".into())
        );
        assert_eq!(of("https://g.example/v1beta/openai/", "v1").0, "https://g.example/v1beta/openai/");
        assert_eq!(of("http://h:8080/", "").0, "http://h:8080/");
        assert_eq!(of("http://h:8080/v1/", "").0, "http://h:8080/", "whisper.cpp has no version");
    }

    #[test]
    fn what_is_near() {
        for (id, address, near) in [
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
            assert_eq!(preset(id).is_near(&address.parse().unwrap()), near, "{id} at {address}");
        }
    }

    #[test]
    fn every_preset_can_be_connected() {
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
        assert_eq!(preset("ollama").max_tokens_field, "max_tokens", "Ollama ignores the new name");
        assert_eq!(preset("openai").max_tokens_field, "max_completion_tokens");
    }
}
