//! One call to one service, made because the person asked whether it works.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::{Test, TestResult, Wishes};
use crate::assistant::Assistant;
use crate::audio::{Pcm, Resampler, SPEECH_RATE, speech_wav, to_i16};
use crate::error::{Code, Error, Result};
use crate::providers::{ChatRequest, Message, Role, Service, SttRequest};
use crate::record::{Attempt, Notice};
use crate::router::{Observer, Plan};

/// What is asked, and what is spoken for a test of listening.
const QUESTION: &str = "Say in one short sentence that you are ready.";
const SENTENCE: &str = "It is going to be a good year.";
const LOOK: &str = "Say in one short sentence what this picture shows.";
/// A picture with a word on it.
const PICTURE: &[u8] = include_bytes!("test.jpg");
/// The longest answer, tokens: reasoning models spend most of it before they say a word.
const LONGEST: u32 = 512;
/// The largest input, bytes.
const MOST: usize = 25_000_000;

/// Keeps what happened.
#[derive(Default)]
struct Notes {
    attempts: Mutex<Vec<Attempt>>,
    notices: Mutex<Vec<Notice>>,
}

impl Observer for Notes {
    fn attempt(&self, attempt: &Attempt) {
        crate::turn::lock(&self.attempts).push(attempt.clone());
    }

    fn notice(&self, notice: Notice) {
        crate::turn::lock(&self.notices).push(notice);
    }
}

/// Runs it. The route that is named is the only one that is tried.
pub(super) async fn run(assistant: &Assistant, mut request: Test) -> Result<TestResult> {
    let plan = plan(assistant, &request)?;
    let file = match request.service {
        Service::Stt | Service::Vlm => decoded(request.input.take()).await?,
        Service::Llm | Service::Tts => None,
    };
    let notes = Notes::default();
    let began = tokio::time::Instant::now();
    let (result, route, audio) = match request.service {
        Service::Stt => {
            let wav = match file {
                Some(file) => as_speech(assistant, file).await?,
                None => spoken_sentence(assistant).await?,
            };
            let answered = assistant.router().transcribe(&plan, &wav, true, &notes).await?;
            (answered.value.text, answered.route, None)
        }
        Service::Llm | Service::Vlm => {
            let look = request.service == Service::Vlm;
            let image = look.then(|| file.unwrap_or(Bytes::from_static(PICTURE)));
            let text = request.input.unwrap_or_else(|| if look { LOOK } else { QUESTION }.to_owned());
            let question = ChatRequest {
                messages: vec![Message::new(Role::User, text).showing(image)],
                max_tokens: Some(LONGEST),
                ..ChatRequest::default()
            };
            let answered = assistant.router().chat(&plan, &question, &notes, &mut |_| {}).await?;
            (answered.value.text, answered.route, None)
        }
        Service::Tts => {
            let text = request.input.clone().unwrap_or_else(|| SENTENCE.to_owned());
            let mut sound = Vec::new();
            let route = assistant.say(&plan, &text, &notes, &mut |pcm: Pcm| sound.push(pcm)).await?;
            let wav = to_wav(&sound)?;
            if request.aloud {
                hear(assistant, &sound).await?;
            }
            let seconds: f32 = sound.iter().map(|pcm| pcm.duration().as_secs_f32()).sum();
            (format!("{seconds:.1} seconds of speech"), route, Some(BASE64.encode(wav)))
        }
    };
    let latency_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    let attempts = notes.attempts.into_inner().unwrap_or_default();
    let last = attempts.last();
    Ok(TestResult {
        service: request.service,
        route,
        result,
        latency_ms: last.map_or(latency_ms, |attempt| attempt.ms),
        first_ms: last.and_then(|attempt| attempt.first_ms),
        audio,
        cost: last.map(|attempt| attempt.cost).unwrap_or_default(),
        notices: notes.notices.into_inner().unwrap_or_default(),
    })
}

fn plan(assistant: &Assistant, request: &Test) -> Result<Plan> {
    let service = request.service;
    let provider = match &request.provider {
        Some(provider) => provider.clone(),
        None => assistant.router().plan(service, &Wishes::default())?.candidates[0].route.provider.clone(),
    };
    let route = match &request.model {
        Some(model) => format!("{provider}/{model}"),
        None => provider,
    };
    let mut wishes = Wishes { voice: request.voice.clone(), ..Wishes::default() };
    match service {
        Service::Stt => wishes.stt = Some(route),
        Service::Llm => wishes.llm = Some(route),
        Service::Vlm => wishes.vlm = Some(route),
        Service::Tts => wishes.tts = Some(route),
    }
    assistant.router().plan(service, &wishes)
}

/// The file that a test is made with, if one came.
async fn decoded(input: Option<String>) -> Result<Option<Bytes>> {
    let Some(input) = input else { return Ok(None) };
    // It may be many megabytes.
    let decode = move || BASE64.decode(input.trim());
    let bytes = tokio::task::spawn_blocking(decode).await.map_err(Error::internal)?;
    let bytes = bytes.map_err(|_| Error::invalid("The test's input is not base64."))?;
    if bytes.is_empty() || bytes.len() > MOST {
        return Err(Error::invalid("The test's input is empty or larger than 25 MB."));
    }
    Ok(Some(bytes.into()))
}

async fn as_speech(assistant: &Assistant, file: Bytes) -> Result<SttRequest> {
    let samples = crate::turn::unpacked(assistant.ports().speaker.clone(), file).await?;
    Ok(recording(&samples, assistant))
}

/// A sentence that the speech on this computer says, so that a test of listening needs no microphone.
async fn spoken_sentence(assistant: &Assistant) -> Result<SttRequest> {
    let wishes = Wishes { tts: Some("offline".into()), ..Wishes::default() };
    let plan = assistant.router().plan(Service::Tts, &wishes)?;
    let mut sound = Vec::new();
    let speaker = assistant.ports().speaker.clone();
    let spoken =
        assistant.router().speak(&plan, SENTENCE, &speaker, &Notes::default(), &mut |pcm| sound.push(pcm)).await;
    spoken.map_err(|error| {
        Error::new(
            Code::NoRoute,
            "Nothing on this computer can speak a test sentence. Install espeak-ng, or give a recording to test with.",
        )
        .because(error)
    })?;
    Ok(recording(&at_rate(&sound, SPEECH_RATE), assistant))
}

fn recording(samples: &[i16], assistant: &Assistant) -> SttRequest {
    let duration = Duration::from_secs_f64(samples.len() as f64 / f64::from(SPEECH_RATE));
    let language = assistant.snapshot().settings.listening.language;
    SttRequest { wav: speech_wav(samples), duration, language, ..SttRequest::default() }
}

fn at_rate(sound: &[Pcm], rate: u32) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut resampler: Option<(u32, Resampler)> = None;
    for pcm in sound {
        if resampler.as_ref().is_none_or(|(from, _)| *from != pcm.rate) {
            if let Some((_, mut done)) = resampler.take() {
                samples.extend(done.finish());
            }
            resampler = Some((pcm.rate, Resampler::new(pcm.rate, rate)));
        }
        if let Some((_, resampler)) = &mut resampler {
            samples.extend(resampler.push(&pcm.samples));
        }
    }
    if let Some((_, mut done)) = resampler {
        samples.extend(done.finish());
    }
    samples.into_iter().map(to_i16).collect()
}

fn to_wav(sound: &[Pcm]) -> Result<Vec<u8>> {
    let rate = sound.first().map_or(SPEECH_RATE, |pcm| pcm.rate);
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut wav = hound::WavWriter::new(&mut file, spec).map_err(Error::internal)?;
    for sample in at_rate(sound, rate) {
        wav.write_sample(sample).map_err(Error::internal)?;
    }
    wav.finalize().map_err(Error::internal)?;
    Ok(file.into_inner())
}

async fn hear(assistant: &Assistant, sound: &[Pcm]) -> Result<()> {
    let device = assistant.snapshot().settings.speaking.speaker;
    let output = assistant.ports().speaker.open(device.as_deref()).await?;
    output.begin();
    let samples: Vec<f32> =
        at_rate(sound, output.rate()).into_iter().map(|sample| f32::from(sample) / 32_768.0).collect();
    output.write(&samples).await?;
    output.drained().await
}
