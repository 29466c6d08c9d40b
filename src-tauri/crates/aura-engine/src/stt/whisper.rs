//! Whisper: an encoder that takes a spectrogram, and a decoder that writes the language, times and text.

use std::ops::Range;
use std::path::Path;

use aura_local::protocol::{Event, FailedKind, Segment};
use ort::session::Session;

use super::bad_file;
use super::chunks::{chunks, seconds};
use super::decoder::{Decoder, EncoderOutput, repetition};
use super::graph::{self, expect, run, sides, take, tensor};
use super::mel::{HOP, Mel};
use super::special_tokens::{SECONDS_PER_TIMESTAMP, SpecialTokens};
use super::vocabulary::Vocabulary;
use super::{Files, RATE};
use crate::model::{Failed, LoadFailed, Model, Recording, Stop, Transcript};
use crate::onnx::Onnx;

/// The frames of the 30 s that the encoder takes.
const FRAMES: usize = 3000;
/// The longest chunk, in seconds: the model needs some silence at the end.
const MAX_SECONDS: usize = 29;
/// Silence after a chunk when the encoder takes less than 30 s, in frames. With less, the model is apt to write a phrase again and again.
const PADDING: usize = 300;
/// The least that such an encoder gets, in frames, for the same reason.
const MIN_FRAMES: usize = 1000;
/// The longest text of a chunk, and the longest prompt, in tokens.
const MAX_TOKENS: usize = 224;
/// A text whose tokens are less likely than this on average (natural logarithm) is doubtful.
const LOGPROB_THRESHOLD: f32 = -1.0;
/// A doubtful text is none if the model takes the chunk for silence with this probability.
const NO_SPEECH_THRESHOLD: f32 = 0.6;

pub(super) struct Whisper {
    encoder: Session,
    decoder: Decoder,
    vocabulary: Vocabulary,
    special: SpecialTokens,
    mel: Mel,
    /// Whether the encoder takes less than 30 s.
    short: bool,
}

/// What is the same for all chunks of a recording.
struct Task {
    /// The language's token and code, once it is known.
    language: Option<(u32, String)>,
    /// The tokens of the prompt.
    prompt: Vec<u32>,
    translate: bool,
}

/// The text of a chunk.
#[derive(Default)]
struct Decoded {
    tokens: Vec<u32>,
    /// The average of the logarithms of the tokens' probabilities.
    avg_logprob: f32,
    no_speech: f32,
    looped: bool,
}

impl Decoded {
    fn doubtful(&self) -> bool {
        self.looped || self.avg_logprob < LOGPROB_THRESHOLD
    }
}

impl Whisper {
    pub(super) fn load(onnx: &Onnx, files: &Files<'_>) -> Result<Self, LoadFailed> {
        let vocabulary = Vocabulary::read(files.get("tokenizer")?)?;
        let encoder = onnx.session(files.get("encoder")?)?;
        expect(&encoder, &["input_features"], &["last_hidden_state"], "Whisper")?;
        let with_past = files.find("decoder_with_past").map(|file: &Path| onnx.session(file)).transpose()?;
        let decoder = Decoder::new(onnx.session(files.get("decoder")?)?, with_past, "Whisper")?;
        let special = SpecialTokens::new(&vocabulary)
            .ok_or_else(|| bad_file("The tokenizer is not that of a Whisper model: it lacks <|startoftranscript|>."))?;
        let bands = sides(encoder.inputs(), "input_features").and_then(|sides| sides.get(1).copied());
        let bands = match bands.unwrap_or(-1) {
            fixed @ (80 | 128) => usize::try_from(fixed).unwrap_or(80),
            // The models with 128 bands came with Cantonese.
            -1 => 80 + 48 * usize::from(vocabulary.special("<|yue|>").is_some()),
            other => return Err(bad_file(format!("The encoder takes {other} mel bands, neither 80 nor 128."))),
        };
        // The graphs of `convert-whisper` take any length; those of others only say so.
        let short = encoder.outputs().iter().any(|output| output.name() == "present.0.encoder.key");
        Ok(Self { encoder, decoder, vocabulary, special, mel: Mel::whisper(bands), short })
    }

    fn encode(&mut self, samples: &[f32], frames: usize, stop: &Stop) -> Result<EncoderOutput, Failed> {
        let features = tensor(&[1, self.mel.bands(), frames], self.mel.for_whisper(samples, frames))?;
        let inputs: graph::Inputs<'_> = vec![("input_features".into(), features.into())];
        let mut outputs = run(&mut self.encoder, inputs, stop)?;
        let states = take(&mut outputs, "last_hidden_state")?;
        let names = outputs.keys().filter(|name| name.starts_with("present.")).map(ToString::to_string);
        let names: Vec<String> = names.collect();
        let keys = names.into_iter().filter_map(|name| {
            let value = outputs.remove(&name)?;
            Some((name.replacen("present.", "past_key_values.", 1), value))
        });
        Ok(EncoderOutput { states, mask: None, keys: keys.collect() })
    }

    /// Writes the text of samples; it detects the language if that is not known yet.
    fn decode(&mut self, samples: &[f32], frames: usize, task: &mut Task, stop: &Stop) -> Result<Decoded, Failed> {
        let encoded = self.encode(samples, frames, stop)?;
        let mut state = self.decoder.start(&encoded);
        let mut begin = Vec::new();
        if let (Some(start), false) = (self.special.prompt_start, task.prompt.is_empty()) {
            begin.push(start);
            begin.extend(&task.prompt);
        }
        begin.push(self.special.begin);
        let scores = self.decoder.step(&mut state, &begin, stop)?;
        let no_speech = self.special.no_speech(&scores);
        if task.language.is_none() {
            task.language = self.special.language(&scores);
        }
        let mut next = Vec::new();
        if let Some((language, _)) = &task.language {
            next.extend([*language, if task.translate { self.special.translate } else { self.special.transcribe }]);
        }
        let mut scores = if next.is_empty() { scores } else { self.decoder.step(&mut state, &next, stop)? };
        let mut decoded = Decoded { no_speech, ..Decoded::default() };
        let mut sum = 0.0;
        while decoded.tokens.len() < MAX_TOKENS {
            let (token, logprob) = self.special.choose(&mut scores, &decoded.tokens);
            sum += logprob;
            if token == self.special.end {
                break;
            }
            decoded.tokens.push(token);
            if let Some(kept) = repetition(&decoded.tokens) {
                decoded.tokens.truncate(kept);
                decoded.looped = true;
                break;
            }
            scores = self.decoder.step(&mut state, &[token], stop)?;
        }
        decoded.avg_logprob = sum / (decoded.tokens.len() + 1) as f32;
        Ok(decoded)
    }

    /// Transcribes a chunk; the result is its segments and the sample up to which it was understood.
    fn chunk(
        &mut self,
        samples: &[f32],
        chunk: Range<usize>,
        task: &mut Task,
        stop: &Stop,
    ) -> Result<(Vec<Segment>, usize), Failed> {
        let speech = &samples[chunk.clone()];
        let frames = if self.short { padded_frames(speech.len()) } else { FRAMES };
        let known = task.language.clone();
        let mut decoded = self.decode(speech, frames, task, stop)?;
        if decoded.doubtful() && frames < FRAMES {
            // The model was trained on 30 s.
            let mut again = Task { language: known, prompt: task.prompt.clone(), translate: task.translate };
            let other = self.decode(speech, FRAMES, &mut again, stop)?;
            // A loop is likely, once it has begun.
            if (!other.looped, other.avg_logprob) > (!decoded.looped, decoded.avg_logprob) {
                (decoded, task.language) = (other, again.language);
            }
        }
        if decoded.no_speech > NO_SPEECH_THRESHOLD && decoded.avg_logprob < LOGPROB_THRESHOLD {
            return Ok((Vec::new(), chunk.end));
        }
        let (spoken, open) = self.special.segments(&decoded.tokens);
        let at = |step: u32| seconds(chunk.start) + f64::from(step) * SECONDS_PER_TIMESTAMP;
        let end = seconds(chunk.end);
        let segments = spoken.iter().filter_map(|(start, stop, tokens)| {
            let text = self.vocabulary.text(tokens);
            let stop = stop.map_or(end, |stop| at(stop).min(end));
            (!text.is_empty()).then(|| Segment { start: at(*start).min(stop), end: stop, text })
        });
        let understood = open.map_or(chunk.end, |step| chunk.start + step as usize * RATE / 50);
        Ok((segments.collect(), understood.min(chunk.end)))
    }
}

/// The frames for so many samples: an even number, because the encoder halves it.
fn padded_frames(samples: usize) -> usize {
    (samples.div_ceil(HOP) + PADDING).clamp(MIN_FRAMES, FRAMES).next_multiple_of(2)
}

impl Model for Whisper {
    fn ready(&self) -> Event {
        let languages = self.special.languages().map(str::to_owned).collect();
        Event::Ready { engine: "Whisper, ONNX Runtime".into(), languages, voices: Vec::new() }
    }

    fn transcribe(&mut self, recording: &Recording, stop: &Stop) -> Result<Transcript, Failed> {
        let asked = recording.language.as_deref();
        let language = asked.map(|code| {
            let unknown =
                || Failed::new(FailedKind::Unsupported, format!("This model does not know the language {code}."));
            self.special.code(code).ok_or_else(unknown)
        });
        let prompt = recording.prompt.as_deref().map(str::trim).filter(|prompt| !prompt.is_empty());
        let prompt = prompt.map(|prompt| self.vocabulary.encode(&format!(" {prompt}"))).unwrap_or_default();
        let prompt = prompt[prompt.len().saturating_sub(MAX_TOKENS - 1)..].to_vec();
        let mut task = Task { language: language.transpose()?.flatten(), prompt, translate: recording.translate };
        let mut segments = Vec::new();
        for chunk in chunks(&recording.samples, MAX_SECONDS) {
            let mut rest = chunk;
            // The model stops in front of a sentence that does not end within the chunk.
            while rest.len() > RATE / 10 {
                stop.check()?;
                let (spoken, understood) = self.chunk(&recording.samples, rest.clone(), &mut task, stop)?;
                segments.extend(spoken);
                if understood < rest.start + RATE {
                    break;
                }
                rest = match chunks(&recording.samples[understood..rest.end], MAX_SECONDS).first() {
                    Some(next) if next.len() > RATE => understood + next.start..rest.end,
                    _ => break,
                };
            }
        }
        let language = task.language.map(|(_, code)| code).or(recording.language.clone());
        Ok(super::transcript(segments, language, Vec::new()))
    }
}
