//! Whisper: an encoder that takes a spectrogram, and a decoder that writes the language, times and text.

use std::ops::Range;
use std::path::Path;

use aura_local::protocol::{Event, FailedKind, Segment};
use ort::session::Session;

use super::bad_file;
use super::decoder::{Decoder, Heard, loops};
use super::graph::{self, expect, run, sides, take, tensor};
use super::marks::{Marks, SECONDS_PER_STEP};
use super::mel::{HOP, Mel};
use super::pieces::{pieces, seconds};
use super::vocabulary::Vocabulary;
use super::{Files, RATE};
use crate::model::{Failed, LoadFailed, Model, Recording, Stop, Transcript};
use crate::onnx::Onnx;

/// The frames of the 30 s that the encoder takes.
const FRAMES: usize = 3000;
/// The longest piece, in seconds: the model needs some silence at the end.
const LONGEST: usize = 29;
/// Silence after a piece when the encoder takes less than 30 s, in frames. With less, the model is apt to write a phrase again and again.
const AFTER: usize = 300;
/// The least that such an encoder gets, in frames, for the same reason.
const LEAST: usize = 1000;
/// The longest text of a piece, and the longest text before it, in tokens.
const MOST: usize = 224;
/// A text whose tokens are less likely than this on average (natural logarithm) is doubtful.
const DOUBTFUL: f32 = -1.0;
/// A doubtful text is none if the model takes the piece for silence with this probability.
const NO_SPEECH: f32 = 0.6;

pub(super) struct Whisper {
    encoder: Session,
    decoder: Decoder,
    vocabulary: Vocabulary,
    marks: Marks,
    mel: Mel,
    /// Whether the encoder takes less than 30 s.
    short: bool,
}

/// What is the same for all pieces of a recording.
struct Task {
    /// The language's token and code, once it is known.
    language: Option<(u32, String)>,
    /// The tokens of the text before.
    before: Vec<u32>,
    translate: bool,
}

/// The text of a piece.
#[derive(Default)]
struct Written {
    tokens: Vec<u32>,
    /// The average of the logarithms of the tokens' probabilities.
    likely: f32,
    no_speech: f32,
    looped: bool,
}

impl Written {
    fn doubtful(&self) -> bool {
        self.looped || self.likely < DOUBTFUL
    }
}

impl Whisper {
    pub(super) fn load(onnx: &Onnx, files: &Files<'_>) -> Result<Self, LoadFailed> {
        let vocabulary = Vocabulary::read(files.get("tokenizer")?)?;
        let encoder = onnx.session(files.get("encoder")?)?;
        expect(&encoder, &["input_features"], &["last_hidden_state"], "Whisper")?;
        let with_past = files.find("decoder_with_past").map(|file: &Path| onnx.session(file)).transpose()?;
        let decoder = Decoder::new(onnx.session(files.get("decoder")?)?, with_past, "Whisper")?;
        let marks = Marks::new(&vocabulary)
            .ok_or_else(|| bad_file("The tokenizer is not that of a Whisper model: it lacks <|startoftranscript|>."))?;
        let bands = sides(encoder.inputs(), "input_features").and_then(|sides| sides.get(1).copied());
        let bands = match bands.unwrap_or(-1) {
            fixed @ (80 | 128) => usize::try_from(fixed).unwrap_or(80),
            // The models with 128 bands came with Cantonese.
            -1 => 80 + 48 * usize::from(vocabulary.mark("<|yue|>").is_some()),
            other => return Err(bad_file(format!("The encoder takes {other} mel bands, neither 80 nor 128."))),
        };
        // The graphs of `convert-whisper` take any length; those of others only say so.
        let short = encoder.outputs().iter().any(|output| output.name() == "present.0.encoder.key");
        Ok(Self { encoder, decoder, vocabulary, marks, mel: Mel::whisper(bands), short })
    }

    fn encode(&mut self, samples: &[f32], frames: usize, stop: &Stop) -> Result<Heard, Failed> {
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
        Ok(Heard { states, mask: None, keys: keys.collect() })
    }

    /// Writes the text of samples; it detects the language if that is not known yet.
    fn write(&mut self, samples: &[f32], frames: usize, task: &mut Task, stop: &Stop) -> Result<Written, Failed> {
        let heard = self.encode(samples, frames, stop)?;
        let mut text = self.decoder.begin(&heard);
        let mut begin = Vec::new();
        if let (Some(mark), false) = (self.marks.before, task.before.is_empty()) {
            begin.push(mark);
            begin.extend(&task.before);
        }
        begin.push(self.marks.begin);
        let scores = self.decoder.read(&mut text, &begin, stop)?;
        let no_speech = self.marks.no_speech(&scores);
        if task.language.is_none() {
            task.language = self.marks.language(&scores);
        }
        let mut next = Vec::new();
        if let Some((language, _)) = &task.language {
            next.extend([*language, if task.translate { self.marks.translate } else { self.marks.transcribe }]);
        }
        let mut scores = if next.is_empty() { scores } else { self.decoder.read(&mut text, &next, stop)? };
        let mut written = Written { no_speech, ..Written::default() };
        let mut likely = 0.0;
        while written.tokens.len() < MOST {
            let (token, probability) = self.marks.choose(&mut scores, &written.tokens);
            likely += probability;
            if token == self.marks.end {
                break;
            }
            written.tokens.push(token);
            if let Some(kept) = loops(&written.tokens) {
                written.tokens.truncate(kept);
                written.looped = true;
                break;
            }
            scores = self.decoder.read(&mut text, &[token], stop)?;
        }
        written.likely = likely / (written.tokens.len() + 1) as f32;
        Ok(written)
    }

    /// Transcribes a piece; the result is its segments and the sample up to which it was understood.
    fn piece(
        &mut self,
        samples: &[f32],
        piece: Range<usize>,
        task: &mut Task,
        stop: &Stop,
    ) -> Result<(Vec<Segment>, usize), Failed> {
        let heard = &samples[piece.clone()];
        let frames = if self.short { fitting(heard.len()) } else { FRAMES };
        let known = task.language.clone();
        let mut written = self.write(heard, frames, task, stop)?;
        if written.doubtful() && frames < FRAMES {
            // The model was trained on 30 s.
            let mut again = Task { language: known, before: task.before.clone(), translate: task.translate };
            let other = self.write(heard, FRAMES, &mut again, stop)?;
            // A loop is likely, once it has begun.
            if (!other.looped, other.likely) > (!written.looped, written.likely) {
                (written, task.language) = (other, again.language);
            }
        }
        if written.no_speech > NO_SPEECH && written.likely < DOUBTFUL {
            return Ok((Vec::new(), piece.end));
        }
        let (spoken, open) = self.marks.segments(&written.tokens);
        let at = |step: u32| seconds(piece.start) + f64::from(step) * SECONDS_PER_STEP;
        let end = seconds(piece.end);
        let segments = spoken.iter().filter_map(|(start, stop, tokens)| {
            let text = self.vocabulary.text(tokens);
            let stop = stop.map_or(end, |stop| at(stop).min(end));
            (!text.is_empty()).then(|| Segment { start: at(*start).min(stop), end: stop, text })
        });
        let understood = open.map_or(piece.end, |step| piece.start + step as usize * RATE / 50);
        Ok((segments.collect(), understood.min(piece.end)))
    }
}

/// The frames for so many samples: an even number, because the encoder halves it.
fn fitting(samples: usize) -> usize {
    (samples.div_ceil(HOP) + AFTER).clamp(LEAST, FRAMES).next_multiple_of(2)
}

impl Model for Whisper {
    fn ready(&self) -> Event {
        let languages = self.marks.languages().map(str::to_owned).collect();
        Event::Ready { engine: "Whisper, ONNX Runtime".into(), languages, voices: Vec::new() }
    }

    fn transcribe(&mut self, recording: &Recording, stop: &Stop) -> Result<Transcript, Failed> {
        let asked = recording.language.as_deref();
        let language = asked.map(|code| {
            let unknown =
                || Failed::new(FailedKind::Unsupported, format!("This model does not know the language {code}."));
            self.marks.code(code).ok_or_else(unknown)
        });
        let before = recording.prompt.as_deref().map(str::trim).filter(|prompt| !prompt.is_empty());
        let before = before.map(|prompt| self.vocabulary.encode(&format!(" {prompt}"))).unwrap_or_default();
        let before = before[before.len().saturating_sub(MOST - 1)..].to_vec();
        let mut task = Task { language: language.transpose()?.flatten(), before, translate: recording.translate };
        let mut segments = Vec::new();
        for piece in pieces(&recording.samples, LONGEST) {
            let mut rest = piece;
            // The model stops in front of a sentence that does not end within the piece.
            while rest.len() > RATE / 10 {
                stop.check()?;
                let (spoken, understood) = self.piece(&recording.samples, rest.clone(), &mut task, stop)?;
                segments.extend(spoken);
                if understood < rest.start + RATE {
                    break;
                }
                rest = match pieces(&recording.samples[understood..rest.end], LONGEST).first() {
                    Some(heard) if heard.len() > RATE => understood + heard.start..rest.end,
                    _ => break,
                };
            }
        }
        let language = task.language.map(|(_, code)| code).or(recording.language.clone());
        Ok(super::transcript(segments, language, Vec::new()))
    }
}
