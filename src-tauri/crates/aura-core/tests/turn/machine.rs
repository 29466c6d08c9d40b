//! A machine of the test's own: every port does what the test says.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::audio::Pcm;
use aura_core::error::{Code, Error, Result};
use aura_core::ports::*;
use aura_core::record::TurnRecord;
use aura_core::usage::{DaySum, Entry};
use bytes::Bytes;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What the microphone does when it is opened.
#[derive(Clone)]
pub(crate) enum Mic {
    /// There is none.
    None,
    /// It hears these samples, then silence until it is stopped.
    Hears(Vec<i16>),
    /// It hears these samples, then it is taken away.
    Lost(Vec<i16>),
}

/// Half a second of something as loud as speech, a little silence on both sides.
pub(crate) fn speech(seconds: f32) -> Vec<i16> {
    let voiced = (0..(16_000.0 * seconds) as usize).map(|i| ((i % 80) as i16 - 40) * 200);
    std::iter::repeat_n(0, 3_200).chain(voiced).chain(std::iter::repeat_n(0, 1_600)).collect()
}

pub(crate) struct FakeMicrophone(pub(crate) Mutex<Mic>);

#[async_trait]
impl Microphone for FakeMicrophone {
    async fn record(&self, _: Option<&str>) -> Result<Recording> {
        let mic = self.0.lock().unwrap().clone();
        let (samples, lost) = match mic {
            Mic::None => return Err(Error::new(Code::NoMicrophone, "There is no microphone.")),
            Mic::Hears(samples) => (samples, false),
            Mic::Lost(samples) => (samples, true),
        };
        let (blocks, inbox) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            for block in samples.chunks(320) {
                if blocks.send(Ok(block.to_vec())).await.is_err() {
                    return;
                }
            }
            if lost {
                let _ = blocks.send(Err(Error::new(Code::MicrophoneLost, "The microphone was taken away."))).await;
                return;
            }
            while !stopped.is_cancelled() {
                if blocks.send(Ok(vec![0; 320])).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Ok(Recording::new(inbox, stop))
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }
}

/// A loudspeaker that takes samples twenty times as fast as they are heard.
#[derive(Default)]
pub(crate) struct FakeSpeaker {
    pub(crate) missing: AtomicBool,
    /// It is not open yet.
    pub(crate) asleep: AtomicBool,
    pub(crate) output: Arc<FakeOutput>,
}

pub(crate) struct FakeOutput {
    /// It plays so many samples of an utterance; the rest waits until the utterance is over.
    pub(crate) most: AtomicU64,
    played: AtomicU64,
    /// Counts up with every begin and stop: a write of an older utterance ends.
    utterance: AtomicU64,
}

impl Default for FakeOutput {
    fn default() -> Self {
        Self { most: AtomicU64::new(u64::MAX), played: AtomicU64::new(0), utterance: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Speaker for FakeSpeaker {
    async fn open(&self, _: Option<&str>) -> Result<Arc<dyn Output>> {
        while self.asleep.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.missing.load(Ordering::SeqCst) {
            return Err(Error::new(Code::NoSpeaker, "There is no loudspeaker."));
        }
        Ok(self.output.clone())
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }

    fn decode(&self, file: Bytes) -> Result<Pcm> {
        aura_core::audio::read_wav(&file)
    }
}

#[async_trait]
impl Output for FakeOutput {
    fn rate(&self) -> u32 {
        48_000
    }

    fn begin(&self) {
        self.utterance.fetch_add(1, Ordering::SeqCst);
        self.played.store(0, Ordering::SeqCst);
    }

    async fn write(&self, samples: &[f32]) -> Result<()> {
        let utterance = self.utterance.load(Ordering::SeqCst);
        for part in samples.chunks(9_600) {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if self.utterance.load(Ordering::SeqCst) != utterance {
                    return Ok(());
                }
                if self.played() < self.most.load(Ordering::SeqCst) {
                    break;
                }
            }
            self.played.fetch_add(part.len() as u64, Ordering::SeqCst);
        }
        Ok(())
    }

    fn played(&self) -> u64 {
        self.played.load(Ordering::SeqCst)
    }

    async fn drained(&self) -> Result<()> {
        Ok(())
    }

    fn stop(&self) {
        self.utterance.fetch_add(1, Ordering::SeqCst);
    }
}

/// A screen with a picture on it, or none.
#[derive(Default)]
pub(crate) struct FakeScreen {
    pub(crate) refused: AtomicBool,
    pub(crate) captures: AtomicU64,
}

#[async_trait]
impl Screen for FakeScreen {
    async fn capture(&self, _: &CaptureTarget) -> Result<Screenshot> {
        self.captures.fetch_add(1, Ordering::SeqCst);
        if self.refused.load(Ordering::SeqCst) {
            return Err(Error::new(Code::CaptureRefused, "The screen cannot be captured here."));
        }
        let jpeg = Bytes::from_static(include_bytes!("screen.jpg"));
        Ok(Screenshot { jpeg, width: 320, height: 80, area: Area { x: 0, y: 0, width: 320, height: 80 } })
    }

    async fn targets(&self) -> Result<Vec<CaptureTarget>> {
        Ok(Vec::new())
    }
}

/// A keyring in memory, or none.
#[derive(Default)]
pub(crate) struct FakeSecrets {
    pub(crate) missing: AtomicBool,
    kept: Mutex<HashMap<String, SecretString>>,
}

impl FakeSecrets {
    fn there(&self) -> Result<()> {
        if self.missing.load(Ordering::SeqCst) {
            return Err(Error::new(Code::Keyring, "There is no keyring on this computer."));
        }
        Ok(())
    }
}

#[async_trait]
impl Secrets for FakeSecrets {
    async fn check(&self) -> Result<()> {
        self.there()
    }

    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        self.there()?;
        Ok(self.kept.lock().unwrap().get(name).cloned())
    }

    async fn set(&self, name: &str, secret: SecretString) -> Result<()> {
        self.there()?;
        self.kept.lock().unwrap().insert(name.into(), secret);
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.kept.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A history in memory; while its second part is true, nothing is saved yet.
#[derive(Default)]
pub(crate) struct FakeHistory(pub(crate) Mutex<Vec<TurnRecord>>, pub(crate) AtomicBool);

#[async_trait]
impl History for FakeHistory {
    async fn save(&self, turn: &TurnRecord) -> Result<()> {
        while self.1.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut turns = self.0.lock().unwrap();
        turns.retain(|known| known.id != turn.id);
        turns.push(turn.clone());
        Ok(())
    }

    async fn find(&self, filter: &TurnFilter) -> Result<Vec<TurnRecord>> {
        let turns = self.0.lock().unwrap();
        let fits = |turn: &&TurnRecord| filter.session.as_ref().is_none_or(|session| turn.session == *session);
        Ok(turns.iter().rev().filter(fits).take(filter.limit as usize).cloned().collect())
    }

    async fn get(&self, id: &str) -> Result<Option<TurnRecord>> {
        Ok(self.0.lock().unwrap().iter().find(|turn| turn.id == id).cloned())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.0.lock().unwrap().retain(|turn| turn.id != id);
        Ok(())
    }
}

/// A ledger in memory.
#[derive(Default)]
pub(crate) struct FakeLedger(pub(crate) Mutex<Vec<Entry>>);

#[async_trait]
impl Ledger for FakeLedger {
    async fn add(&self, entries: &[Entry]) -> Result<()> {
        self.0.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    async fn sums(&self, _: jiff::civil::Date) -> Result<Vec<DaySum>> {
        Ok(Vec::new())
    }
}

/// A computer without any of the programs.
pub(crate) struct NoPrograms;

#[async_trait]
impl Programs for NoPrograms {
    fn find(&self, _: &str) -> Option<PathBuf> {
        None
    }

    async fn run(&self, _: Job) -> Result<JobOutput> {
        Err(Error::new(Code::NotFound, "There is no such program."))
    }
}

pub(crate) struct NoDoctor;

#[async_trait]
impl Doctor for NoDoctor {
    async fn examine(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// The machine, with a hand on each of its parts.
pub(crate) struct Machine {
    pub(crate) microphone: Arc<FakeMicrophone>,
    pub(crate) speaker: Arc<FakeSpeaker>,
    pub(crate) screen: Arc<FakeScreen>,
    pub(crate) secrets: Arc<FakeSecrets>,
    pub(crate) history: Arc<FakeHistory>,
    pub(crate) ledger: Arc<FakeLedger>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            microphone: Arc::new(FakeMicrophone(Mutex::new(Mic::Hears(speech(1.2))))),
            speaker: Arc::default(),
            screen: Arc::default(),
            secrets: Arc::default(),
            history: Arc::default(),
            ledger: Arc::default(),
        }
    }
}

impl Machine {
    pub(crate) fn ports(&self) -> Ports {
        Ports {
            microphone: self.microphone.clone(),
            speaker: self.speaker.clone(),
            screen: self.screen.clone(),
            secrets: self.secrets.clone(),
            history: self.history.clone(),
            ledger: self.ledger.clone(),
            programs: Arc::new(NoPrograms),
            doctor: Arc::new(NoDoctor),
        }
    }
}
