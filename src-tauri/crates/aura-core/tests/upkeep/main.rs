//! What becomes of recordings and turns with time, on real files.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aura_core::api::{self, HistoryQuery, Retry, TurnId};
use aura_core::error::ErrorCode;
use aura_core::record::{RecordingsDeleted, TurnRecord};
use aura_core::{Assistant, Setup};
use aura_router::LedgerEntry;
use aura_testkit::fake_ports::{FakePorts, speech};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;

/// The time limit of every wait.
const LIMIT: Duration = Duration::from_secs(60);

/// An assistant's data folder before its start.
struct Data {
    folder: TempDir,
    ports: FakePorts,
}

impl Data {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("recordings")).unwrap();
        Self { folder, ports: FakePorts::default() }
    }

    /// A turn of so many days ago, with the recording of its question and of its answer. Returns its ID.
    fn turn(&self, days: u32, transcript: &str) -> String {
        let began = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
        let time = uuid::Timestamp::from_unix(uuid::NoContext, began.as_second().cast_unsigned(), 0);
        let id = uuid::Uuid::new_v7(time).to_string();
        let record: TurnRecord = serde_json::from_value(json!({
            "id": id, "session": "s", "started_at": began, "transcript": transcript, "answer": "It is three.", "spoken": "",
            "interrupted": false, "stages": [], "notices": [],
            "question_audio": self.recording(&id, "question.wav", days),
            "answer_audio": self.recording(&id, "answer.wav", days),
        }))
        .unwrap();
        self.ports.history.turns.lock().unwrap().push(record);
        id
    }

    fn recording(&self, id: &str, name: &str, days: u32) -> PathBuf {
        let path = self.path(id, name);
        std::fs::write(&path, aura_audio::speech_wav(&speech(1.5))).unwrap();
        let written = SystemTime::now() - Duration::from_secs(86_400) * days;
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        path
    }

    fn path(&self, id: &str, name: &str) -> PathBuf {
        self.folder.path().join("recordings").join(format!("{id}-{name}"))
    }

    async fn start(&self) -> Assistant {
        let environment = [("AURA_OFFLINE_LLM", "none")].into_iter().collect();
        let setup = Setup {
            data: self.folder.path().to_owned(),
            settings_file: Some(self.folder.path().join("config.toml")),
            environment,
            ..Setup::default()
        };
        let assistant = Assistant::start(self.ports.ports(), setup).await.unwrap();
        assistant.start_background().await;
        assistant
    }

    fn record(&self, id: &str) -> Option<TurnRecord> {
        self.ports.history.turns.lock().unwrap().iter().find(|turn| turn.id == id).cloned()
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path().join("recordings")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect("the condition is met in time");
}

fn samples(file: &Path) -> Vec<f32> {
    aura_audio::decode(std::fs::read(file).unwrap().into()).unwrap().samples
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_compressed_without_loss_and_are_still_played_and_asked_again() {
    let data = Data::new();
    let id = data.turn(1, "");
    let sound = samples(&data.path(&id, "question.wav"));
    let assistant = data.start().await;
    let (question, answer) = (data.path(&id, "question.flac"), data.path(&id, "answer.flac"));
    until(|| data.files() == [answer.clone(), question.clone()]).await;
    let record = data.record(&id).unwrap();
    assert_eq!((record.question_audio, record.answer_audio), (Some(question.clone()), Some(answer)));
    assert_eq!(samples(&question), sound);
    api::replay(&assistant, TurnId { id: id.clone() }).await.unwrap();
    // There is no provider that could transcribe it: the file itself was read.
    let retried = api::retry(&assistant, Retry { id: id.clone(), ..Retry::default() }).await.unwrap();
    assert_eq!(retried.question_audio, Some(question));
    assert_ne!(retried.error.unwrap().code, ErrorCode::InvalidRequest);
    api::delete_turn(&assistant, TurnId { id }).await.unwrap();
    assert_eq!(data.files(), [] as [PathBuf; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_found_under_the_name_it_had_when_its_record_was_read() {
    let data = Data::new();
    let id = data.turn(1, "");
    let assistant = data.start().await;
    until(|| data.files().iter().all(|file| file.extension().is_some_and(|extension| extension == "flac"))).await;
    // As a process left it that read the record before and saved it after.
    for turn in &mut *data.ports.history.turns.lock().unwrap() {
        turn.answer_audio = Some(data.path(&id, "answer.wav"));
        turn.question_audio = Some(data.path(&id, "question.wav"));
    }
    api::replay(&assistant, TurnId { id: id.clone() }).await.unwrap();
    api::delete_turn(&assistant, TurnId { id }).await.unwrap();
    assert_eq!(data.files(), [] as [PathBuf; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recording_of_a_turn_that_still_runs_stays_as_it_is_and_one_without_a_record_becomes_a_turn() {
    let data = Data::new();
    let (running, finished) = (data.turn(0, "now"), data.turn(2, "then"));
    let lost = uuid::Uuid::now_v7().to_string();
    data.recording(&lost, "question.wav", 2);
    let assistant = data.start().await;
    until(|| !data.path(&finished, "question.wav").exists() && !data.path(&finished, "answer.wav").exists()).await;
    assert!(data.path(&running, "question.wav").exists());
    let turns = api::history(&assistant, HistoryQuery::default()).await.unwrap();
    let found = turns.into_iter().find(|turn| turn.id == lost).expect("it can be retried");
    assert_eq!(found.error.unwrap().code, ErrorCode::Unfinished);
    assert!(["question.wav", "question.flac"].iter().any(|name| data.path(&lost, name).exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_deleted_after_a_month_and_the_text_stays() {
    let data = Data::new();
    let (old, new, unheard) = (data.turn(31, "the old one"), data.turn(29, "the new one"), data.turn(40, ""));
    std::fs::write(data.path("", "notes.wav"), "mine").unwrap();
    let assistant = data.start().await;
    until(|| data.files().len() == 3 && !data.path(&new, "answer.wav").exists()).await;
    let record = data.record(&old).unwrap();
    assert_eq!((record.transcript.as_str(), record.question_audio, record.answer_audio), ("the old one", None, None));
    assert_eq!(record.recordings_deleted, Some(RecordingsDeleted::Age { days: 30 }));
    assert_eq!(data.record(&new).unwrap().recordings_deleted, None);
    assert!(data.path("", "notes.wav").exists(), "a file of the user's");
    let error = api::replay(&assistant, TurnId { id: old }).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::NotFound, "The recording was deleted after 30 days."));
    let error = api::retry(&assistant, Retry { id: unheard, ..Retry::default() }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.starts_with("The recording was deleted after 30 days. Its text was not saved."), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_setting_applies_at_once_and_zero_means_for_ever() {
    let data = Data::new();
    let turns = [data.turn(400, "a"), data.turn(20, "b"), data.turn(3, "c")];
    std::fs::write(data.folder.path().join("config.toml"), "[history]\nkeep_recordings_days = 0\n").unwrap();
    let assistant = data.start().await;
    until(|| data.files().iter().all(|file| file.extension().is_some_and(|extension| extension == "flac"))).await;
    assert_eq!(data.files().len(), 6);
    let change = |changes| api::change_settings(&assistant, api::ChangeSettings { changes });
    change(json!({"history": {"keep_recordings_days": 7, "keep_turns_days": 100}})).await.unwrap();
    until(|| data.files().len() == 2).await;
    assert_eq!(data.record(&turns[0]), None, "older than a hundred days");
    assert_eq!(data.record(&turns[1]).unwrap().recordings_deleted, Some(RecordingsDeleted::Age { days: 7 }));
    assert_eq!(data.record(&turns[2]).unwrap().recordings_deleted, None);
    let error = change(json!({"history": {"keep_turns_days": 99_999}})).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_recordings_go_first_when_there_are_too_many() {
    let data = Data::new();
    let turns = [data.turn(0, "a"), data.turn(2, "b"), data.turn(1, "c")];
    for id in &turns {
        // Holes in a file take no space on the disk.
        let file = std::fs::File::options().write(true).open(data.path(id, "answer.wav")).unwrap();
        file.set_len(800_000_000).unwrap();
        // Not compressed, because it was written just now.
        file.set_modified(SystemTime::now()).unwrap();
    }
    std::fs::write(data.folder.path().join("config.toml"), "[history]\nmax_gigabytes = 1\n").unwrap();
    let _assistant = data.start().await;
    until(|| !data.path(&turns[1], "answer.wav").exists() && !data.path(&turns[2], "answer.wav").exists()).await;
    assert!(data.path(&turns[0], "answer.wav").exists());
    assert_eq!(data.record(&turns[0]).unwrap().recordings_deleted, None);
    for id in &turns[1..] {
        assert_eq!(data.record(id).unwrap().recordings_deleted, Some(RecordingsDeleted::Space { gigabytes: 1 }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_forgotten_after_a_year_and_a_month() {
    let data = Data::new();
    let entry = |days: i64| -> LedgerEntry {
        let at = Timestamp::now() - SignedDuration::from_hours(24 * days);
        let attempt = json!({
            "service": "llm", "route": {"provider": "groq", "model": "m"}, "start_ms": 0, "ms": 5, "outcome": "ok", "hedged": false,
        });
        serde_json::from_value(json!({"at": at, "attempt": attempt})).unwrap()
    };
    data.ports.ledger.0.lock().unwrap().extend([entry(402), entry(398)]);
    let _assistant = data.start().await;
    until(|| data.ports.ledger.0.lock().unwrap().len() == 1).await;
    assert!(data.ports.ledger.0.lock().unwrap()[0].at > Timestamp::now() - SignedDuration::from_hours(24 * 400));
}
