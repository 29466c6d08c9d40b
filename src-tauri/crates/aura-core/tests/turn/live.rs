//! Live transcription: words while one speaks, and the whole recording when anything goes wrong.

use std::time::Duration;

use aura_core::api::{self, Nothing, SaveKey};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{Stage, TurnRecord};
use aura_providers::FailureKind;
use aura_router::Attempt;
use aura_sandbox::{Fault, FaultKind, Provider, RequestRecord, Service as SandboxService, StreamErrorForm};
use aura_testkit::fake_ports::{Mic, speech};
use aura_testkit::harness::{Harness, LIMIT};
use serde_json::json;

const TEXT: &str = "what time is it";

/// The providers whose models transcribe live speech, and these models.
const LIVE: [(Provider, &str, &str); 2] = [
    (Provider::Openai, "gpt-transcribe", "gpt-live-transcribe"),
    (Provider::Gemini, "gemini-3.5-transcribe", "gemini-3.5-transcribe-live"),
];

/// An assistant that asks this provider first.
async fn with(provider: Provider, model: &str) -> Harness {
    let harness = Harness::new().await;
    let name = if provider == Provider::Openai { "own" } else { "gemini" };
    let own = json!({"preset": "openai", "base_url": harness.sandbox.openai_base_url()});
    let stt = json!({"provider": name, "model": model});
    harness.change(json!({"providers": {"own": own}, "routes": {"stt": stt}})).await;
    let key = SaveKey { provider: "own".into(), key: harness.sandbox.key().into(), session_only: true };
    api::save_key(&harness.assistant, key).await.unwrap();
    harness
}

/// The attempts at the transcript.
fn attempts(record: &TurnRecord) -> Vec<Attempt> {
    let stage = record.stages.iter().find(|stage| stage.stage == Stage::Transcribing);
    stage.map(|stage| stage.attempts.clone()).unwrap_or_default()
}

/// The requests for a transcript: by WebSocket, and of whole recordings.
async fn requests(harness: &Harness) -> (Vec<RequestRecord>, Vec<RequestRecord>) {
    let all = harness.sandbox.requests().await.into_iter();
    all.filter(|request| request.service == SandboxService::Stt).partition(|request| request.method == "GET")
}

async fn until_shown(harness: &mut Harness) -> String {
    harness
        .next(|event| match event {
            Event::Partial { committed, tentative, .. } => {
                Some(format!("{committed}{tentative}")).filter(|words| words.contains("what time"))
            }
            Event::Done { record } => panic!("no words were shown: {:?}", record.error),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_shown_before_the_release_and_the_transcript_is_whole() {
    for (provider, model, live) in LIVE {
        let mut harness = with(provider, model).await;
        harness.press().await;
        let words = until_shown(&mut harness).await;
        assert!(TEXT.starts_with(&words), "{words}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        api::release(&harness.assistant, Nothing {}).await.unwrap();
        let record = harness.done().await;
        assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT), "{provider}");
        let attempts = attempts(&record);
        let routes: Vec<_> = attempts.iter().map(|attempt| (attempt.route.model.as_str(), attempt.kind)).collect();
        assert_eq!(routes, [(live, None)], "{provider}");
        assert!(attempts[0].cost.usd.is_some_and(|usd| usd > 0.0), "{:?}", attempts[0].cost);
        assert!(attempts[0].ms < 1_000, "it counts from the release: {} ms", attempts[0].ms);
        let (sockets, whole) = requests(&harness).await;
        assert_eq!((sockets.len(), whole.len()), (1, 0), "{provider}");
        assert!(record.question_audio.unwrap().exists(), "the recording is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_every_fault_the_whole_recording_is_sent_and_no_word_is_lost() {
    let faults = [
        FaultKind::Status { code: 403, body: Default::default(), headers: Default::default() },
        FaultKind::Silent,
        FaultKind::Reset,
        FaultKind::CutAfter { chunks: 0, reset: true },
        FaultKind::CutAfter { chunks: 1, reset: false },
        FaultKind::StallAfter { chunks: 1 },
        FaultKind::MalformedChunk { after: 1 },
        FaultKind::OversizedMessage { after: 0 },
        FaultKind::StreamError { form: StreamErrorForm::Data, after: 1 },
        FaultKind::NoFinish,
        FaultKind::EmptyTranscript,
        FaultKind::DelayContent { ms: 4_000 },
    ];
    for (provider, model, live) in LIVE {
        for fault in &faults {
            let mut harness = with(provider, model).await;
            let first = Fault::new(fault.clone()).provider(provider).service(SandboxService::Stt).times(1);
            harness.sandbox.add_fault(first);
            let record = harness.speak().await;
            assert_eq!((record.error.as_ref(), record.transcript.as_str()), (None, TEXT), "{provider}: {fault:?}");
            let attempts = attempts(&record);
            assert!(attempts.len() > 1, "{provider}: {fault:?}: {attempts:?}");
            assert_eq!(attempts[0].route.model, live, "{provider}: {fault:?}");
            assert!(attempts[0].kind.is_some(), "{provider}: {fault:?}: {attempts:?}");
            let (_, whole) = requests(&harness).await;
            let sent = whole.iter().filter_map(|request| request.audio_seconds).next_back();
            assert!(sent.is_some_and(|seconds| seconds > 1.2), "{provider}: {fault:?}: {sent:?} s of 1.2 s: {whole:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_keeps_failing_is_asked_for_whole_recordings() {
    let (provider, model, live) = LIVE[1];
    let mut harness = with(provider, model).await;
    let cut = Fault::new(FaultKind::CutAfter { chunks: 0, reset: false });
    harness.sandbox.add_fault(cut.provider(provider).service(SandboxService::Stt).times(1));
    let mut tried = Vec::new();
    for turn in 0..4 {
        if turn == 1 {
            let cut = Fault::new(FaultKind::CutAfter { chunks: 0, reset: false });
            harness.sandbox.add_fault(cut.provider(provider).service(SandboxService::Stt).times(1));
        }
        let record = harness.speak().await;
        assert_eq!(record.transcript, TEXT);
        tried.push(attempts(&record).iter().any(|attempt| attempt.route.model == live));
    }
    assert_eq!(tried, [true, true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_never_sent() {
    let (provider, model, _) = LIVE[0];
    let mut harness = with(provider, model).await;
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(vec![0; 48_000]);
    assert_eq!(harness.speak().await.error.unwrap().code, ErrorCode::NothingHeard);
    let (sockets, whole) = requests(&harness).await;
    assert_eq!((sockets.len(), whole.len()), (0, 0), "no connection is opened");
    let late = [vec![0; 5 * 16_000], speech(1.2)].concat();
    *harness.ports.microphone.0.lock().unwrap() = Mic::Hears(late);
    assert_eq!(harness.speak().await.transcript, TEXT);
    let seconds = requests(&harness).await.0[0].audio_seconds.unwrap();
    assert!((1.2..3.5).contains(&seconds), "{seconds} s of 5 s of silence and 1.2 s of speech were sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_recording_closes_the_connection_and_sends_nothing_more() {
    for (provider, model, live) in LIVE {
        let mut harness = with(provider, model).await;
        harness.press().await;
        until_shown(&mut harness).await;
        api::cancel(&harness.assistant, Nothing {}).await.unwrap();
        assert_eq!(harness.done().await.error.unwrap().code, ErrorCode::Cancelled);
        let closed = async {
            while !requests(&harness).await.0.iter().all(|request| request.ended_ms.is_some()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, closed).await.expect("the connection is closed");
        let (sockets, whole) = requests(&harness).await;
        assert!(sockets[0].cancelled && whole.is_empty(), "{provider}: {sockets:?}");
        // What was sent may be billed.
        let counts = harness.assistant.router().attempt_counts();
        let cancelled = counts.iter().any(|count| count.kind == Some(FailureKind::Cancelled));
        assert!(cancelled, "{live}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setting_turns_it_off() {
    let (provider, model, _) = LIVE[0];
    let mut harness = with(provider, model).await;
    harness.change(json!({"listening": {"streaming": false}})).await;
    assert_eq!(harness.speak().await.transcript, TEXT);
    let (sockets, whole) = requests(&harness).await;
    assert_eq!((sockets.len(), whole.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_transcribes_live_speech_as_its_settings_say() {
    let (provider, _, live) = LIVE[0];
    for (realtime, expected) in [(json!("vllm"), 1), (serde_json::Value::Null, 0)] {
        let mut harness = with(provider, live).await;
        harness.change(json!({"providers": {"own": {"preset": "custom", "realtime": realtime}}})).await;
        let record = harness.speak().await;
        assert_eq!(record.transcript, TEXT);
        let (sockets, _) = requests(&harness).await;
        assert_eq!(sockets.len(), expected, "{realtime}");
        assert!(sockets.iter().all(|request| request.path.ends_with("/realtime") && request.query.is_none()));
    }
}
