//! Models for the scripted engine.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aura_local::protocol::Engine;
use aura_local::{Installed, InstalledModels, Limits, Models, Options};
use aura_providers::{
    ChatEvent, ChatRequest, ChatStream, Failure, LocalModels, Message, NoPrograms, Service, SpeechRequest, Transcript,
    TranscriptionRequest,
};
use futures::StreamExt;
use tempfile::TempDir;

/// Installed models, whose files lie in a folder of their own.
pub(crate) struct Store {
    folder: TempDir,
    pub(crate) models: Vec<Installed>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), models: Vec::new() }
    }

    /// Adds a model that loads as `script` says.
    pub(crate) fn with(mut self, id: &str, service: Service, script: &str) -> Self {
        let file = self.folder.path().join(id);
        std::fs::write(&file, script).unwrap();
        self.models.push(Installed {
            id: id.into(),
            label: id.to_uppercase(),
            engine: Engine::Llama,
            services: vec![service],
            languages: Vec::new(),
            memory: 1_000_000,
            files: BTreeMap::from([("script".to_owned(), file)]),
        });
        self
    }

    pub(crate) fn script(&self, id: &str, script: &str) {
        std::fs::write(self.folder.path().join(id), script).unwrap();
    }

    /// A file that is there once the engine has begun to work on a request.
    pub(crate) fn working(&self, id: &str) -> PathBuf {
        self.folder.path().join(id).with_extension("working")
    }

    /// A file that is there once the engine has loaded the model.
    pub(crate) fn loaded(&self, id: &str) -> PathBuf {
        self.folder.path().join(id).with_extension("loaded")
    }

    /// A file with this much free memory.
    pub(crate) fn meminfo(&self, bytes: u64) -> PathBuf {
        let file = self.folder.path().join("meminfo");
        std::fs::write(&file, format!("MemAvailable: {} kB\n", bytes / 1024)).unwrap();
        file
    }
}

impl InstalledModels for Store {
    fn installed(&self) -> Vec<Installed> {
        self.models.clone()
    }

    fn onnx_runtime(&self) -> Option<PathBuf> {
        None
    }
}

pub(crate) fn options() -> Options {
    let mut limits = Limits::default();
    limits.cancel = Duration::from_millis(300);
    Options::default().with_engine(env!("CARGO_BIN_EXE_scripted-engine")).with_limits(limits)
}

pub(crate) fn run(store: &Arc<Store>, options: Options) -> Models {
    Models::new(store.clone(), Arc::new(NoPrograms), options)
}

/// A store with one model for each service.
pub(crate) fn one_of_each() -> Arc<Store> {
    let store = Store::new().with("ear", Service::Stt, "ok").with("mind", Service::Llm, "ok");
    Arc::new(store.with("voice", Service::Tts, "ok"))
}

pub(crate) fn recording(model: &str, command: &str) -> TranscriptionRequest {
    TranscriptionRequest::new(model, &[0; 1600]).with_prompt(command)
}

pub(crate) fn question(model: &str, command: &str) -> ChatRequest {
    ChatRequest::new(model).with_system("Be brief.").with_message(Message::user(command))
}

pub(crate) fn sentence(model: &str, command: &str) -> SpeechRequest {
    SpeechRequest::new(model, command)
}

pub(crate) async fn hear(models: &Models, model: &str, command: &str) -> Result<Transcript, Failure> {
    models.transcribe(&recording(model, command)).await
}

/// The process that handles the requests of a model for transcription.
pub(crate) async fn pid(models: &Models, model: &str) -> u32 {
    hear(models, model, "pid").await.unwrap().text.parse().unwrap()
}

/// The text of an answer until its end or failure.
pub(crate) async fn read(mut stream: ChatStream) -> (String, Result<(), Failure>) {
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(ChatEvent::Text(part)) => text.push_str(&part),
            Ok(ChatEvent::End { .. }) => return (text, Ok(())),
            Ok(_) => {}
            Err(failure) => return (text, Err(failure)),
        }
    }
    panic!("no end after {text}");
}

/// Whether a process runs.
pub(crate) fn runs(pid: u32) -> bool {
    PathBuf::from("/proc").join(pid.to_string()).exists()
}

/// Waits until a condition holds; the test fails if it never does.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}
