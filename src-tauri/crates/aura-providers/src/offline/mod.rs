//! The `offline` provider: programs and model servers on this computer, without account and network. It is the last fallback.
//!
//! Speech to text uses whisper-cli or pocketsphinx; text in images, tesseract; text to speech, piper or espeak-ng; answers, a local
//! model server. Without one, a built-in answer repeats the question and says how to get real answers.

mod answer;
mod listen;
mod look;
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

use self::temp_file::TempFile;
use crate::catalog::Catalog;
use crate::http::HttpPools;
use crate::programs::{Job, JobOutput, Programs};
use crate::provider::{Connection, Provider, Services};
use crate::redact::shorten;
use crate::types::{
    Chat, ChatRequest, ChatStream, Failure, FailureKind, ListedModel, ModelListing, Service, SpeechRequest,
    SpeechStream, SpeechToText, TextToSpeech, Transcript, TranscriptionRequest,
};

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
    catalog: Arc<Catalog>,
    config: OfflineConfig,
}

fn connect(connection: Connection) -> Services {
    let config = OfflineConfig::from_variables(&connection.variables);
    let offline = Offline { http: connection.http, programs: connection.programs, catalog: connection.catalog, config };
    services(Arc::new(offline))
}

fn services(offline: Arc<Offline>) -> Services {
    Services {
        stt: Some(offline.clone()),
        chat: Some(offline.clone()),
        tts: Some(offline.clone()),
        models: Some(offline),
    }
}

impl Offline {
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
        listen::transcribe(self, request).await
    }
}

#[async_trait]
impl Chat for Offline {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let images: Vec<Bytes> = request.images().cloned().collect();
        if !images.is_empty() {
            return look::read(self, images).await;
        }
        answer::answer(self, request).await
    }
}

#[async_trait]
impl TextToSpeech for Offline {
    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let events = speak::speak(self, request).await?;
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
        models.extend(answer::models(self).await);
        Ok(models)
    }

    async fn preconnect(&self) {} // programs start with each call
}

impl Offline {
    fn offers(&self, service: Service) -> bool {
        match service {
            Service::Stt => listen::program(self).is_some(),
            Service::Llm => true, // the built-in answer is always available
            Service::Vlm => look::program(self).is_some(),
            Service::Tts => speak::program(self).is_some(),
        }
    }
}

#[cfg(test)]
mod installed;
#[cfg(test)]
mod tests;
