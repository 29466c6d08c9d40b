//! An assistant on fake ports, connected to sandbox providers over real HTTP.

use std::time::Duration;

use aura_core::api::{self, Ask, Nothing, Press, Speech};
use aura_core::config::Environment;
use aura_core::event::Event;
use aura_core::record::TurnRecord;
use aura_core::{Assistant, Setup};
use aura_sandbox::{FixedAnswers, FixedAudio, Sandbox, SandboxConfig, Script, TestSignal};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;

use crate::fake_ports::FakePorts;

/// The time limit of every wait.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A started assistant with everything that it runs on. Methods panic if the assistant fails or exceeds [`LIMIT`].
pub struct Harness {
    /// The assistant.
    pub assistant: Assistant,
    /// Its ports.
    pub ports: FakePorts,
    /// The server that acts as Groq and Gemini.
    pub sandbox: Sandbox,
    /// The assistant's events since its start.
    pub events: Receiver<Event>,
    setup: Setup,
    data: tempfile::TempDir,
}

impl Harness {
    /// Starts an assistant whose Groq and Gemini are the sandbox, which returns a fixed transcript and a fixed tone.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// Like [`Self::new`], with additional environment variables.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::set_up(variables, |_| {}).await
    }

    /// Like [`Self::with`], with a changed set-up.
    pub async fn set_up(variables: &[(&str, &str)], change: impl FnOnce(&mut Setup)) -> Self {
        let fixed = FixedAnswers {
            transcript: Some("what time is it".into()),
            audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 400 }),
        };
        let script = Script::always("It is **three** o'clock in the afternoon. Time for a cup of tea, I would say.");
        let config = SandboxConfig { fixed, script, ..SandboxConfig::default() };
        let sandbox = Sandbox::start(config).await.expect("the sandbox starts");
        let mut environment: Environment = [
            ("GROQ_API_KEY", sandbox.key().to_owned()),
            ("GROQ_BASE_URL", sandbox.groq_base_url()),
            ("GEMINI_API_KEY", sandbox.key().to_owned()),
            ("GEMINI_BASE_URL", sandbox.gemini_base_url()),
        ]
        .into_iter()
        .collect();
        for (name, value) in variables {
            environment.set(*name, *value);
        }
        let ports = FakePorts::default();
        let data = tempfile::tempdir().unwrap();
        let mut setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
        change(&mut setup);
        let assistant = Assistant::start(ports.ports(), setup.clone()).await.unwrap();
        assistant.start_background().await;
        let events = assistant.subscribe();
        Self { assistant, ports, sandbox, events, setup, data }
    }

    /// Starts another assistant on the same ports and files, as a second process would.
    pub async fn second(&self) -> Assistant {
        let assistant = Assistant::start(self.ports.ports(), self.setup.clone()).await.unwrap();
        assistant.start_background().await;
        assistant
    }

    /// The data folder.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// The turn in the history that began last, whether it has ended or not.
    pub fn newest(&self) -> Option<TurnRecord> {
        self.ports.history.turns.lock().unwrap().last().cloned()
    }

    /// The recordings in the data folder.
    pub fn recordings(&self) -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(self.data.path().join("recordings")).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Waits until `holds` is true.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.expect("the condition is met in time");
    }

    /// Changes settings; `changes` is a JSON merge patch.
    pub async fn change(&self, changes: Value) {
        api::change_settings(&self.assistant, api::ChangeSettings { changes }).await.unwrap();
    }

    /// Asks a question whose answer is spoken; returns the turn.
    pub async fn ask(&self, text: &str) -> TurnRecord {
        self.ask_for(Ask { text: text.into(), speech: Speech::Aloud, ..Ask::default() }).await
    }

    /// Makes a request; returns the turn.
    pub async fn ask_for(&self, request: Ask) -> TurnRecord {
        tokio::time::timeout(LIMIT, api::ask(&self.assistant, request)).await.expect("the turn ends").unwrap()
    }

    /// Holds the push-to-talk key until the question is recorded, then waits for the end of the turn.
    pub async fn speak(&mut self) -> TurnRecord {
        self.press().await;
        self.release_when_heard().await;
        self.done().await
    }

    /// Presses the push-to-talk key.
    pub async fn press(&mut self) {
        api::press(&self.assistant, Press::default()).await.unwrap();
    }

    /// Releases the push-to-talk key when more than 1.3 s are recorded.
    pub async fn release_when_heard(&mut self) {
        self.next(|event| match event {
            Event::Level { elapsed_ms, .. } if *elapsed_ms > 1_300 => Some(()),
            Event::Done { record } => panic!("the turn ended before the release: {:?}", record.error),
            _ => None,
        })
        .await;
        // A shorter hold counts as a tap.
        tokio::time::sleep(Duration::from_millis(300)).await;
        api::release(&self.assistant, Nothing {}).await.unwrap();
    }

    /// Waits for the end of a turn.
    pub async fn done(&mut self) -> TurnRecord {
        self.next(|event| if let Event::Done { record } = event { Some(*record.clone()) } else { None }).await
    }

    /// Waits for the first event from now on for which `wanted` returns a value.
    pub async fn next<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let search = async {
            loop {
                match self.events.recv().await {
                    Ok(event) => {
                        if let Some(found) = wanted(&event) {
                            return found;
                        }
                    }
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(closed) => panic!("{closed}"),
                }
            }
        };
        tokio::time::timeout(LIMIT, search).await.expect("the event comes")
    }
}
