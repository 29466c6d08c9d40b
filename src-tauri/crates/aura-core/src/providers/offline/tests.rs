//! The provider with programs of the tests' own.

use std::path::Path;
use std::sync::Mutex;

use futures::TryStreamExt;

use super::*;
use crate::error::Error;
use crate::providers::wire::{recorded, scripted};
use crate::providers::{ChatPiece, Finish, Message, Role, SpeechPiece};

/// Programs that answer as told and note how they were called.
#[derive(Default)]
struct Scripted {
    known: Vec<(&'static str, JobOutput)>,
    calls: Mutex<Vec<Job>>,
}

#[async_trait]
impl Programs for Scripted {
    fn find(&self, name: &str) -> Option<PathBuf> {
        self.known.iter().any(|(known, _)| *known == name).then(|| PathBuf::from("/programs").join(name))
    }

    async fn run(&self, job: Job) -> crate::error::Result<JobOutput> {
        let name = job.program.file_name().unwrap().to_string_lossy().into_owned();
        self.calls.lock().unwrap().push(job);
        self.known
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, output)| output.clone())
            .ok_or_else(|| Error::internal(name))
    }
}

fn ok(stdout: impl Into<Bytes>) -> JobOutput {
    JobOutput { success: true, stdout: stdout.into(), stderr: String::new() }
}

fn offline(known: Vec<(&'static str, JobOutput)>, surroundings: Surroundings) -> (Arc<Scripted>, Offline) {
    let programs = Arc::new(Scripted { known, ..Scripted::default() });
    let http = crate::providers::Http::new(crate::providers::Waits::default()).unwrap();
    (programs.clone(), Offline { http, programs, surroundings })
}

fn alone() -> Surroundings {
    Surroundings { no_model: true, ..Surroundings::default() }
}

fn recording() -> SttRequest {
    SttRequest {
        model: "built-in".into(),
        wav: Bytes::from(vec![0; 4000]),
        duration: Duration::from_secs(1),
        language: Some("en-US".into()),
        ..SttRequest::default()
    }
}

fn question(text: &str) -> ChatRequest {
    let messages = vec![Message::new(Role::User, text)];
    ChatRequest { model: "built-in".into(), messages, max_tokens: Some(100), ..ChatRequest::default() }
}

async fn said(offline: &Offline, request: &ChatRequest) -> (String, Finish) {
    let pieces: Vec<ChatPiece> = offline.chat(request).await.unwrap().try_collect().await.unwrap();
    let mut text = String::new();
    for piece in pieces {
        match piece {
            ChatPiece::Text(piece) => text.push_str(&piece),
            ChatPiece::Thinking | ChatPiece::ToolCall(_) => {}
            ChatPiece::End { finish, .. } => return (text, finish),
        }
    }
    panic!("no end")
}

fn words(job: &Job) -> Vec<String> {
    job.args.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn pocketsphinx_gets_a_file_that_is_gone_afterwards() {
    let (programs, offline) = offline(vec![("pocketsphinx_continuous", ok("what is the weather\n"))], alone());
    let transcript = offline.transcribe(&recording()).await.unwrap();
    assert_eq!(transcript.text, "what is the weather");
    assert_eq!(transcript.usage.model.as_deref(), Some("pocketsphinx"));
    let job = programs.calls.lock().unwrap()[0].clone();
    let words = words(&job);
    assert_eq!((words[0].as_str(), words[2].as_str()), ("-infile", "-logfn"));
    assert!(words[1].ends_with(".wav") && !Path::new(&words[1]).exists());
}

#[tokio::test]
async fn whisper_is_used_where_it_has_a_model() {
    let known = || vec![("pocketsphinx", ok("{\"t\":\"a\"}")), ("whisper-cli", ok("\n Hello there.\n"))];
    let (_, without) = offline(known(), alone());
    assert_eq!(without.transcribe(&recording()).await.unwrap().text, "a");
    let (programs, with) = offline(known(), Surroundings { whisper_model: Some("/m/ggml.bin".into()), ..alone() });
    assert_eq!(with.transcribe(&recording()).await.unwrap().text, "Hello there.");
    let words = words(&programs.calls.lock().unwrap()[0]);
    assert!(
        words.windows(2).any(|pair| pair == ["--language", "en"])
            && words.windows(2).any(|pair| pair == ["--model", "/m/ggml.bin"])
    );
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let (_, offline) = offline(vec![], alone());
    let stt = offline.transcribe(&recording()).await.unwrap_err();
    assert!(stt.class == Class::Unsupported && stt.message.contains("pocketsphinx"));
    let mut look = question("what?");
    look.messages.push(Message::new(Role::User, "").showing(Some(Bytes::from_static(b"\x89PNG"))));
    assert!(offline.chat(&look).await.err().unwrap().message.contains("tesseract"));
    let say = TtsRequest { model: "built-in".into(), text: "hi".into(), ..TtsRequest::default() };
    assert!(offline.speak(&say).await.err().unwrap().message.contains("espeak-ng"));
    let models = offline.models().await.unwrap();
    assert_eq!(models[0].services, [Service::Llm]);
}

#[tokio::test]
async fn a_failing_program_is_told_with_its_last_line() {
    let failed = JobOutput { success: false, stdout: Bytes::new(), stderr: "loading\nERROR: no model\n".into() };
    let (_, offline) = offline(vec![("pocketsphinx_continuous", failed)], alone());
    let failure = offline.transcribe(&recording()).await.unwrap_err();
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (Class::Unreachable, "pocketsphinx_continuous failed: ERROR: no model")
    );
}

#[tokio::test]
async fn the_sound_check_is_honest() {
    let (_, offline) = offline(vec![], alone());
    let (text, finish) = said(&offline, &question("what is the weather like today")).await;
    assert_eq!(
        text,
        "I heard: \"what is the weather like today\". A key for Groq or Gemini, or a local model, gives real answers."
    );
    assert_eq!(finish, Finish::Stop);
}

#[tokio::test]
async fn the_screen_is_read_aloud() {
    let (programs, offline) = offline(vec![("tesseract", ok("Save changes?\n\x0c"))], alone());
    let mut look = question("what is this?");
    look.messages.push(Message::new(Role::User, "").showing(Some(Bytes::from_static(b"\x89PNG"))));
    assert_eq!(said(&offline, &look).await.0, "The screen says: Save changes?");
    let job = programs.calls.lock().unwrap()[0].clone();
    assert_eq!(
        (words(&job), job.stdin.as_ref()),
        (vec!["stdin".to_owned(), "stdout".to_owned()], b"\x89PNG".as_slice())
    );
}

#[tokio::test]
async fn espeak_is_decoded_whatever_its_header_says() {
    let (programs, offline) =
        offline(vec![("espeak-ng", ok(recorded::bytes("speech_streamed_header_24k.wav")))], alone());
    let say = TtsRequest { model: "built-in".into(), text: "-v hello".into(), ..TtsRequest::default() };
    let pieces: Vec<SpeechPiece> = offline.speak(&say).await.unwrap().try_collect().await.unwrap();
    assert!(matches!(&pieces[..], [SpeechPiece::Pcm(pcm)] if pcm.samples.len() == 2400));
    let job = programs.calls.lock().unwrap()[0].clone();
    assert_eq!(job.stdin.as_ref(), b"-v hello", "the text is never an argument");
    assert!(words(&job).windows(2).any(|pair| pair == ["-v", "en-us"]));
    let (_, silent) = self::offline(vec![("espeak-ng", ok(recorded::bytes("speech_header_only.wav")))], alone());
    assert_eq!(silent.speak(&say).await.err().unwrap().class, Class::Empty);
}

#[tokio::test]
async fn a_local_model_answers_where_one_runs() {
    let server = scripted::start(vec![
        scripted::knock(),
        scripted::json(&recorded::text("ollama_models.json")),
        scripted::events(&recorded::bytes("ollama_chat_stream.sse")),
    ])
    .await;
    let host = server.base.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (_, offline) = offline(vec![], Surroundings { ollama_host: Some(host), ..Surroundings::default() });
    assert_eq!(said(&offline, &question("hi")).await, ("Hi".into(), Finish::Stop));
    let requests = server.requests();
    assert!(
        requests[1].starts_with("POST /v1/chat/completions") && requests[1].contains("qwen3-vl:8b"),
        "{requests:?}"
    );
}
