//! An assistant on a fake machine, with real HTTP to the sandbox providers.

use std::time::Duration;

use aura_core::api::{self, Ask, Nothing, Press, Speech};
use aura_core::config::Environment;
use aura_core::event::Event;
use aura_core::record::TurnRecord;
use aura_core::{Assistant, Setup};
use aura_sandbox::{Fixed, FixedAudio, Sandbox, SandboxConfig, Script, Sound};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;

use crate::machine::Machine;

/// Nothing here takes longer than this unless it hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub(crate) assistant: Assistant,
    pub(crate) machine: Machine,
    pub(crate) sandbox: Sandbox,
    pub(crate) events: Receiver<Event>,
    data: tempfile::TempDir,
}

impl House {
    /// A house in which Groq and Gemini are the sandbox's, hearing a fixed question and speaking a fixed tone.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with more variables.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        let fixed = Fixed {
            transcript: Some("what time is it".into()),
            audio: Some(FixedAudio { sound: Sound::Tone, ms: 400 }),
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
        let machine = Machine::default();
        let data = tempfile::tempdir().unwrap();
        let setup = Setup { data: data.path().to_owned(), environment, ..Setup::default() };
        let assistant = Assistant::start(machine.ports(), setup).await.unwrap();
        assistant.load_keys().await;
        let events = assistant.subscribe();
        Self { assistant, machine, sandbox, events, data }
    }

    /// The recordings that are kept.
    pub(crate) fn recordings(&self) -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(self.data.path().join("recordings")).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.expect("it comes to be so");
    }

    pub(crate) async fn change(&self, changes: Value) {
        api::change_settings(&self.assistant, api::ChangeSettings { changes }).await.unwrap();
    }

    pub(crate) async fn ask(&self, text: &str) -> TurnRecord {
        self.ask_for(Ask { text: text.into(), speech: Speech::Aloud, ..Ask::default() }).await
    }

    pub(crate) async fn ask_for(&self, request: Ask) -> TurnRecord {
        tokio::time::timeout(LIMIT, api::ask(&self.assistant, request)).await.expect("the turn ends").unwrap()
    }

    /// Holds the key until the recording runs and a second has been heard, then waits for the end of the turn.
    pub(crate) async fn speak(&mut self) -> TurnRecord {
        self.press().await;
        self.release_when_heard().await;
        self.done().await
    }

    pub(crate) async fn press(&mut self) {
        api::press(&self.assistant, Press::default()).await.unwrap();
    }

    pub(crate) async fn release_when_heard(&mut self) {
        self.next(|event| match event {
            Event::Level { elapsed_ms, .. } if *elapsed_ms > 1_300 => Some(()),
            Event::Done { record } => panic!("the turn ended before it was heard: {:?}", record.error),
            _ => None,
        })
        .await;
        // A hold that is shorter counts as a tap.
        tokio::time::sleep(Duration::from_millis(300)).await;
        api::release(&self.assistant, Nothing {}).await.unwrap();
    }

    pub(crate) async fn done(&mut self) -> TurnRecord {
        self.next(|event| if let Event::Done { record } = event { Some(*record.clone()) } else { None }).await
    }

    /// The first event from now on that the test wants.
    pub(crate) async fn next<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
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
