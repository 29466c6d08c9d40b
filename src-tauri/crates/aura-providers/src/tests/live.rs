//! Live transcription over real WebSockets, against the sandbox.

use aura_sandbox::{Fault, FaultKind, FixedAnswers, Sandbox, SandboxConfig, StreamErrorForm};
use tokio::time::timeout;

use super::*;

const TEXT: &str = "please open the big window";
const LIMIT: Duration = Duration::from_secs(20);
/// OpenAI's model for live speech.
const LIVE_MODEL: &str = "gpt-live-transcribe";

async fn sandbox() -> Sandbox {
    let fixed = FixedAnswers { transcript: Some(TEXT.into()), ..FixedAnswers::default() };
    Sandbox::start(SandboxConfig { fixed, ..SandboxConfig::default() }).await.unwrap()
}

/// Every way of live transcription, with its model.
const WAYS: [&str; 3] = ["openai", "gemini", "vllm"];

fn open(way: &str, sandbox: &Sandbox, key: &str) -> TranscriptionSession {
    let (provider, base, preset) = match way {
        "gemini" => ("gemini", sandbox.gemini_base_url(), None),
        "vllm" => ("openai_compatible", sandbox.openai_base_url(), Some("custom")),
        _ => ("openai_compatible", sandbox.openai_base_url(), Some("openai")),
    };
    let mut connection = connection(provider, base.parse().unwrap(), Some(key), preset);
    connection.realtime = (way == "vllm").then_some(Realtime::Vllm);
    let connection = connection.with_base_url(base.parse().unwrap());
    let stt = (find(provider).unwrap().connect)(connection).streaming_stt.unwrap();
    let asked = match way {
        "gemini" => "gemini-3.5-transcribe",
        "vllm" => LIVE_MODEL,
        _ => "gpt-transcribe",
    };
    let model = stt.streaming_model(asked).unwrap();
    stt.stream(StreamingRequest { model, language: Some("en".into()), vocabulary: vec!["AURA".into()] })
}

/// Two seconds of something that is not silence.
fn speak(session: &mut TranscriptionSession) {
    let samples: Vec<i16> = (0..32_000).map(|at| ((at % 80) as i16 - 40) * 200).collect();
    samples.chunks(320).for_each(|block| session.push(block));
}

async fn finished(session: TranscriptionSession) -> Result<Transcript, Failure> {
    timeout(LIMIT, session.finish()).await.expect("the session ends")
}

#[tokio::test]
async fn words_come_while_one_speaks_and_the_whole_text_at_the_end() {
    for way in WAYS {
        let sandbox = sandbox().await;
        let mut session = open(way, &sandbox, sandbox.key());
        let mut partial = session.partial().unwrap();
        speak(&mut session);
        timeout(LIMIT, partial.wait_for(|words| words.committed.len() + words.tentative.len() >= 15))
            .await
            .unwrap()
            .unwrap();
        let shown = partial.borrow().clone();
        let all = format!("{}{}", shown.committed, shown.tentative);
        assert!(TEXT.starts_with(&all), "{way}: {all}");
        let transcript = finished(session).await.unwrap();
        assert_eq!(transcript.text, TEXT, "{way}");
        let request = &sandbox.requests().await[0];
        assert!(request.audio_seconds.is_some_and(|seconds| (1.9..=2.1).contains(&seconds)), "{way}: {request:?}");
        assert_eq!((request.status, request.cancelled), (Some(101), false), "{way}");
        let sent = format!("{} {:?}", request.path, request.query);
        assert!(!sent.contains(sandbox.key()), "{way}: the key is in no URL");
    }
}

#[tokio::test]
async fn every_fault_is_a_failure_and_never_a_wrong_text() {
    use FailureKind::{Interrupted, KeyRejected, Overloaded, RateLimited, Unreachable, Unsupported};
    let error = FaultKind::StreamError { form: StreamErrorForm::Data, after: 2 };
    let faults = [
        (Fault::status(429), RateLimited),
        (Fault::status(503), Overloaded),
        (Fault::status(404).body(aura_sandbox::ErrorBody::Empty), Unsupported),
        (Fault::new(FaultKind::RefuseAuth), KeyRejected),
        (Fault::new(FaultKind::Reset), Unreachable),
        (Fault::new(FaultKind::CutAfter { chunks: 2, reset: false }), Interrupted),
        (Fault::new(FaultKind::CutAfter { chunks: 2, reset: true }), Interrupted),
        (Fault::new(FaultKind::MalformedChunk { after: 1 }), Interrupted),
        (Fault::new(FaultKind::OversizedMessage { after: 1 }), Interrupted),
        (Fault::new(FaultKind::NoFinish), Interrupted),
        (Fault::new(error), Overloaded),
    ];
    for way in WAYS {
        for (fault, expected) in &faults {
            let sandbox = sandbox().await;
            sandbox.add_fault(fault.clone());
            let mut session = open(way, &sandbox, sandbox.key());
            speak(&mut session);
            let failure = finished(session).await.expect_err(&format!("{way}: {:?}", fault.kind));
            assert_eq!(failure.kind, *expected, "{way}: {:?}: {failure:?}", fault.kind);
            assert!(!failure.message.contains(sandbox.key()), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_stalls_or_never_answers_is_left_by_dropping_the_session() {
    for way in WAYS {
        for kind in [FaultKind::StallAfter { chunks: 1 }, FaultKind::Silent] {
            let sandbox = sandbox().await;
            sandbox.add_fault(Fault::new(kind.clone()));
            let mut session = open(way, &sandbox, sandbox.key());
            speak(&mut session);
            assert!(timeout(Duration::from_millis(300), session.finish()).await.is_err(), "{way}: {kind:?}");
            let ended = async {
                while !sandbox.requests().await.iter().all(|request| request.ended_ms.is_some()) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(LIMIT, ended).await.expect("the connection is closed");
            assert!(sandbox.requests().await[0].cancelled, "{way}: {kind:?}");
        }
    }
}

#[tokio::test]
async fn events_in_another_order_give_the_right_text() {
    for way in WAYS {
        let sandbox = sandbox().await;
        sandbox.add_fault(Fault::new(FaultKind::WrongOrder));
        let mut session = open(way, &sandbox, sandbox.key());
        speak(&mut session);
        assert_eq!(finished(session).await.unwrap().text, TEXT, "{way}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_reported_and_never_repeated() {
    for way in WAYS {
        let sandbox = sandbox().await;
        let mut session = open(way, &sandbox, KEY);
        speak(&mut session);
        let failure = finished(session).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::KeyRejected, "{way}");
        assert!(!failure.message.contains(KEY), "{failure:?}");
    }
}

/// A key must not go over a network that anybody can read.
#[tokio::test]
async fn a_key_is_not_sent_without_encryption() {
    let connection = connection("openai", "http://desk.example/v1/".parse().unwrap(), Some(KEY), Some("openai"));
    let stt = (find("openai_compatible").unwrap().connect)(connection).streaming_stt.unwrap();
    let session = stt.stream(StreamingRequest { model: LIVE_MODEL.into(), ..StreamingRequest::default() });
    assert_eq!(finished(session).await.unwrap_err().kind, FailureKind::KeyRejected);
}

#[tokio::test]
async fn a_server_without_websockets_is_no_live_transcription() {
    let reply = crate::wire::scripted::json(r#"{"text":"hello"}"#);
    let server = crate::wire::scripted::start(vec![reply]).await;
    let stt = at("openai_compatible", &server.base, Some(KEY), Some("openai")).streaming_stt.unwrap();
    let session = stt.stream(StreamingRequest { model: LIVE_MODEL.into(), ..StreamingRequest::default() });
    assert_eq!(finished(session).await.unwrap_err().kind, FailureKind::Unsupported);
    let head = server.requests()[0].to_lowercase();
    assert!(head.starts_with("get /v1/realtime?intent=transcription http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nauthorization: bearer {KEY}\r\n")), "{head}");
}

#[tokio::test]
async fn a_server_of_the_users_own_is_told_the_model_in_the_address() {
    let server = crate::wire::scripted::start(vec![crate::wire::scripted::json("{}")]).await;
    let mut connection = connection("own", server.base.parse().unwrap(), None, Some("custom"));
    connection.realtime = Some(Realtime::Openai);
    let stt = (find("openai_compatible").unwrap().connect)(connection).streaming_stt.unwrap();
    let session = stt.stream(StreamingRequest { model: "own/model".into(), ..StreamingRequest::default() });
    assert_eq!(finished(session).await.unwrap_err().kind, FailureKind::Unsupported);
    let head = &server.requests()[0];
    assert!(head.starts_with("GET /v1/realtime?intent=transcription&model=own%2Fmodel HTTP/1.1\r\n"), "{head}");
}

#[test]
fn live_speech_goes_to_the_model_that_the_catalog_or_the_user_names_or_is_uploaded() {
    let base: Url = "https://api.example/v1/".parse().unwrap();
    let of = |preset: &str, realtime| {
        let mut connection = connection("own", base.clone(), Some(KEY), Some(preset));
        connection.realtime = realtime;
        (find("openai_compatible").unwrap().connect)(connection).streaming_stt
    };
    let named = |preset, realtime, model| of(preset, realtime).unwrap().streaming_model(model);
    assert_eq!(named("openai", None, "gpt-transcribe").as_deref(), Some("gpt-live-transcribe"));
    assert_eq!(named("openai", None, "whisper-1").as_deref(), Some("whisper-1"), "an upload");
    assert_eq!(named("vllm", None, "voxtral").as_deref(), Some("voxtral"), "an upload");
    for preset in ["openrouter", "ollama", "llamacpp", "whispercpp", "custom"] {
        assert_eq!(named(preset, None, "whisper-1"), None, "{preset}: it is not known to take uploads");
    }
    assert_eq!(named("vllm", Some(Realtime::Vllm), "voxtral").as_deref(), Some("voxtral"));
    assert!(of("kokoro", None).is_none(), "it only speaks");
}
