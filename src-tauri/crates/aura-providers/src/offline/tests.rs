//! The `offline` provider with fake programs.

use std::path::Path;
use std::sync::Mutex;

use futures::TryStreamExt;

use super::*;
use crate::programs::ProgramError;
use crate::types::{ChatEvent, FinishReason, Message, Role, SpeechEvent};
use crate::wire::{recorded, scripted};

/// Programs with fixed output that record how they are run.
#[derive(Default)]
struct FakePrograms {
    known: Vec<(&'static str, JobOutput)>,
    calls: Mutex<Vec<Job>>,
}

#[async_trait]
impl Programs for FakePrograms {
    fn find(&self, name: &str) -> Option<PathBuf> {
        self.known.iter().any(|(known, _)| *known == name).then(|| PathBuf::from("/programs").join(name))
    }

    async fn run(&self, job: Job) -> Result<JobOutput, ProgramError> {
        let name = job.program.file_name().unwrap().to_string_lossy().into_owned();
        self.calls.lock().unwrap().push(job);
        self.known.iter().find(|(known, _)| *known == name).map(|(_, output)| output.clone()).ok_or(ProgramError(name))
    }
}

fn ok(stdout: impl Into<Bytes>) -> JobOutput {
    JobOutput { success: true, stdout: stdout.into(), stderr: String::new() }
}

fn offline(known: Vec<(&'static str, JobOutput)>, config: OfflineConfig) -> (Arc<FakePrograms>, Offline) {
    let programs = Arc::new(FakePrograms { known, ..FakePrograms::default() });
    let http = crate::http::HttpPools::new(crate::http::HttpTimeouts::default()).unwrap();
    (programs.clone(), Offline { http, programs, catalog: Catalog::embedded(), config })
}

fn without_model() -> OfflineConfig {
    OfflineConfig { no_model: true, ..OfflineConfig::default() }
}

fn recording() -> TranscriptionRequest {
    TranscriptionRequest {
        model: "built-in".into(),
        wav: Bytes::from(vec![0; 4000]),
        duration: Duration::from_secs(1),
        language: Some("en-US".into()),
        ..TranscriptionRequest::default()
    }
}

fn question(text: &str) -> ChatRequest {
    let messages = vec![Message::new(Role::User, text)];
    ChatRequest { model: "built-in".into(), messages, max_tokens: Some(100), ..ChatRequest::default() }
}

async fn answer_to(offline: &Offline, request: &ChatRequest) -> (String, FinishReason) {
    let events: Vec<ChatEvent> = offline.chat(request).await.unwrap().try_collect().await.unwrap();
    let mut text = String::new();
    for event in events {
        match event {
            ChatEvent::Text(part) => text.push_str(&part),
            ChatEvent::Thinking | ChatEvent::ToolCall(_) => {}
            ChatEvent::End { finish, .. } => return (text, finish),
        }
    }
    panic!("no end")
}

fn arguments(job: &Job) -> Vec<String> {
    job.args.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn pocketsphinx_reads_a_file_that_is_deleted_afterwards() {
    let (programs, offline) = offline(vec![("pocketsphinx_continuous", ok("what is the weather\n"))], without_model());
    let transcript = offline.transcribe(&recording()).await.unwrap();
    assert_eq!(transcript.text, "what is the weather");
    assert_eq!(transcript.usage.model.as_deref(), Some("pocketsphinx"));
    let job = programs.calls.lock().unwrap()[0].clone();
    let words = arguments(&job);
    assert_eq!((words[0].as_str(), words[2].as_str()), ("-infile", "-logfn"));
    assert!(words[1].ends_with(".wav") && !Path::new(&words[1]).exists());
}

#[tokio::test]
async fn whisper_is_used_if_its_model_is_configured() {
    let known = || vec![("pocketsphinx", ok("{\"t\":\"a\"}")), ("whisper-cli", ok("\n Hello there.\n"))];
    let (_, without) = offline(known(), without_model());
    assert_eq!(without.transcribe(&recording()).await.unwrap().text, "a");
    let (programs, with) =
        offline(known(), OfflineConfig { whisper_model: Some("/m/ggml.bin".into()), ..without_model() });
    assert_eq!(with.transcribe(&recording()).await.unwrap().text, "Hello there.");
    let words = arguments(&programs.calls.lock().unwrap()[0]);
    assert!(
        words.windows(2).any(|pair| pair == ["--language", "en"])
            && words.windows(2).any(|pair| pair == ["--model", "/m/ggml.bin"])
    );
}

#[tokio::test]
async fn a_failure_names_the_missing_program() {
    let (_, offline) = offline(vec![], without_model());
    let stt = offline.transcribe(&recording()).await.unwrap_err();
    assert!(stt.kind == FailureKind::Unsupported && stt.message.contains("pocketsphinx"));
    let mut look = question("what?");
    look.messages.push(Message::new(Role::User, "").with_image(Some(Bytes::from_static(b"\x89PNG"))));
    assert!(offline.chat(&look).await.err().unwrap().message.contains("tesseract"));
    let say = SpeechRequest { model: "built-in".into(), text: "hi".into(), ..SpeechRequest::default() };
    assert!(offline.speak(&say).await.err().unwrap().message.contains("espeak-ng"));
    let models = offline.models().await.unwrap();
    assert_eq!(models[0].services, [Service::Llm]);
}

#[tokio::test]
async fn a_failure_contains_the_last_line_of_standard_error() {
    let failed = JobOutput { success: false, stdout: Bytes::new(), stderr: "loading\nERROR: no model\n".into() };
    let (_, offline) = offline(vec![("pocketsphinx_continuous", failed)], without_model());
    let failure = offline.transcribe(&recording()).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Unreachable, "pocketsphinx_continuous failed: ERROR: no model")
    );
}

#[tokio::test]
async fn the_built_in_answer_repeats_the_question() {
    let (_, offline) = offline(vec![], without_model());
    let (text, finish) = answer_to(&offline, &question("what is the weather like today")).await;
    assert_eq!(
        text,
        "I heard: \"what is the weather like today\". A key for Groq or Gemini, or a local model, gives real answers."
    );
    assert_eq!(finish, FinishReason::Stop);
}

#[tokio::test]
async fn the_text_in_an_image_is_the_answer() {
    let (programs, offline) = offline(vec![("tesseract", ok("Save changes?\n\x0c"))], without_model());
    let mut look = question("what is this?");
    look.messages.push(Message::new(Role::User, "").with_image(Some(Bytes::from_static(b"\x89PNG"))));
    assert_eq!(answer_to(&offline, &look).await.0, "The screen says: Save changes?");
    let job = programs.calls.lock().unwrap()[0].clone();
    assert_eq!(
        (arguments(&job), job.stdin.as_ref()),
        (vec!["stdin".to_owned(), "stdout".to_owned()], b"\x89PNG".as_slice())
    );
}

#[tokio::test]
async fn speech_of_espeak_is_decoded_despite_wrong_sizes_in_its_header() {
    let (programs, offline) =
        offline(vec![("espeak-ng", ok(recorded::bytes("speech_streamed_header_24k.wav")))], without_model());
    let say = SpeechRequest { model: "built-in".into(), text: "-v hello".into(), ..SpeechRequest::default() };
    let events: Vec<SpeechEvent> = offline.speak(&say).await.unwrap().try_collect().await.unwrap();
    assert!(matches!(&events[..], [SpeechEvent::Pcm(pcm)] if pcm.samples.len() == 2400));
    let job = programs.calls.lock().unwrap()[0].clone();
    assert_eq!(job.stdin.as_ref(), b"-v hello", "the text must not be an argument");
    assert!(arguments(&job).windows(2).any(|pair| pair == ["-v", "en-us"]));
    let (_, silent) =
        self::offline(vec![("espeak-ng", ok(recorded::bytes("speech_header_only.wav")))], without_model());
    assert_eq!(silent.speak(&say).await.err().unwrap().kind, FailureKind::Empty);
}

#[tokio::test]
async fn a_running_local_model_server_answers() {
    let server = scripted::start(vec![
        scripted::no_request(),
        scripted::json(&recorded::text("ollama_models.json")),
        scripted::events(&recorded::bytes("ollama_chat_stream.sse")),
    ])
    .await;
    let host = server.base.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (_, offline) = offline(vec![], OfflineConfig { ollama_host: Some(host), ..OfflineConfig::default() });
    assert_eq!(answer_to(&offline, &question("hi")).await, ("Hi".into(), FinishReason::Stop));
    let requests = server.requests();
    assert!(
        requests[1].starts_with("POST /v1/chat/completions") && requests[1].contains("qwen3-vl:8b"),
        "{requests:?}"
    );
}
