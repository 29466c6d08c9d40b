//! The `offline` provider, also named `local`: models, programs and model servers on this computer, without account and network. It is
//! the last fallback.
//!
//! Each service uses an installed model first, speech to text also while somebody speaks. Without one, speech to text uses whisper-cli or pocketsphinx; answers about text and
//! images, a local model server; text in images, tesseract; text to speech, piper or espeak-ng. Without any model, a built-in answer
//! repeats the question and says how to get real answers.

mod answer;
mod choice;
mod listen;
mod live;
mod look;
mod server_model;
mod speak;
mod temp_file;

pub use temp_file::sweep_temp_files;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;

pub use self::choice::installed_model;
use self::choice::{may_be_replaced, named};
use self::live::LiveOffline;
use self::temp_file::TempFile;
use crate::catalog::Catalog;
use crate::http::HttpPools;
use crate::local_models::{LocalModel, LocalModels};
use crate::programs::{Job, JobOutput, Programs};
use crate::provider::{Connection, Provider, Services};
use crate::redact::shorten;
use crate::types::{
    Chat, ChatRequest, ChatStream, Failure, FailureKind, ListedModel, ModelListing, Service, SpeechRequest,
    SpeechStream, SpeechToText, TextToSpeech, Transcript, TranscriptionRequest,
};
use crate::wire::transcription;

/// The longest text of a speech request, in characters. Synthesis is faster than playback.
const MAX_CHARS: usize = 2000;
/// The longest run time of a program.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) static PROVIDER: Provider = Provider {
    id: "offline",
    label: "This computer",
    key_env: None,
    base_url_env: None,
    base_url: None,
    local: true,
    services: &Service::ALL,
    connect,
};

/// The configuration of local programs and models, from environment variables.
#[derive(Debug, Clone, Default)]
struct OfflineConfig {
    /// `AURA_WHISPER_MODEL`: a ggml file for whisper-cli.
    whisper_model: Option<PathBuf>,
    /// `AURA_PIPER_MODEL`: an ONNX file for piper.
    piper_model: Option<PathBuf>,
    /// `OLLAMA_HOST`, in any form that Ollama itself accepts.
    ollama_host: Option<String>,
    /// `AURA_OFFLINE_LLM=none`: local model servers are not used.
    no_model: bool,
}

impl OfflineConfig {
    fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        Self {
            whisper_model: value("AURA_WHISPER_MODEL").map(PathBuf::from),
            piper_model: value("AURA_PIPER_MODEL").map(PathBuf::from),
            ollama_host: value("OLLAMA_HOST").map(str::to_owned),
            no_model: value("AURA_OFFLINE_LLM") == Some("none"),
        }
    }
}

struct Offline {
    http: HttpPools,
    programs: Arc<dyn Programs>,
    local: Arc<dyn LocalModels>,
    catalog: Arc<Catalog>,
    config: OfflineConfig,
    /// The installed model that each service used last.
    last_used: Mutex<BTreeMap<Service, String>>,
}

fn connect(connection: Connection) -> Services {
    let config = OfflineConfig::from_variables(&connection.variables);
    let offline = Offline {
        http: connection.http,
        programs: connection.programs,
        local: connection.local_models,
        catalog: connection.catalog,
        config,
        last_used: Mutex::default(),
    };
    services(Arc::new(offline))
}

fn services(offline: Arc<Offline>) -> Services {
    Services {
        stt: Some(offline.clone()),
        streaming_stt: Some(Arc::new(LiveOffline(offline.clone()))),
        chat: Some(offline.clone()),
        tts: Some(offline.clone()),
        embedding: None,
        models: Some(offline),
    }
}

impl Offline {
    /// The installed model for a request, which is remembered.
    fn choose(&self, id: &str, service: Service, language: Option<&str>) -> Option<LocalModel> {
        let model = installed_model(&*self.local, id, service, language)?;
        self.last_used.lock().insert(service, model.id.clone());
        Some(model)
    }

    /// Transcribes by an installed model.
    async fn transcribe_by(&self, model: String, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        let language = transcription::language_code(request.language.as_deref());
        let by_model = TranscriptionRequest { model, language, ..request.clone() };
        let mut transcript = self.local.transcribe(&by_model).await?;
        transcript.text = transcription::without_echo(&transcript.text, request);
        Ok(transcript)
    }

    /// A temporary file with this content.
    async fn temp_file(&self, extension: &'static str, content: Bytes) -> Result<TempFile, Failure> {
        TempFile::create(self.programs.temp_folder(), extension, content).await
    }

    /// Runs a program and returns its output. Fails when its exit status is not 0, with the last line of its standard error.
    async fn run(&self, program: PathBuf, args: Vec<OsString>, stdin: Bytes) -> Result<JobOutput, Failure> {
        let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let job = Job { program, args, stdin, limit: RUN_TIMEOUT };
        let output = self
            .programs
            .run(job)
            .await
            .map_err(|error| Failure::new(FailureKind::Unreachable, shorten(&format!("{name}: {}", error))))?;
        if output.success {
            Ok(output)
        } else {
            let reason = output.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
            Err(Failure::new(FailureKind::Unreachable, shorten(&format!("{name} failed: {reason}"))))
        }
    }
}

/// Converts arguments of a program.
fn args<const N: usize>(arguments: [&str; N]) -> Vec<OsString> {
    arguments.iter().map(OsString::from).collect()
}

#[async_trait]
impl SpeechToText for Offline {
    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        transcription::check(request, usize::MAX)?;
        let language = transcription::language_code(request.language.as_deref());
        let Some(model) = self.choose(&request.model, Service::Stt, language.as_deref()) else {
            return listen::transcribe(self, request).await;
        };
        match self.transcribe_by(model.id, request).await {
            Err(failure) if may_be_replaced(&failure) => listen::transcribe(self, request).await.map_err(|_| failure),
            result => result,
        }
    }
}

#[async_trait]
impl Chat for Offline {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let images: Vec<Bytes> = request.images().cloned().collect();
        let service = if images.is_empty() { Service::Llm } else { Service::Vlm };
        // The catalog's model stands for the best that there is.
        let is_named =
            !request.model.is_empty() && self.catalog.default_model(PROVIDER.id, service) != Some(&request.model);
        let is_installed = named(&*self.local, &request.model, service).is_some();
        if is_named
            && !is_installed
            && let Some(answer) = answer::by_server(self, request, service, true).await
        {
            return answer;
        }
        let mut refused = None;
        if let Some(model) = self
            .choose(&request.model, service, request.language.as_deref())
            .or_else(|| self.choose(&request.model, service, None))
        {
            match self.local.chat(&ChatRequest { model: model.id, ..request.clone() }).await {
                Err(failure) if may_be_replaced(&failure) => refused = Some(failure),
                answer => return answer,
            }
        }
        if let Some(answer) = answer::by_server(self, request, service, false).await {
            return answer;
        }
        // Why the installed model cannot answer says more than an echo of the question.
        match (refused, images.is_empty()) {
            (None, true) => answer::without_model(request),
            (Some(failure), true) => Err(failure),
            (refused, false) => look::read(self, images, request.language.as_deref())
                .await
                .map_err(|failure| refused.unwrap_or(failure)),
        }
    }

    /// Installed models and the built-in answer cannot; of the models of a server it is not known.
    async fn calls_tools(&self, model: &str) -> bool {
        let is_named = !model.is_empty() && self.catalog.default_model(PROVIDER.id, Service::Llm) != Some(model);
        match installed_model(&*self.local, model, Service::Llm, None) {
            Some(installed) => {
                is_named && installed.id != model && answer::running(self).await.iter().any(|server| server.has(model))
            }
            None => !answer::running(self).await.is_empty(),
        }
    }

    /// With an installed model, a program or a server that reads images.
    async fn sees(&self, _model: &str) -> bool {
        self.offers(Service::Vlm) || answer::running(self).await.iter().any(|server| server.serves(Service::Vlm))
    }
}

#[async_trait]
impl TextToSpeech for Offline {
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let language = transcription::language_code(request.options.language.as_deref());
        let mut refused = None;
        if let Some(model) = self.choose(&request.model, Service::Tts, language.as_deref()) {
            match self.local.speak(&SpeechRequest { model: model.id, ..request.clone() }).await {
                Err(failure) if may_be_replaced(&failure) => refused = Some(failure),
                speech => return speech,
            }
        }
        let events = speak::speak(self, request).await.map_err(|failure| refused.unwrap_or(failure))?;
        Ok(futures::stream::iter(events.into_iter().map(Ok)).boxed())
    }

    fn max_chars(&self, _model: &str) -> usize {
        MAX_CHARS
    }
}

#[async_trait]
impl ModelListing for Offline {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let found = self.catalog.models(PROVIDER.id).iter().map(|model| ListedModel {
            id: model.id.clone(),
            services: Service::ALL.into_iter().filter(|service| self.offers(*service)).collect(),
            ..ListedModel::default()
        });
        let mut models: Vec<ListedModel> = found.collect();
        models.extend(self.local.installed().into_iter().map(|model| ListedModel {
            id: model.id,
            services: model.services,
            ..ListedModel::default()
        }));
        models.extend(answer::models(self).await);
        Ok(models)
    }

    async fn preconnect(&self) {} // programs start with each call

    /// Loads the models that were used last, or else those that would be chosen. A vision model is loaded when there is an image.
    async fn preconnect_for(&self, services: &[Service]) {
        let last = self.last_used.lock().clone();
        let services = services.iter().filter(|service| **service != Service::Vlm);
        let ids = services.filter_map(|service| {
            let id = last.get(service).map(String::as_str).unwrap_or_default();
            Some(installed_model(&*self.local, id, *service, None)?.id)
        });
        self.local.preload(&ids.collect::<Vec<_>>());
    }
}

impl Offline {
    fn offers(&self, service: Service) -> bool {
        let is_installed = || self.local.installed().iter().any(|model| model.services.contains(&service));
        let has_program = match service {
            Service::Stt => listen::program(self).is_some(),
            Service::Llm => true, // the built-in answer is always available
            Service::Vlm => look::program(self).is_some(),
            Service::Tts => speak::program(self, None).is_some(),
            Service::Embedding => false,
        };
        has_program || is_installed()
    }
}

#[cfg(test)]
mod installed;
#[cfg(test)]
mod tests;
