//! Turns that do not come to their own end: AURA is quit or killed, a defect ends them, or the history cannot be written.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aura_core::DetachedTurn;
use aura_core::api::{self, HistoryQuery, Press, Retry};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{Running, Stage, TurnRecord};
use aura_sandbox::{Fault, FaultKind, Service};
use aura_testkit::fake_ports::{Mic, speech};
use aura_testkit::harness::{Harness, LIMIT};

use super::notice_kinds;

/// The stage in which the newest turn is saved.
fn saved_stage(harness: &Harness) -> Option<Stage> {
    harness.newest()?.running.map(|running| running.stage)
}

/// The turns that the history lists.
async fn listed(harness: &Harness) -> Vec<TurnRecord> {
    api::history(&harness.assistant, HistoryQuery::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_in_the_history_from_its_first_moment() {
    let mut harness = Harness::new().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::Silent).service(Service::Llm));
    harness.press().await;
    harness.next(|event| matches!(event, Event::Recording { .. }).then_some(())).await;
    let begun = harness.newest().expect("the turn is saved before the user is told to speak");
    assert!(begun.running.is_some() && begun.transcript.is_empty(), "{begun:?}");
    harness.until(|harness| saved_stage(harness) == Some(Stage::Listening)).await;
    assert_eq!(listed(&harness).await, vec![], "only turns that have ended are listed");
    harness.release_when_heard().await;
    // The provider of the answer is silent: what came before is saved.
    let has_transcript = |turn: TurnRecord| turn.transcript == "what time is it" && turn.question_audio.is_some();
    harness.until(|harness| harness.newest().is_some_and(has_transcript)).await;
    api::cancel(&harness.assistant, api::Nothing {}).await.unwrap();
    let record = harness.done().await;
    assert_eq!((record.running.as_ref(), record.id.as_str()), (None, begun.id.as_str()));
    assert_eq!(listed(&harness).await, [record]);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_stops_what_is_under_way_and_writes_it_down() {
    for stage in [Stage::Listening, Stage::Transcribing, Stage::Thinking] {
        let mut harness = Harness::new().await;
        let silent = if stage == Stage::Transcribing { Service::Stt } else { Service::Llm };
        harness.sandbox.add_fault(Fault::new(FaultKind::Silent).service(silent));
        harness.press().await;
        match stage {
            Stage::Listening => {
                harness
                    .next(|event| matches!(event, Event::Level { elapsed_ms, .. } if *elapsed_ms > 1_300).then_some(()))
                    .await;
            }
            _ => harness.release_when_heard().await,
        }
        harness.until(|harness| harness.assistant.snapshot().stage == stage).await;
        // A caller of the local API is served at the same time.
        let asked = DetachedTurn { text: "And me?".into(), session: "other".into(), ..DetachedTurn::default() };
        let is_asked = stage != Stage::Transcribing;
        let detached = is_asked.then(|| tokio::spawn(harness.assistant.detached(asked).1));
        let ends_with = usize::from(is_asked) + 1;
        harness.until(|harness| harness.ports.history.turns.lock().unwrap().len() == ends_with).await;

        tokio::time::timeout(LIMIT, harness.assistant.close()).await.expect("closing takes a bounded time");

        let turns = listed(&harness).await;
        assert_eq!(turns.len(), ends_with, "{stage:?}: {turns:?}");
        for turn in &turns {
            assert_eq!(turn.error.as_ref().map(|error| error.code), Some(ErrorCode::Unfinished), "{stage:?}: {turn:?}");
        }
        if let Some(detached) = detached {
            assert_eq!(detached.await.unwrap().record.error.unwrap().code, ErrorCode::Unfinished);
        }
        let turn = turns.iter().find(|turn| turn.session != "other").unwrap();
        let sound = std::fs::read(turn.question_audio.as_ref().unwrap()).unwrap();
        assert!(aura_audio::read_wav(&sound).unwrap().duration() > Duration::from_millis(1_300), "{stage:?}");
        // No further turn begins.
        api::press(&harness.assistant, Press::default()).await.unwrap();
        let error =
            api::ask(&harness.assistant, api::Ask { text: "Hello?".into(), ..api::Ask::default() }).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Cancelled);
        assert_eq!(listed(&harness).await.len(), ends_with, "{stage:?}");
        // The next AURA answers it.
        harness.sandbox.clear_faults();
        let next = harness.second().await;
        let answered = api::retry(&next, Retry { id: turn.id.clone(), ..Retry::default() }).await.unwrap();
        assert_eq!((answered.error, answered.transcript.as_str()), (None, "what time is it"), "{stage:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defect_ends_its_turn_alone() {
    let mut harness = Harness::new().await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::Broken;
    harness.press().await;
    let record = harness.done().await;
    assert_eq!(record.error.as_ref().map(|error| error.code), Some(ErrorCode::Internal), "{record:?}");
    assert_eq!(harness.assistant.snapshot().stage, Stage::Idle);
    assert_eq!(listed(&harness).await, [record]);
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(speech(1.2));
    assert_eq!(harness.speak().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_cannot_be_saved_is_told_and_saved_later() {
    use aura_core::record::NoticeKind;

    let harness = Harness::new().await;
    harness.ports.history.is_full.store(true, Ordering::SeqCst);
    let record = harness.ask("What time is it?").await;
    assert_eq!((record.error.as_ref(), notice_kinds(&record)), (None, vec![NoticeKind::NotSaved]));
    assert_eq!(listed(&harness).await, vec![]);
    // It can be retried although the history does not have it.
    harness.ports.history.is_full.store(false, Ordering::SeqCst);
    let retried = api::retry(&harness.assistant, Retry { id: record.id.clone(), ..Retry::default() }).await.unwrap();
    assert_eq!((retried.error.as_ref(), notice_kinds(&retried)), (None, vec![]));
    // The next turn shows that saving works again, so the first is saved too.
    harness.until(|harness| harness.ports.history.turns.lock().unwrap().len() == 2).await;
    let saved = listed(&harness).await.into_iter().find(|turn| turn.id == record.id).expect("it was saved later");
    assert_eq!((saved.answer, saved.running, saved.notices), (record.answer, None, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_could_not_be_saved_is_saved_at_the_end() {
    let harness = Harness::new().await;
    harness.ports.history.is_full.store(true, Ordering::SeqCst);
    let record = harness.ask("What time is it?").await;
    harness.ports.history.is_full.store(false, Ordering::SeqCst);
    harness.assistant.close().await;
    assert_eq!(harness.newest().map(|turn| turn.id), Some(record.id));
}

/// A turn in the history whose process has ended, or still runs.
fn begun(id: &str, owner: &str, transcript: &str) -> TurnRecord {
    serde_json::from_value(serde_json::json!({
        "id": id, "session": "earlier", "started_at": "2026-11-01T12:00:00Z", "transcript": transcript, "answer": "", "spoken": "",
        "interrupted": false, "stages": [], "notices": [], "running": {"stage": "listening", "owner": owner},
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_of_a_killed_process_become_failed_turns_that_can_be_retried() {
    let mut harness = Harness::new().await;
    // Another process, which lives, records at this moment.
    harness.press().await;
    harness.next(|event| matches!(event, Event::Level { elapsed_ms, .. } if *elapsed_ms > 300).then_some(())).await;
    let living = harness.newest().unwrap();
    let owner = living.running.clone().map(|Running { owner, .. }| owner).unwrap();

    let recordings = harness.data().join("recordings");
    let yesterday = jiff::Timestamp::now().as_millisecond() - 86_400_000;
    let old = uuid::Builder::from_unix_timestamp_millis(yesterday.try_into().unwrap(), &[7; 10]).into_uuid();
    let new = || uuid::Uuid::now_v7().to_string();
    let ids = [new(), new(), new(), old.to_string()];
    let [heard, typed, silent, unknown] = ids.each_ref().map(String::as_str);
    let dead = "01935000-0000-7000-8000-00000000dead";
    assert_ne!(owner, dead);
    for turn in [begun(heard, dead, ""), begun(typed, dead, "What time is it?"), begun(silent, dead, "")] {
        harness.ports.history.turns.lock().unwrap().insert(0, turn);
    }
    // The kill came before the header was right, and within a sample.
    let mut file = aura_audio::speech_wav(&speech(1.2)).to_vec();
    let whole = aura_audio::read_wav(&file).unwrap().samples.len();
    file[40..44].copy_from_slice(&640_u32.to_le_bytes());
    file.push(0x11);
    for id in [heard, unknown] {
        std::fs::write(recordings.join(format!("{id}-question.wav")), &file).unwrap();
    }
    std::fs::write(recordings.join(format!("{silent}-question.wav")), &file[..44]).unwrap();
    std::fs::write(recordings.join("holiday-question.wav"), &file).unwrap();

    let next = harness.second().await;
    let turns = api::history(&next, HistoryQuery::default()).await.unwrap();
    let ids: Vec<&str> = turns.iter().map(|turn| turn.id.as_str()).collect();
    assert!(!ids.contains(&living.id.as_str()), "the turn of a living process was ended");
    assert!([heard, typed, silent, unknown].iter().all(|id| ids.contains(id)) && ids.len() == 4, "{ids:?}");
    for turn in &turns {
        let error = turn.error.as_ref().expect("it failed");
        assert_eq!(error.code, ErrorCode::Unfinished);
        if turn.id == silent {
            assert_eq!(turn.question_audio, None, "there is no sound");
            continue;
        }
        assert!(error.message.contains("Retry"), "{error}");
        if turn.id != typed {
            let sound = std::fs::read(turn.question_audio.as_ref().unwrap()).unwrap();
            assert_eq!(hound_samples(&sound), whole, "by its true length");
        }
        let answered = api::retry(&next, Retry { id: turn.id.clone(), ..Retry::default() }).await.unwrap();
        assert_eq!(
            (answered.error, answered.transcript.to_lowercase().trim_end_matches('?')),
            (None, "what time is it")
        );
    }
    let unknown = turns.iter().find(|turn| turn.id == unknown).unwrap();
    assert_eq!(unknown.started_at.as_millisecond(), yesterday, "when it began is in its ID");

    // The living process goes on, and its turn ends as it should.
    harness.release_when_heard().await;
    let ended = harness.done().await;
    assert_eq!((ended.id.as_str(), ended.error), (living.id.as_str(), None));
    drop(next);
    // At the next start, nothing is found twice.
    let count = harness.ports.history.turns.lock().unwrap().len();
    harness.second().await;
    assert_eq!(harness.ports.history.turns.lock().unwrap().len(), count);
}

/// The samples that the header announces, which other programs go by.
fn hound_samples(wav: &[u8]) -> usize {
    assert_eq!(wav.len(), 44 + u32::from_le_bytes(wav[40..44].try_into().unwrap()) as usize);
    (wav.len() - 44) / 2
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_stops_its_turn_which_is_written_down() {
    let harness = Harness::new().await;
    harness.sandbox.add_fault(Fault::new(FaultKind::Silent).service(Service::Llm));
    let asked = DetachedTurn { text: "Wait for me".into(), session: "left".into(), ..DetachedTurn::default() };
    let caller = tokio::spawn(harness.assistant.detached(asked).1);
    harness.until(|harness| saved_stage(harness).is_some()).await;
    caller.abort();
    harness.until(|harness| harness.newest().is_some_and(|turn| turn.running.is_none())).await;
    let turn = harness.newest().unwrap();
    assert_eq!((turn.transcript.as_str(), turn.interrupted), ("Wait for me", true));
    assert_eq!(turn.error.unwrap().code, ErrorCode::Cancelled);
}
