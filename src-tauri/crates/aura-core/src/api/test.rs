//! The `test` operation: one call to one service, made when the user asks whether it works.

use std::time::Duration;

use aura_audio::{Pcm, RateConverter, SPEECH_RATE, speech_wav, to_i16};
use aura_providers::{ChatRequest, EmbeddingRequest, MAX_UPLOAD_BYTES, Message, Role, Service, TranscriptionRequest};
use aura_router::{Attempt, Observer, RouteNotice, RouteOverrides, RoutePlan, sink_fn};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Test, TestResult};
use crate::assistant::Assistant;
use crate::error::{Error, ErrorCode, Result};
use crate::record::Notice;

/// The question of an `llm` test.
const QUESTION: &str = "Say in one short sentence that you are ready.";
/// The text of a `tts` test, and the speech of an `stt` test.
const SENTENCE: &str = "It is going to be a good year.";
/// The question of a `vlm` test.
const PICTURE_QUESTION: &str = "Say in one short sentence what this picture shows.";
/// The picture of a `vlm` test: one word, as a JPEG file.
const PICTURE: &[u8] = include_bytes!("test.jpg");
/// The longest answer in tokens. Reasoning models spend most of it before the first word.
const MAX_ANSWER_TOKENS: u32 = 512;

/// Collects the attempts and notices of the call.
#[derive(Default)]
struct CallLog {
    attempts: Mutex<Vec<Attempt>>,
    notices: Mutex<Vec<Notice>>,
}

impl Observer for CallLog {
    fn attempt(&self, attempt: &Attempt) {
        self.attempts.lock().push(attempt.clone());
    }

    fn notice(&self, notice: RouteNotice) {
        self.notices.lock().push(notice.into());
    }
}

/// Runs a test. Only the route of the request is tried: there is no fallback.
pub(super) async fn run(assistant: &Assistant, mut request: Test) -> Result<TestResult> {
    let plan = plan(assistant, &request)?;
    let file = match request.service {
        Service::Stt | Service::Vlm => decode_input(request.input.take()).await?,
        Service::Llm | Service::Tts | Service::Embedding => None,
    };
    let log = CallLog::default();
    let began = tokio::time::Instant::now();
    let mut speech_ms = None;
    let (result, route, audio) = match request.service {
        Service::Stt => {
            let wav = match file {
                Some(file) => decode_request(assistant, file).await?,
                None => synthesize_request(assistant).await?,
            };
            let answered = assistant.router().transcribe(&plan, &wav, true, &log).await?;
            (answered.value.text, answered.route, None)
        }
        Service::Llm | Service::Vlm => {
            let has_picture = request.service == Service::Vlm;
            let image = has_picture.then(|| file.unwrap_or(Bytes::from_static(PICTURE)));
            let text =
                request.input.unwrap_or_else(|| if has_picture { PICTURE_QUESTION } else { QUESTION }.to_owned());
            let question = ChatRequest {
                messages: vec![Message::new(Role::User, text).with_image(image)],
                max_tokens: Some(MAX_ANSWER_TOKENS),
                ..ChatRequest::default()
            };
            let answered = assistant.router().chat(&plan, &question, &log, &mut sink_fn(|_: String| {})).await?;
            (answered.value.text, answered.route, None)
        }
        Service::Embedding => {
            let text = request.input.take().unwrap_or_else(|| SENTENCE.to_owned());
            let question = EmbeddingRequest::new("", [text]);
            let embedded = assistant.router().embed(&plan, &question, &log).await?;
            let length = embedded.value.vectors.first().map_or(0, Vec::len);
            (format!("a vector of {length} numbers"), embedded.route, None)
        }
        Service::Tts => {
            let text = request.input.clone().unwrap_or_else(|| SENTENCE.to_owned());
            let mut sound: Vec<Pcm> = Vec::new();
            let route = assistant.speak(&plan, &text, &log, &mut sound).await?;
            let wav = to_wav(&sound);
            if request.aloud {
                play(assistant, &sound).await?;
            }
            let seconds: f32 = sound.iter().map(|pcm| pcm.duration().as_secs_f32()).sum();
            speech_ms = Some((seconds * 1_000.0) as u32);
            (format!("{seconds:.1} seconds of speech"), route, Some(BASE64.encode(wav)))
        }
    };
    let latency_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    let attempts = log.attempts.into_inner();
    let last = attempts.last();
    Ok(TestResult {
        service: request.service,
        route,
        result,
        speech_ms,
        latency_ms: last.map_or(latency_ms, |attempt| attempt.ms),
        first_ms: last.and_then(|attempt| attempt.first_ms),
        audio,
        cost: last.map(|attempt| attempt.cost).unwrap_or_default(),
        notices: log.notices.into_inner(),
    })
}

fn plan(assistant: &Assistant, request: &Test) -> Result<RoutePlan> {
    let service = request.service;
    let provider = match &request.provider {
        Some(provider) => provider.clone(),
        None => assistant.router().plan(service, &RouteOverrides::default())?.first().route.provider.clone(),
    };
    let route = match &request.model {
        Some(model) => format!("{provider}/{model}"),
        None => provider,
    };
    let mut overrides = RouteOverrides { voice: request.voice.clone(), ..RouteOverrides::default() };
    overrides.set(service, route);
    Ok(assistant.router().plan(service, &overrides)?)
}

/// Decodes the input file of a request, if there is one.
async fn decode_input(input: Option<String>) -> Result<Option<Bytes>> {
    let Some(input) = input else { return Ok(None) };
    // Off the runtime: the input may be many megabytes.
    let decode = move || BASE64.decode(input.trim());
    let bytes = tokio::task::spawn_blocking(decode).await.map_err(Error::internal)?;
    let bytes = bytes.map_err(|_| Error::invalid("The test's input is not base64."))?;
    if bytes.is_empty() || bytes.len() > MAX_UPLOAD_BYTES {
        return Err(Error::invalid("The test's input is empty or larger than 25 MB."));
    }
    Ok(Some(bytes.into()))
}

async fn decode_request(assistant: &Assistant, file: Bytes) -> Result<TranscriptionRequest> {
    let samples = crate::turn::decode_to_speech_rate(file).await?;
    Ok(to_request(&samples, assistant))
}

/// Synthesizes a sentence on this computer, so that an `stt` test needs no microphone.
async fn synthesize_request(assistant: &Assistant) -> Result<TranscriptionRequest> {
    let overrides = RouteOverrides { tts: Some("offline".into()), ..RouteOverrides::default() };
    let plan = assistant.router().plan(Service::Tts, &overrides)?;
    let mut sound: Vec<Pcm> = Vec::new();
    let spoken = assistant.router().speak(&plan, SENTENCE, &CallLog::default(), &mut sound).await;
    spoken.map_err(|error| {
        Error::new(
            ErrorCode::NoRoute,
            "This computer cannot speak a test sentence. Install espeak-ng, or test with a recording.",
        )
        .because(error)
    })?;
    Ok(to_request(&at_rate(&sound, SPEECH_RATE), assistant))
}

fn to_request(samples: &[i16], assistant: &Assistant) -> TranscriptionRequest {
    let duration = Duration::from_secs_f64(samples.len() as f64 / f64::from(SPEECH_RATE));
    let listening = assistant.config().settings.listening.clone();
    TranscriptionRequest {
        wav: speech_wav(samples),
        duration,
        language: listening.language,
        vocabulary: listening.vocabulary,
        ..TranscriptionRequest::default()
    }
}

fn at_rate(sound: &[Pcm], rate: u32) -> Vec<i16> {
    let mut converter = RateConverter::new(rate);
    let mut samples: Vec<f32> = sound.iter().flat_map(|pcm| converter.push(pcm)).collect();
    samples.extend(converter.finish());
    samples.into_iter().map(to_i16).collect()
}

fn to_wav(sound: &[Pcm]) -> Bytes {
    let rate = sound.first().map_or(SPEECH_RATE, |pcm| pcm.rate);
    aura_audio::wav(&at_rate(sound, rate), rate)
}

async fn play(assistant: &Assistant, sound: &[Pcm]) -> Result<()> {
    let device = assistant.config().settings.speaking.speaker.clone();
    let (output, _) = assistant.ports().speaker.open_or_default(device.as_deref()).await?;
    output.begin();
    let samples: Vec<f32> = at_rate(sound, output.rate()).into_iter().map(aura_audio::from_i16).collect();
    output.write(&samples).await?;
    output.drained().await
}
