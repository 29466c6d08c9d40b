//! Programs on this computer: no account, no network. The embedded default, and the last link of every fallback order.
//!
//! It listens with whisper-cli or pocketsphinx, reads the screen with tesseract, speaks with piper or espeak-ng, and answers with a
//! local model where one runs. Where none does it is honest: it repeats what it heard and says what gives real answers.

mod answer;
mod listen;
mod look;
mod speak;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::wire::errors;
use super::{
    Account, Chat, ChatRequest, ChatStream, Class, Connection, Failure, Http, ListedModel, Provider, Service, Services,
    SpeechStream, SpeechToText, SttRequest, TextToSpeech, Transcript, TtsRequest,
};
use crate::catalog;
use crate::ports::{Job, JobOutput, Programs};

/// The longest text that is spoken in one go, in characters; a program speaks faster than it is listened to.
const MAX_CHARS: usize = 2000;
/// How long a program may work.
const LIMIT: Duration = Duration::from_secs(60);

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

/// What the environment says about local programs and models.
#[derive(Debug, Clone, Default)]
struct Surroundings {
    /// `AURA_WHISPER_MODEL`: a ggml file for whisper-cli.
    whisper_model: Option<PathBuf>,
    /// `AURA_PIPER_MODEL`: an ONNX file for piper.
    piper_model: Option<PathBuf>,
    /// `OLLAMA_HOST`, as Ollama itself reads it.
    ollama_host: Option<String>,
    /// `AURA_OFFLINE_LLM=none`: local models are not looked for.
    no_model: bool,
}

impl Surroundings {
    fn read() -> Self {
        let file = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self {
            whisper_model: file("AURA_WHISPER_MODEL"),
            piper_model: file("AURA_PIPER_MODEL"),
            ollama_host: std::env::var("OLLAMA_HOST").ok().filter(|host| !host.trim().is_empty()),
            no_model: std::env::var("AURA_OFFLINE_LLM").is_ok_and(|value| value == "none"),
        }
    }
}

struct Offline {
    http: Http,
    programs: Arc<dyn Programs>,
    surroundings: Surroundings,
}

fn connect(connection: Connection) -> Services {
    let offline = Offline { http: connection.http, programs: connection.programs, surroundings: Surroundings::read() };
    services(Arc::new(offline))
}

fn services(offline: Arc<Offline>) -> Services {
    Services {
        stt: Some(offline.clone()),
        chat: Some(offline.clone()),
        tts: Some(offline.clone()),
        account: Some(offline),
    }
}

impl Offline {
    /// Runs a program; what it wrote, when it succeeded.
    async fn run(&self, program: PathBuf, args: Vec<OsString>, stdin: Bytes) -> Result<JobOutput, Failure> {
        let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let job = Job { program, args, stdin, limit: LIMIT };
        let output = self.programs.run(job).await.map_err(|error| {
            Failure::new(Class::Unreachable, errors::shorten(&format!("{name}: {}", error.message)))
        })?;
        if output.success {
            Ok(output)
        } else {
            let said = output.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
            Err(Failure::new(Class::Unreachable, errors::shorten(&format!("{name} failed: {said}"))))
        }
    }
}

/// The arguments of a program.
fn args<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// A file that is there for a program and gone afterwards, also when the work is dropped half-way.
struct TempFile(PathBuf);

impl TempFile {
    fn new(extension: &str) -> Self {
        Self(std::env::temp_dir().join(format!("aura-{}.{extension}", uuid::Uuid::new_v4().simple())))
    }

    async fn holding(extension: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let file = Self::new(extension);
        tokio::fs::write(&file.0, bytes).await.map_err(|error| disk(&error))?;
        Ok(file)
    }

    async fn read(&self) -> Result<Vec<u8>, Failure> {
        tokio::fs::read(&self.0).await.map_err(|error| disk(&error))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A file that was never made needs no removing.
        drop(std::fs::remove_file(&self.0));
    }
}

fn disk(error: &std::io::Error) -> Failure {
    Failure::new(Class::Unreachable, format!("The folder for temporary files cannot be used: {error}"))
}

#[async_trait]
impl SpeechToText for Offline {
    async fn transcribe(&self, request: &SttRequest) -> Result<Transcript, Failure> {
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
    async fn speak(&self, request: &TtsRequest) -> Result<SpeechStream, Failure> {
        let pieces = speak::speak(self, request).await?;
        Ok(futures::stream::iter(pieces.into_iter().map(Ok)).boxed())
    }

    fn max_chars(&self, _model: &str) -> usize {
        MAX_CHARS
    }
}

#[async_trait]
impl Account for Offline {
    async fn models(&self) -> Result<Vec<ListedModel>, Failure> {
        let found = catalog::models(PROVIDER.id).iter().map(|model| ListedModel {
            id: model.id.clone(),
            services: Service::ALL.into_iter().filter(|service| self.offers(*service)).collect(),
            ..ListedModel::default()
        });
        let mut models: Vec<ListedModel> = found.collect();
        models.extend(answer::models(self).await);
        Ok(models)
    }

    async fn warm(&self) {} // programs are started when they are needed
}

impl Offline {
    fn offers(&self, service: Service) -> bool {
        match service {
            Service::Stt => listen::program(self).is_some(),
            Service::Llm => true, // the sound check needs nothing
            Service::Vlm => look::program(self).is_some(),
            Service::Tts => speak::program(self).is_some(),
        }
    }
}

#[cfg(test)]
mod installed;
#[cfg(test)]
mod tests;
