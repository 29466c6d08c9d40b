//! Recordings that are uploaded while they are made, over a real socket.

use aura_sandbox::{Fault, FaultKind, FixedAnswers, Sandbox, SandboxConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::wire::scripted;

const TEXT: &str = "please open the big window";
const LIMIT: Duration = Duration::from_secs(20);
/// Half a second.
const BLOCK: [i16; 8_000] = [1_000; 8_000];

/// The providers that take uploads, with their presets.
const PROVIDERS: [(&str, Option<&str>); 4] = [
    ("groq", None),
    ("openai_compatible", Some("openai")),
    ("openai_compatible", Some("vllm")),
    ("openai_compatible", Some("speaches")),
];

fn model_of(provider: &str) -> &'static str {
    if provider == "groq" { "whisper-large-v3-turbo" } else { "whisper-1" }
}

fn open(provider: &str, preset: Option<&str>, base: &str, key: &str) -> TranscriptionSession {
    let stt = at(provider, base, Some(key), preset).streaming_stt.unwrap();
    let model = stt.streaming_model(model_of(provider)).unwrap();
    stt.stream(StreamingRequest { model, language: Some("en-US".into()), vocabulary: vec!["AURA".into()] })
}

async fn finished(session: TranscriptionSession) -> Result<Transcript, Failure> {
    timeout(LIMIT, session.finish()).await.expect("the session ends")
}

async fn sandbox() -> Sandbox {
    let fixed = FixedAnswers { transcript: Some(TEXT.into()), ..FixedAnswers::default() };
    Sandbox::start(SandboxConfig { fixed, ..SandboxConfig::default() }).await.unwrap()
}

/// A server that answers a request when all of it has arrived. Returns its base URL, and the bytes so far.
async fn patient_server() -> (String, watch::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, received) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4_096];
        while !sender.borrow().ends_with(b"0\r\n\r\n") {
            let count = socket.read(&mut buffer).await.unwrap();
            sender.send_modify(|bytes| bytes.extend_from_slice(&buffer[..count]));
        }
        let body = r#"{"text":"hello"}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\ncontent-type: application/json\r\n\r\n", body.len());
        socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    });
    (base, received)
}

/// The head of a chunked request, and its body.
fn request(bytes: &[u8]) -> (String, Vec<u8>) {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|part| part == what).unwrap();
    let end = find(bytes, b"\r\n\r\n");
    let (head, mut rest) = (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), &bytes[end + 4..]);
    let mut body = Vec::new();
    loop {
        let line = find(rest, b"\r\n");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return (head, body);
        }
        body.extend_from_slice(&rest[line + 2..][..size]);
        rest = &rest[line + 2 + size + 2..];
    }
}

#[tokio::test]
async fn the_recording_arrives_while_it_is_made_in_the_form_of_a_whole_one() {
    for (provider, preset) in PROVIDERS {
        let (base, mut received) = patient_server().await;
        let mut session = open(provider, preset, &base, KEY);
        assert!(session.partial().is_none(), "nothing is recognised before its end");
        session.push(&BLOCK);
        let half_a_second = |bytes: &Vec<u8>| bytes.len() > 15_000;
        timeout(LIMIT, received.wait_for(half_a_second)).await.expect("it is sent at once").unwrap();
        session.push(&BLOCK[..100]);
        assert_eq!(finished(session).await.unwrap().text, "hello", "{preset:?}");
        let (head, body) = request(&received.borrow());
        assert!(head.contains(&format!("authorization: bearer {KEY}")), "{head}");

        // The same as a whole recording, but for the boundary, and the sizes in the header of the file.
        let server = scripted::start(vec![scripted::json(r#"{"text":"hello"}"#)]).await;
        let samples = [&BLOCK[..], &BLOCK[..100]].concat();
        let whole = TranscriptionRequest {
            model: model_of(provider).into(),
            wav: aura_audio::speech_wav(&samples),
            language: Some("en-US".into()),
            vocabulary: vec!["AURA".into()],
            ..TranscriptionRequest::default()
        };
        at(provider, &server.base, Some(KEY), preset).stt.unwrap().transcribe(&whole).await.unwrap();
        let sent = server.requests()[0].clone();
        let (_, expected) = sent.split_once("\r\n\r\n").unwrap();
        let boundary = |body: &str| body.split_once("\r\n").unwrap().0.to_owned();
        let plain = |body: &str| {
            let text = body.replace(&boundary(body), "--b");
            let (before, after) = text.split_once("RIFF").unwrap();
            (before.to_owned(), after.split_once("data").unwrap().1.chars().skip(4).collect::<String>())
        };
        let uploaded = String::from_utf8_lossy(&body);
        assert_eq!(plain(&uploaded).0, plain(expected).0, "{preset:?}");
        let file = &body[body.windows(4).position(|part| part == b"RIFF").unwrap()..];
        let end = file.len() - boundary(&uploaded).len() - "\r\n--\r\n".len();
        assert_eq!(aura_audio::read_wav(&file[..end]).unwrap().to_speech(), samples, "{preset:?}");
    }
}

#[tokio::test]
async fn a_server_for_whole_recordings_reads_an_upload() {
    for (provider, preset) in PROVIDERS {
        let sandbox = sandbox().await;
        let base = if provider == "groq" { sandbox.groq_base_url() } else { sandbox.openai_base_url() };
        let mut session = open(provider, preset, &base, sandbox.key());
        session.push(&BLOCK);
        session.push(&BLOCK);
        let transcript = finished(session).await.unwrap();
        assert_eq!((transcript.text.as_str(), transcript.usage.audio_seconds), (TEXT, Some(1.0)), "{preset:?}");
        let request = &sandbox.requests().await[0];
        assert_eq!((request.status, request.audio_seconds), (Some(200), Some(1.0)), "{request:?}");
    }
}

#[tokio::test]
async fn every_fault_is_a_failure() {
    use FailureKind::{Interrupted, InvalidRequest, KeyRejected, Overloaded, RateLimited};
    for (fault, expected) in [
        (Fault::status(429), RateLimited),
        (Fault::status(503), Overloaded),
        (Fault::status(411), InvalidRequest),
        (Fault::new(FaultKind::RefuseAuth), KeyRejected),
        (Fault::new(FaultKind::Reset), Interrupted),
    ] {
        let sandbox = sandbox().await;
        sandbox.add_fault(fault.clone());
        let mut session = open("groq", None, &sandbox.groq_base_url(), sandbox.key());
        session.push(&BLOCK);
        let failure = finished(session).await.unwrap_err();
        assert_eq!(failure.kind, expected, "{:?}: {failure:?}", fault.kind);
        assert!(!failure.message.contains(sandbox.key()), "{failure:?}");
    }
}

/// The server answers as soon as it has the head of the request.
#[tokio::test]
async fn an_answer_before_the_end_is_not_the_transcript() {
    let too_slow = scripted::reply("408 Request Timeout", "", b"");
    for early in [scripted::json(r#"{"text":"hel"}"#), too_slow] {
        let server = scripted::start(vec![early]).await;
        let mut session = open("groq", None, &server.base, KEY);
        session.push(&BLOCK);
        timeout(LIMIT, async {
            while !session.has_ended() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the failure is known before the recording ends");
        assert_eq!(finished(session).await.unwrap_err().kind, FailureKind::Interrupted);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut session = open("groq", None, &base, KEY);
    session.push(&BLOCK);
    assert_eq!(finished(session).await.unwrap_err().kind, FailureKind::Unreachable);
}
