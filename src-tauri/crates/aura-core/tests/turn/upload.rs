//! A question that is uploaded while it is recorded, and sent as a whole when the provider does not take that.

use std::time::Duration;

use aura_core::api::{self, Nothing};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{NoticeKind, Stage, StageTrace, TurnRecord};
use aura_providers::FailureKind;
use aura_router::Attempt;
use aura_sandbox::{ErrorBody, Fault, FaultKind, Provider, RequestRecord, Service as SandboxService};
use aura_testkit::fake_ports::{Mic, speech};
use aura_testkit::harness::{Harness, LIMIT};
use serde_json::json;

const TEXT: &str = "what time is it";

/// The attempts at the transcript: the provider and how each failed.
fn attempts(record: &TurnRecord) -> Vec<(String, Option<FailureKind>)> {
    let stage = record.stages.iter().find(|stage| stage.stage == Stage::Transcribing);
    let attempts: Vec<Attempt> = stage.map(|stage| stage.attempts.clone()).unwrap_or_default();
    attempts.into_iter().map(|attempt| (attempt.route.provider, attempt.kind)).collect()
}

/// The requests for a transcript.
async fn requests(harness: &Harness) -> Vec<RequestRecord> {
    let all = harness.sandbox.requests().await.into_iter();
    all.filter(|request| request.service == SandboxService::Stt && request.method == "POST").collect()
}

async fn until_asked(harness: &Harness) {
    let asked = async {
        while requests(harness).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, asked).await.expect("the provider is asked while the key is held");
}

fn groq(kind: FaultKind) -> Fault {
    Fault::new(kind).provider(Provider::Groq).service(SandboxService::Stt).times(1)
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, body: ErrorBody::default(), headers: Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_asked_before_the_release_and_once() {
    let mut harness = Harness::new().await;
    harness.press().await;
    until_asked(&harness).await;
    assert!(requests(&harness).await[0].answered_ms.is_none(), "it waits for the end of the recording");
    harness.release_when_heard().await;
    let record = harness.done().await;
    assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT));
    assert_eq!(attempts(&record), [("groq".to_owned(), None)]);
    let requests = requests(&harness).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(requests[0].audio_seconds.is_some_and(|seconds| seconds > 1.0), "{requests:?}");
    assert!(record.question_audio.unwrap().exists(), "the recording is kept");
}

/// A refusal of the upload itself: the same provider gets the whole recording, and the person hears of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_takes_no_upload_gets_the_whole_recording() {
    for kind in [status(411), status(400), FaultKind::Reset] {
        let mut harness = Harness::new().await;
        harness.sandbox.add_fault(groq(kind.clone()));
        let record = harness.speak().await;
        assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT), "{kind:?}");
        let attempts = attempts(&record);
        let providers: Vec<&str> = attempts.iter().map(|(provider, _)| provider.as_str()).collect();
        assert_eq!(providers, ["groq", "groq"], "{kind:?}: {attempts:?}");
        assert!(record.notices.is_empty(), "{kind:?}: {:?}", record.notices);
        let whole = requests(&harness).await.last().and_then(|request| request.audio_seconds);
        assert!(whole.is_some_and(|seconds| seconds > 1.0), "{kind:?}: {whole:?}");
    }
}

/// A failure of the provider counts like one of a whole recording: the next provider gets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_is_replaced_and_no_word_is_lost() {
    for (kind, expected) in [
        (status(429), FailureKind::RateLimited),
        (status(503), FailureKind::Overloaded),
        (status(401), FailureKind::KeyRejected),
    ] {
        let mut harness = Harness::new().await;
        harness.sandbox.add_fault(groq(kind));
        let record = harness.speak().await;
        assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT), "{expected:?}");
        let attempts = attempts(&record);
        assert_eq!(attempts, [("groq".to_owned(), Some(expected)), ("gemini".to_owned(), None)]);
        assert!(record.notices.iter().any(|notice| notice.kind == NoticeKind::Fallback), "{:?}", record.notices);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_never_answers_is_left_after_the_timeout_of_a_transcript() {
    let mut harness = Harness::new().await;
    harness.change(json!({"timeouts": {"transcript_ms": 1_000}})).await;
    harness.sandbox.add_fault(groq(FaultKind::Silent));
    let record = harness.speak().await;
    assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT));
    let expected = [("groq".to_owned(), Some(FailureKind::Timeout)), ("gemini".to_owned(), None)];
    assert_eq!(attempts(&record), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_silence_around_the_words_is_not_uploaded() {
    let mut harness = Harness::new().await;
    let said = [vec![0; 3 * 16_000], speech(1.2), vec![0; 3 * 16_000]].concat();
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(said);
    assert_eq!(harness.speak().await.transcript, TEXT);
    let requests = requests(&harness).await;
    let seconds: Vec<_> = requests.iter().map(|request| request.audio_seconds.unwrap()).collect();
    assert!(seconds.len() == 1 && (1.2..3.0).contains(&seconds[0]), "{seconds:?} of 7.2 s");
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(vec![0; 48_000]);
    assert_eq!(harness.speak().await.error.unwrap().code, ErrorCode::NothingHeard);
    assert_eq!(self::requests(&harness).await.len(), 1, "of silence, nothing is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_question_ends_the_upload() {
    let mut harness = Harness::new().await;
    harness.press().await;
    until_asked(&harness).await;
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    let record = harness.done().await;
    assert_eq!(record.error.as_ref().map(|error| error.code), Some(ErrorCode::Cancelled));
    // What the ledger has is also in the turn.
    let of_stage = |stage: &StageTrace| stage.attempts.iter().map(|attempt| (stage.stage, attempt.kind)).collect();
    let kinds: Vec<Vec<_>> = record.stages.iter().map(of_stage).collect();
    assert_eq!(kinds, [[(Stage::Listening, Some(FailureKind::Cancelled))]], "{record:?}");
    let ended = async {
        while !requests(&harness).await.iter().all(|request| request.ended_ms.is_some()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, ended).await.expect("the connection is closed");
    assert_eq!(requests(&harness).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setting_turns_it_off() {
    let mut harness = Harness::new().await;
    harness.change(json!({"listening": {"streaming": false}})).await;
    harness.press().await;
    let recorded =
        |event: &Event| matches!(event, Event::Level { elapsed_ms, .. } if *elapsed_ms > 1_000).then_some(());
    harness.next(recorded).await;
    // A shorter hold counts as a tap.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(requests(&harness).await.is_empty(), "nothing is sent before the release");
    api::release(&harness.assistant, Nothing {}).await.unwrap();
    assert_eq!(harness.done().await.transcript, TEXT);
}
