//! The `offline` provider with fake programs, and a host with models.

use std::path::Path;
use std::sync::Mutex;

use futures::TryStreamExt;

use super::*;
use crate::local_models::LocalModel;
use crate::programs::ProgramError;
use crate::types::{ChatEvent, FinishReason, Message, Role, SpeechEvent};
use crate::wire::{recorded, scripted};

/// Programs with fixed output that record how they are run.
#[derive(Default)]
pub(super) struct FakePrograms {
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

pub(super) fn offline(known: Vec<(&'static str, JobOutput)>, config: OfflineConfig) -> (Arc<FakePrograms>, Offline) {
    let programs = Arc::new(FakePrograms { known, ..FakePrograms::default() });
    let http = crate::http::HttpPools::new(crate::http::HttpTimeouts::default()).unwrap();
    let local = Arc::new(crate::local_models::NoLocalModels);
    (
        programs.clone(),
        Offline {
            http,
            programs,
            local,
            catalog: Catalog::embedded(),
            config,
            last_used: parking_lot::Mutex::default(),
        },
    )
}

pub(super) fn without_model() -> OfflineConfig {
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
            ChatEvent::Thinking | ChatEvent::Logprobs(_) | ChatEvent::ToolCall(_) => {}
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
    assert!(stt.kind == FailureKind::Unsupported && stt.message.contains("under Models"));
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
        "I heard: \"what is the weather like today\". A local model, or a key for Groq or Gemini, gives real answers."
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
        scripted::json(&recorded::text("ollama_show_capabilities.json")),
        scripted::events(&recorded::bytes("ollama_chat_stream.sse")),
    ])
    .await;
    let host = server.base.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (_, offline) = offline(vec![], OfflineConfig { ollama_host: Some(host), ..OfflineConfig::default() });
    assert_eq!(answer_to(&offline, &question("hi")).await, ("Hi".into(), FinishReason::Stop));
    let requests = server.requests();
    assert!(
        requests[2].starts_with("POST /v1/chat/completions") && requests[2].contains("qwen3-vl:8b"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_vision_model_of_a_running_server_sees_images() {
    let server = scripted::start(vec![
        scripted::no_request(),
        scripted::json(&recorded::text("ollama_models.json")),
        scripted::json(&recorded::text("ollama_show_capabilities.json")),
        scripted::events(&recorded::bytes("ollama_chat_stream.sse")),
    ])
    .await;
    let host = server.base.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let config = OfflineConfig { ollama_host: Some(host), ..OfflineConfig::default() };
    let (_, offline) = offline(vec![("tesseract", ok("Save changes?"))], config);
    let mut look = question("what is this?");
    look.messages[0] = look.messages[0].clone().with_image(Some(Bytes::from_static(b"\x89PNG")));
    assert_eq!(answer_to(&offline, &look).await.0, "Hi");
}

#[tokio::test]
async fn what_is_not_english_is_refused_rather_than_misheard() {
    let (programs, offline) = offline(vec![("pocketsphinx_continuous", ok("the i don't poison"))], without_model());
    let german = TranscriptionRequest { language: Some("de-DE".into()), ..recording() };
    let failure = offline.transcribe(&german).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(failure.message.contains("English alone") && failure.message.contains("`de`"), "{failure}");
    assert!(programs.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn espeak_and_tesseract_get_the_language() {
    let speech = ok(recorded::bytes("speech_streamed_header_24k.wav"));
    let (programs, offline) = offline(vec![("espeak-ng", speech), ("tesseract", ok("deu\neng\n"))], without_model());
    let say = SpeechRequest::new("built-in", "Guten Tag.").with_voice("en-us");
    let options = crate::types::SpeechOptions::default().with_language("de-AT");
    let _: Vec<SpeechEvent> = offline.speak(&say.with_options(options)).await.unwrap().try_collect().await.unwrap();
    assert!(arguments(&programs.calls.lock().unwrap()[0]).ends_with(&["-v".to_owned(), "de".to_owned()]));
    for (language, expected) in [("de", &["-l", "deu+eng"][..]), ("fr", &[])] {
        let mut look = ChatRequest { language: Some(language.into()), ..question("was ist das?") };
        look.messages[0] = look.messages[0].clone().with_image(Some(Bytes::from_static(b"\x89PNG")));
        answer_to(&offline, &look).await;
        let job = programs.calls.lock().unwrap().last().unwrap().clone();
        assert_eq!(arguments(&job)[2..], *expected, "{language}");
    }
}

/// A host with models that say their name, or fail.
#[derive(Default)]
struct Host {
    models: Vec<LocalModel>,
    fails: Option<FailureKind>,
    preloaded: Arc<Mutex<Vec<String>>>,
}

impl Host {
    fn with(mut self, id: &str, service: Service, languages: &[&str]) -> Self {
        let languages = languages.iter().map(|code| (*code).to_owned()).collect();
        self.models.push(LocalModel { id: id.into(), label: id.into(), services: vec![service], languages });
        self
    }

    fn says<T>(&self, done: T) -> Result<T, Failure> {
        self.fails.map_or(Ok(done), |kind| Err(Failure::new(kind, "It does not fit.")))
    }

    fn offline(self, known: Vec<(&'static str, JobOutput)>) -> Offline {
        Offline { local: Arc::new(self), ..offline(known, without_model()).1 }
    }
}

#[async_trait]
impl LocalModels for Host {
    fn installed(&self) -> Vec<LocalModel> {
        self.models.clone()
    }

    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        self.says(Transcript { text: request.model.clone(), ..Transcript::default() })
    }

    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        self.says(answer::stream(&request.model, &request.model))
    }

    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let pcm = aura_audio::Pcm { rate: 16_000, samples: vec![0.5; request.model.len()] };
        self.says(futures::stream::iter([Ok(SpeechEvent::Pcm(pcm))]).boxed())
    }

    fn preload(&self, ids: &[String]) {
        *self.preloaded.lock().unwrap() = ids.to_vec();
    }
}

#[tokio::test]
async fn an_installed_model_is_used_before_any_program() {
    let host = Host::default()
        .with("small-en", Service::Stt, &["en"])
        .with("many", Service::Stt, &["en", "de"])
        .with("mind", Service::Llm, &[])
        .with("voice", Service::Tts, &["en"]);
    let preloaded = host.preloaded.clone();
    let offline = host.offline(vec![
        ("pocketsphinx_continuous", ok("a program")),
        ("espeak-ng", ok(recorded::bytes("speech_streamed_header_24k.wav"))),
    ]);
    for (model, language, expected) in [
        ("built-in", Some("en-US"), "small-en"),
        ("built-in", Some("de"), "many"),
        // The one that can detect it.
        ("built-in", None, "many"),
        ("small-en", None, "small-en"),
    ] {
        let request =
            TranscriptionRequest { model: model.into(), language: language.map(str::to_owned), ..recording() };
        assert_eq!(offline.transcribe(&request).await.unwrap().text, expected, "{model} {language:?}");
    }
    offline.preconnect_for(&Service::ALL).await;
    assert_eq!(*preloaded.lock().unwrap(), ["small-en", "mind", "voice"], "what was used last, or would be chosen");
    let french = TranscriptionRequest { language: Some("fr".into()), ..recording() };
    assert!(offline.transcribe(&french).await.unwrap_err().message.contains("English alone"));
    assert_eq!(answer_to(&offline, &question("hi")).await.0, "mind");
    let json = question("hi").with_format(crate::types::ResponseFormat::Json);
    assert_eq!(answer_to(&offline, &ChatRequest { continues: true, ..json }).await.0, "mind");

    let samples = async |language: &str| {
        let options = crate::types::SpeechOptions::default().with_language(language);
        let say = SpeechRequest::new("built-in", "Hello.").with_options(options);
        crate::types::collect_speech(offline.speak(&say).await.unwrap()).await.unwrap().samples.len()
    };
    assert_eq!((samples("en").await, samples("de").await), ("voice".len(), 2400), "espeak-ng speaks German");

    let models = offline.models().await.unwrap();
    assert!(models.iter().any(|model| model.id == "many" && model.services == [Service::Stt]));
}

#[tokio::test]
async fn a_program_takes_over_only_where_a_model_does_not_fit() {
    let known = || vec![("pocketsphinx_continuous", ok("a program"))];
    let host = |fails| Host { fails: Some(fails), ..Host::default() }.with("ear", Service::Stt, &[]);
    let unsupported = host(FailureKind::Unsupported);
    assert_eq!(unsupported.offline(known()).transcribe(&recording()).await.unwrap().text, "a program");
    let alone = host(FailureKind::Unsupported).offline(vec![]).transcribe(&recording()).await.unwrap_err();
    assert_eq!(alone.message, "It does not fit.");
    // After a crash the router calls again, and the model is started anew.
    let crashed = host(FailureKind::Overloaded).offline(known()).transcribe(&recording()).await.unwrap_err();
    assert_eq!(crashed.kind, FailureKind::Overloaded);
    let mind = Host { fails: Some(FailureKind::Unsupported), ..Host::default() }.with("mind", Service::Llm, &[]);
    assert_eq!(mind.offline(vec![]).chat(&question("hi")).await.err().unwrap().message, "It does not fit.");
}

#[tokio::test]
async fn without_a_model_or_a_server_nothing_calls_tools_and_only_tesseract_sees() {
    let (_, offline) = offline(vec![], without_model());
    assert!(!offline.calls_tools("").await && !offline.calls_tools("qwen3").await && !offline.sees("").await);
    let (_, offline) = self::offline(vec![("tesseract", ok("Save"))], without_model());
    assert!(offline.sees("").await);
}
