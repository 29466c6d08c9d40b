//! Implementations of the core's ports in memory. Tests set what each of them does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::*;
use aura_core::record::TurnRecord;
use aura_core::session::{SessionSummary, SessionView};
use bytes::Bytes;
use secrecy::SecretString;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::fake_desktop::FakeDesktop;
use crate::fake_other_sound::FakeOtherSound;

/// The ID of a microphone and a loudspeaker that are not connected.
pub const GONE: &str = "gone";

/// What a [`FakeMicrophone`] does when a recording starts.
#[derive(Debug, Clone)]
pub enum Mic {
    /// No microphone is found.
    None,
    /// Records these samples, then silence until it is stopped.
    Hears(Vec<i16>),
    /// Records these samples, then silence, also after it is stopped.
    Endless(Vec<i16>),
    /// Records these samples. Then it is late: those of the second list come a second later, also after it is stopped.
    Late(Vec<i16>, Vec<i16>),
    /// Records these samples, then is disconnected.
    Lost(Vec<i16>),
    /// A room that every recording hears.
    Room(Room),
    /// Panics, as a defect in AURA would.
    Broken,
}

/// A room in which it is silent unless somebody speaks. Time passes in it ten times as fast as outside.
#[derive(Debug, Clone)]
pub struct Room {
    speak: mpsc::UnboundedSender<Vec<i16>>,
    heard: broadcast::Sender<Vec<i16>>,
}

impl Default for Room {
    fn default() -> Self {
        let (speak, mut said) = mpsc::unbounded_channel::<Vec<i16>>();
        let heard = broadcast::Sender::new(4_096);
        let ears = heard.clone();
        tokio::spawn(async move {
            loop {
                let sound = match said.try_recv() {
                    Ok(sound) => sound,
                    Err(mpsc::error::TryRecvError::Empty) => vec![0; 320],
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                };
                for block in sound.chunks(320) {
                    // Nobody may be listening.
                    let _ = ears.send(block.to_vec());
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        });
        Self { speak, heard }
    }
}

impl Room {
    /// Somebody speaks: mono samples at 16 kHz.
    pub fn speak(&self, samples: Vec<i16>) {
        self.speak.send(samples).unwrap();
    }

    fn record(&self) -> Recording {
        let (blocks, inbox) = mpsc::channel(64);
        let (stop, mut heard) = (CancellationToken::new(), self.heard.subscribe());
        let stopped = stop.clone();
        tokio::spawn(async move {
            while let Some(Ok(block)) = stopped.run_until_cancelled(heard.recv()).await {
                if blocks.send(Ok(block)).await.is_err() {
                    return;
                }
            }
        });
        Recording::new(inbox, stop)
    }
}

/// A signal as loud as speech for `seconds`, after 0.2 s and before 0.1 s of silence; 16 kHz mono.
pub fn speech(seconds: f32) -> Vec<i16> {
    let voiced = (0..(16_000.0 * seconds) as usize).map(|i| ((i % 80) as i16 - 40) * 200);
    std::iter::repeat_n(0, 3_200).chain(voiced).chain(std::iter::repeat_n(0, 1_600)).collect()
}

/// A microphone that delivers 20 ms blocks, as fast as they are read until its samples end, then in real time.
#[derive(Debug)]
pub struct FakeMicrophone(pub Mutex<Mic>);

#[async_trait]
impl Microphone for FakeMicrophone {
    async fn record(&self, order: &[String]) -> Result<Recording> {
        let mic = self.0.lock().unwrap().clone();
        let used = order.iter().find(|id| *id != GONE);
        let replacement = OnceLock::new();
        if order.first().is_some_and(|first| first == GONE) {
            if matches!(mic, Mic::None) {
                return Err(Error::new(ErrorCode::NoMicrophone, "There is no such microphone."));
            }
            let label = used.cloned().unwrap_or_else(|| "Default".into());
            let _ = replacement.set(Replacement { label, is_default: used.is_none() });
        }
        Self::begin(mic).map(|recording| recording.replaced_by(Arc::new(replacement)))
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }
}

impl FakeMicrophone {
    fn begin(mic: Mic) -> Result<Recording> {
        let samples = match &mic {
            Mic::None => return Err(Error::new(ErrorCode::NoMicrophone, "There is no microphone.")),
            Mic::Hears(samples) | Mic::Endless(samples) | Mic::Late(samples, _) | Mic::Lost(samples) => samples.clone(),
            Mic::Room(room) => return Ok(room.record()),
            Mic::Broken => panic!("a defect"),
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
            if let Mic::Late(_, rest) = mic {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = blocks.send(Ok(rest)).await;
                return stopped.cancelled().await;
            }
            if let Mic::Lost(_) = mic {
                let _ =
                    blocks.send(Err(Error::new(ErrorCode::MicrophoneLost, "The microphone was disconnected."))).await;
                return;
            }
            while matches!(mic, Mic::Endless(_)) || !stopped.is_cancelled() {
                if blocks.send(Ok(vec![0; 320])).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Ok(Recording::new(inbox, stop))
    }
}

/// A loudspeaker that plays twenty times as fast as real time.
#[derive(Debug, Default)]
pub struct FakeSpeaker {
    /// Whether opening fails because no loudspeaker is found.
    pub missing: AtomicBool,
    /// Whether opening blocks until this is reset.
    pub asleep: AtomicBool,
    /// The output that every call to `open` returns.
    pub output: Arc<FakeOutput>,
}

/// The output of a [`FakeSpeaker`]: 48 kHz, in steps of 9,600 samples (200 ms) every 10 ms.
#[derive(Debug)]
pub struct FakeOutput {
    /// The samples of an utterance after which playback blocks until the next utterance begins or playback stops.
    pub most: AtomicU64,
    played: AtomicU64,
    /// The loudest sample of the utterance, in thousandths of full scale.
    loudest: AtomicU64,
    /// Incremented by each `begin` and `stop`; a write for an earlier utterance returns.
    utterance: AtomicU64,
}

impl Default for FakeOutput {
    fn default() -> Self {
        Self {
            most: AtomicU64::new(u64::MAX),
            played: AtomicU64::new(0),
            loudest: AtomicU64::new(0),
            utterance: AtomicU64::new(0),
        }
    }
}

impl FakeOutput {
    /// The loudest sample of the utterance, in thousandths of full scale.
    pub fn loudest(&self) -> u64 {
        self.loudest.load(Ordering::SeqCst)
    }

    /// How often playback has begun or stopped.
    pub fn changes(&self) -> u64 {
        self.utterance.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Speaker for FakeSpeaker {
    async fn open(&self, device: Option<&str>) -> Result<Arc<dyn Output>> {
        if device == Some(GONE) {
            return Err(Error::new(ErrorCode::NoSpeaker, "There is no such loudspeaker."));
        }
        while self.asleep.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.missing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorCode::NoSpeaker, "There is no loudspeaker."));
        }
        Ok(self.output.clone())
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
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
        self.loudest.store(0, Ordering::SeqCst);
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
            let loudest = part.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
            self.loudest.fetch_max((loudest * 1_000.0) as u64, Ordering::SeqCst);
        }
        Ok(())
    }

    fn played(&self) -> u64 {
        self.played.load(Ordering::SeqCst)
    }

    async fn reached(&self, position: u64) {
        let utterance = self.utterance.load(Ordering::SeqCst);
        while self.played() < position && self.utterance.load(Ordering::SeqCst) == utterance {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn drained(&self) -> Result<()> {
        Ok(())
    }

    fn stop(&self) {
        self.utterance.fetch_add(1, Ordering::SeqCst);
    }
}

/// A screen that shows a fixed picture of 320 × 80 pixels.
#[derive(Debug, Default)]
pub struct FakeScreen {
    /// Whether a capture fails because the system refuses it.
    pub refused: AtomicBool,
    /// Whether a capture never ends, as when nobody answers the system's question.
    pub waits: AtomicBool,
    /// The number of captures so far, failed ones included.
    pub captures: AtomicU64,
}

#[async_trait]
impl Screen for FakeScreen {
    async fn capture(&self, _: &CaptureTarget) -> Result<Screenshot> {
        self.captures.fetch_add(1, Ordering::SeqCst);
        if self.waits.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.refused.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorCode::CaptureRefused, "The screen cannot be captured here."));
        }
        let jpeg = Bytes::from_static(include_bytes!("screen.jpg"));
        Ok(Screenshot { jpeg, width: 320, height: 80, area: Area { x: 0, y: 0, width: 320, height: 80 } })
    }

    async fn targets(&self) -> Result<Vec<CaptureTarget>> {
        Ok(Vec::new())
    }
}

/// A key store in memory.
#[derive(Debug, Default)]
pub struct FakeSecrets {
    /// Whether every operation but `delete` fails because no key store is found.
    pub missing: AtomicBool,
    kept: Mutex<HashMap<String, SecretString>>,
}

impl FakeSecrets {
    fn available(&self) -> Result<()> {
        if self.missing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorCode::Keyring, "There is no keyring on this computer."));
        }
        Ok(())
    }
}

#[async_trait]
impl Secrets for FakeSecrets {
    async fn check(&self) -> Result<()> {
        self.available()
    }

    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        self.available()?;
        Ok(self.kept.lock().unwrap().get(name).cloned())
    }

    async fn set(&self, name: &str, secret: SecretString) -> Result<()> {
        self.available()?;
        self.kept.lock().unwrap().insert(name.into(), secret);
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.kept.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A history in memory.
#[derive(Debug, Default)]
pub struct FakeHistory {
    /// The saved turns, oldest first.
    pub turns: Mutex<Vec<TurnRecord>>,
    /// The titles of sessions, by ID.
    pub titles: Mutex<std::collections::BTreeMap<String, String>>,
    /// The summaries of sessions.
    pub summaries: Mutex<Vec<SessionSummary>>,
    /// Whether `save` blocks until this is reset.
    pub is_blocked: AtomicBool,
    /// Whether `save` fails.
    pub is_full: AtomicBool,
}

#[async_trait]
impl History for FakeHistory {
    async fn save(&self, turn: &TurnRecord) -> Result<()> {
        while self.is_blocked.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.is_full.load(Ordering::SeqCst) {
            return Err(Error::storage("save the turn to the history", "the disk is full"));
        }
        let mut turns = self.turns.lock().unwrap();
        turns.retain(|known| known.id != turn.id);
        turns.push(turn.clone());
        Ok(())
    }

    async fn find(&self, filter: &TurnFilter) -> Result<Vec<TurnRecord>> {
        let turns = self.turns.lock().unwrap();
        let of_session = |turn: &&TurnRecord| filter.session.as_ref().is_none_or(|session| turn.session == *session);
        let fits = |turn: &&TurnRecord| turn.running.is_none() && of_session(turn);
        Ok(turns.iter().rev().filter(fits).take(filter.limit as usize).cloned().collect())
    }

    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionView>> {
        let (turns, titles) = (self.turns.lock().unwrap(), self.titles.lock().unwrap());
        let mut sessions: Vec<SessionView> = Vec::new();
        for turn in turns.iter().filter(|turn| turn.running.is_none()) {
            if let Some(known) = sessions.iter_mut().find(|known| known.id == turn.session) {
                known.latest_at = turn.started_at;
                known.turns += 1;
                continue;
            }
            let title = titles.get(&turn.session);
            sessions.push(SessionView {
                id: turn.session.clone(),
                title: title.unwrap_or(&turn.transcript).clone(),
                renamed: title.is_some(),
                started_at: turn.started_at,
                latest_at: turn.started_at,
                turns: 1,
            });
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.latest_at));
        sessions.truncate(filter.limit as usize);
        Ok(sessions)
    }

    async fn rename_session(&self, id: &str, title: &str) -> Result<bool> {
        let is_known = self.turns.lock().unwrap().iter().any(|turn| turn.session == id);
        let mut titles = self.titles.lock().unwrap();
        if is_known && !title.is_empty() {
            titles.insert(id.into(), title.into());
        } else {
            titles.remove(id);
        }
        Ok(is_known)
    }

    async fn summaries(&self, session: Option<&str>) -> Result<Vec<SessionSummary>> {
        let summaries = self.summaries.lock().unwrap();
        Ok(summaries.iter().filter(|one| session.is_none_or(|session| one.session == session)).cloned().collect())
    }

    async fn save_summary(&self, summary: &SessionSummary, replaced: Option<&str>, of: &[String]) -> Result<bool> {
        let (turns, mut summaries) = (self.turns.lock().unwrap(), self.summaries.lock().unwrap());
        let known = summaries.iter().position(|known| known.session == summary.session);
        let is_current = known.map(|at| summaries[at].through.as_str()) == replaced;
        if !is_current || !of.iter().all(|id| turns.iter().any(|turn| turn.id == *id)) {
            return Ok(false);
        }
        if let Some(at) = known {
            summaries.remove(at);
        }
        summaries.push(summary.clone());
        Ok(true)
    }

    async fn get(&self, id: &str) -> Result<Option<TurnRecord>> {
        Ok(self.turns.lock().unwrap().iter().find(|turn| turn.id == id).cloned())
    }

    async fn unfinished(&self) -> Result<Vec<TurnRecord>> {
        let turns = self.turns.lock().unwrap();
        Ok(turns.iter().filter(|turn| turn.running.is_some()).cloned().collect())
    }

    async fn unknown(&self, ids: Vec<String>) -> Result<Vec<String>> {
        let turns = self.turns.lock().unwrap();
        Ok(ids.into_iter().filter(|id| !turns.iter().any(|turn| turn.id == *id)).collect())
    }

    async fn discard(&self, id: &str) -> Result<()> {
        self.turns.lock().unwrap().retain(|turn| turn.id != id);
        Ok(())
    }

    async fn edit(&self, id: &str, change: TurnChange) -> Result<bool> {
        let mut turns = self.turns.lock().unwrap();
        let found = turns.iter_mut().find(|turn| turn.id == id);
        Ok(found.map(change).is_some())
    }

    async fn delete(&self, selection: &Selection) -> Result<Deleted> {
        let is_selected = |turn: &mut TurnRecord| match selection {
            Selection::Turn(id) => turn.id == *id,
            Selection::Session(id) => turn.session == *id,
            Selection::Before(before) => turn.started_at < *before,
            Selection::Between(from, before) => (*from..*before).contains(&turn.started_at),
            Selection::All => true,
        };
        let removed: Vec<TurnRecord> = self.turns.lock().unwrap().extract_if(.., is_selected).collect();
        self.summaries.lock().unwrap().retain(|one| removed.iter().all(|turn| turn.session != one.session));
        let own = |turn: &TurnRecord, path: &std::path::PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&turn.id))
        };
        let mut deleted = Deleted::default();
        for turn in removed {
            let files = turn.question_audio.iter().chain(&turn.answer_audio).chain(&turn.picture);
            let paths = files.filter(|path| own(&turn, path));
            for path in paths.flat_map(|path| aura_core::recordings::names(path)).filter(|path| path.exists()) {
                let list = match std::fs::remove_file(&path) {
                    Ok(()) => &mut deleted.files,
                    Err(_) => &mut deleted.files_left,
                };
                list.push(path);
            }
            deleted.ids.push(turn.id);
        }
        Ok(deleted)
    }
}

/// A ledger in memory. Its totals are empty.
#[derive(Debug, Default)]
pub struct FakeLedger(pub Mutex<Vec<LedgerEntry>>);

#[async_trait]
impl Ledger for FakeLedger {
    async fn add(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError> {
        self.0.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    async fn totals(&self, _: jiff::civil::Date) -> Result<Vec<DailyUsage>, LedgerError> {
        Ok(Vec::new())
    }

    async fn prune(&self, before: jiff::civil::Date) -> Result<u64, LedgerError> {
        let day = |entry: &LedgerEntry| entry.at.to_zoned(jiff::tz::TimeZone::system()).date();
        Ok(self.0.lock().unwrap().extract_if(.., |entry| day(entry) < before).count() as u64)
    }
}

/// A system check without results.
#[derive(Debug)]
pub struct NoDoctor;

#[async_trait]
impl Doctor for NoDoctor {
    async fn examine(&self, _: &[String], _: Option<&str>) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// All fake ports. By default the microphone records 1.2 s of speech and everything else works.
#[derive(Debug)]
pub struct FakePorts {
    /// The microphone.
    pub microphone: Arc<FakeMicrophone>,
    /// The sound of other programs.
    pub other_sound: Arc<FakeOtherSound>,
    /// The loudspeaker.
    pub speaker: Arc<FakeSpeaker>,
    /// The screen.
    pub screen: Arc<FakeScreen>,
    /// The key store.
    pub secrets: Arc<FakeSecrets>,
    /// The history of turns.
    pub history: Arc<FakeHistory>,
    /// The usage ledger.
    pub ledger: Arc<FakeLedger>,
    /// The desktop.
    pub desktop: Arc<FakeDesktop>,
}

impl Default for FakePorts {
    fn default() -> Self {
        Self {
            microphone: Arc::new(FakeMicrophone(Mutex::new(Mic::Hears(speech(1.2))))),
            other_sound: Arc::default(),
            speaker: Arc::default(),
            screen: Arc::default(),
            secrets: Arc::default(),
            history: Arc::default(),
            ledger: Arc::default(),
            desktop: Arc::default(),
        }
    }
}

impl FakePorts {
    /// The ports to start an assistant with. It shares them with `self`.
    pub fn ports(&self) -> Ports {
        Ports {
            microphone: self.microphone.clone(),
            other_sound: self.other_sound.clone(),
            speaker: self.speaker.clone(),
            screen: self.screen.clone(),
            secrets: self.secrets.clone(),
            history: self.history.clone(),
            ledger: self.ledger.clone(),
            programs: Arc::new(aura_providers::NoPrograms),
            local_models: Arc::new(aura_providers::NoLocalModels),
            local_model_store: Arc::new(aura_core::ports::NoLocalModelStore),
            updates: Arc::new(aura_core::ports::NoUpdates),
            doctor: Arc::new(NoDoctor),
            desktop: self.desktop.clone(),
        }
    }
}
