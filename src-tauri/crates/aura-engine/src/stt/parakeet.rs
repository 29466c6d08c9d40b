//! Parakeet TDT, as istupakov exported it: an encoder that takes a spectrogram, and a network that gives, for a frame and the last token,
//! the next token and how many frames it lasts.

use aura_local::protocol::{Event, FailedKind, Segment};
use ort::session::Session;
use ort::value::DynValue;

use super::bad_file;
use super::chunks::{chunks, seconds};
use super::decoder::argmax;
use super::graph::{self, expect, numbers, run, sides, take, tensor};
use super::mel::Mel;
use super::vocabulary::Vocabulary;
use super::{Files, RATE};
use crate::model::{Failed, LoadFailed, Model, Recording, Stop, Transcript};
use crate::onnx::Onnx;

/// The longest chunk, in seconds. The encoder takes more, but its memory grows with the square.
const LONGEST: usize = 60;
/// Seconds from one frame of the encoder to the next: it joins eight frames of 10 ms.
const SECONDS_PER_FRAME: f64 = 0.08;
/// Silence before a chunk, in samples: the model misses words that begin at once.
const BEFORE: usize = RATE / 4;
/// The most tokens in one frame.
const MOST_PER_FRAME: usize = 10;
/// The token that stands for none.
const BLANK: &str = "<blk>";
/// The languages of version 3, which its files do not name.
const LANGUAGES: [&str; 25] = [
    "bg", "hr", "cs", "da", "nl", "en", "et", "fi", "fr", "de", "el", "hu", "it", "lv", "lt", "mt", "pl", "pt", "ro",
    "sk", "sl", "es", "sv", "ru", "uk",
];

pub(super) struct Parakeet {
    encoder: Session,
    decoder: Session,
    vocabulary: Vocabulary,
    blank: u32,
    mel: Mel,
    /// Layers and width of the two states.
    states: [(usize, usize); 2],
}

/// The states of the prediction network.
type States = [DynValue; 2];

impl Parakeet {
    pub(super) fn load(onnx: &Onnx, files: &Files<'_>) -> Result<Self, LoadFailed> {
        let vocabulary = Vocabulary::read_lines(files.get("vocabulary")?)?;
        let blank = vocabulary.special(BLANK);
        let blank =
            blank.ok_or_else(|| bad_file(format!("The vocabulary is not that of Parakeet: it lacks {BLANK}.")))?;
        let encoder = onnx.session(files.get("encoder")?)?;
        expect(&encoder, &["audio_signal", "length"], &["outputs", "encoded_lengths"], "Parakeet")?;
        let decoder = onnx.session(files.get("decoder")?)?;
        let inputs = ["encoder_outputs", "targets", "target_length", "input_states_1", "input_states_2"];
        expect(&decoder, &inputs, &["outputs", "output_states_1", "output_states_2"], "Parakeet")?;
        let state = |name: &str| {
            let sides = sides(decoder.inputs(), name).unwrap_or_default();
            let side = |at: usize| sides.get(at).and_then(|side| usize::try_from(*side).ok()).filter(|side| *side > 0);
            side(0).zip(side(2)).ok_or_else(|| bad_file(format!("The decoder's {name} has no fixed size.")))
        };
        let states = [state("input_states_1")?, state("input_states_2")?];
        let bands = sides(encoder.inputs(), "audio_signal").and_then(|sides| usize::try_from(*sides.get(1)?).ok());
        Ok(Self { encoder, decoder, vocabulary, blank, mel: Mel::nemo(bands.unwrap_or(128)), states })
    }

    /// The tokens of samples, each with the encoder's frame that it begins in.
    fn chunk(&mut self, samples: &[f32], stop: &Stop) -> Result<Vec<(u32, usize)>, Failed> {
        let mut padded = vec![0.0; BEFORE];
        padded.extend(samples);
        let (frames, features) = self.mel.for_nemo(&padded);
        let length = i64::try_from(frames).unwrap_or(i64::MAX);
        let inputs: graph::Inputs<'_> = vec![
            ("audio_signal".into(), tensor(&[1, self.mel.bands(), frames], features)?.into()),
            ("length".into(), tensor(&[1], vec![length])?.into()),
        ];
        let mut outputs = run(&mut self.encoder, inputs, stop)?;
        let encoded = take(&mut outputs, "outputs")?;
        drop(outputs);
        let (shape, values) = numbers(&encoded)?;
        let [_, width, frames] = shape[..] else {
            return Err(Failed::new(FailedKind::Engine, "The encoder returned another shape than Parakeet's."));
        };
        let frame = |at: usize| (0..width).map(|row| values[row * frames + at]).collect::<Vec<f32>>();
        let begin = |(layers, width): (usize, usize)| tensor(&[layers, 1, width], vec![0.0_f32; layers * width]);
        let mut states: States = [begin(self.states[0])?, begin(self.states[1])?];
        let tokens = self.vocabulary.len();
        let blank = self.blank;
        transduce(frames, blank, |at, last| {
            let (scores, next) = self.step(frame(at), last, &states, stop)?;
            let (texts, durations) = scores.split_at(tokens.min(scores.len()));
            let token = argmax(texts);
            if token != blank {
                states = next;
            }
            Ok((token, argmax(durations) as usize))
        })
    }

    /// The scores of the tokens and of the durations after them, and the states if a token is taken.
    fn step(&mut self, frame: Vec<f32>, last: u32, states: &States, stop: &Stop) -> Result<(Vec<f32>, States), Failed> {
        let last = i32::try_from(last).unwrap_or(0);
        let inputs: graph::Inputs<'_> = vec![
            ("encoder_outputs".into(), tensor(&[1, frame.len(), 1], frame)?.into()),
            ("targets".into(), tensor(&[1, 1], vec![last])?.into()),
            ("target_length".into(), tensor(&[1], vec![1_i32])?.into()),
            ("input_states_1".into(), (&states[0]).into()),
            ("input_states_2".into(), (&states[1]).into()),
        ];
        let mut outputs = run(&mut self.decoder, inputs, stop)?;
        let scores = numbers(&take(&mut outputs, "outputs")?)?.1.to_vec();
        Ok((scores, [take(&mut outputs, "output_states_1")?, take(&mut outputs, "output_states_2")?]))
    }

    /// The words of tokens, with times in seconds after `start`.
    fn words(&self, tokens: &[(u32, usize)], start: f64, end: f64) -> Vec<Segment> {
        let time = |frame: usize| (start + frame as f64 * SECONDS_PER_FRAME - seconds(BEFORE)).clamp(start, end);
        let begins = |at: &usize| *at == 0 || self.vocabulary.begins_word(tokens[*at].0);
        let starts: Vec<usize> = (0..tokens.len()).filter(begins).collect();
        let ends = starts.iter().skip(1).copied().chain([tokens.len()]);
        let word = |(from, to): (usize, usize)| {
            let ids: Vec<u32> = tokens[from..to].iter().map(|(token, _)| *token).collect();
            Segment { start: time(tokens[from].1), end: time(tokens[to - 1].1 + 1), text: self.vocabulary.text(&ids) }
        };
        starts.iter().copied().zip(ends).map(word).filter(|word| !word.text.is_empty()).collect()
    }
}

/// Greedy decoding of a token-and-duration transducer: `step` gives, for a frame and the last token, the next token and the frames to
/// go on by. The result is the tokens, each with its frame.
fn transduce(
    frames: usize,
    blank: u32,
    mut step: impl FnMut(usize, u32) -> Result<(u32, usize), Failed>,
) -> Result<Vec<(u32, usize)>, Failed> {
    let mut tokens: Vec<(u32, usize)> = Vec::new();
    let (mut at, mut here) = (0, 0);
    while at < frames {
        let last = tokens.last().map_or(blank, |(token, _)| *token);
        let (token, duration) = step(at, last)?;
        if token != blank {
            tokens.push((token, at));
            here += 1;
        }
        if duration > 0 {
            (at, here) = (at + duration, 0);
        } else if token == blank || here == MOST_PER_FRAME {
            (at, here) = (at + 1, 0);
        }
    }
    Ok(tokens)
}

impl Model for Parakeet {
    fn ready(&self) -> Event {
        let languages = LANGUAGES.iter().map(ToString::to_string).collect();
        Event::Ready { engine: "Parakeet, ONNX Runtime".into(), languages, voices: Vec::new() }
    }

    fn transcribe(&mut self, recording: &Recording, stop: &Stop) -> Result<Transcript, Failed> {
        if recording.translate {
            return Err(Failed::new(FailedKind::Unsupported, "Parakeet does not translate. Choose a Whisper model."));
        }
        let (mut segments, mut words) = (Vec::new(), Vec::new());
        for chunk in chunks(&recording.samples, LONGEST) {
            stop.check()?;
            let tokens = self.chunk(&recording.samples[chunk.clone()], stop)?;
            let heard = self.words(&tokens, seconds(chunk.start), seconds(chunk.end));
            segments.extend(sentences(&heard));
            if recording.words {
                words.extend(heard);
            }
        }
        Ok(super::transcript(segments, recording.language.clone(), words))
    }
}

/// Joins words to sentences.
fn sentences(words: &[Segment]) -> Vec<Segment> {
    let ends = |word: &Segment| word.text.ends_with(['.', '?', '!', '。']);
    let sentence = |words: &[Segment]| {
        let (first, last) = (words.first()?, words.last()?);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        Some(Segment { start: first.start, end: last.end, text: texts.join(" ") })
    };
    words.split_inclusive(ends).filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLANK: u32 = 9;

    type Pairs<A, B> = Vec<(A, B)>;

    /// Runs a script of tokens and durations; the result has the frames and last tokens that it was asked for.
    fn script(frames: usize, script: &[(u32, usize)]) -> (Pairs<u32, usize>, Pairs<usize, u32>) {
        let mut asked = Vec::new();
        let mut script = script.iter().copied();
        let tokens = transduce(frames, BLANK, |at, last| {
            asked.push((at, last));
            Ok(script.next().unwrap_or((BLANK, 1)))
        });
        (tokens.unwrap(), asked)
    }

    #[test]
    fn tokens_go_on_by_their_durations() {
        let (tokens, asked) = script(8, &[(BLANK, 2), (1, 0), (2, 3), (BLANK, 0), (3, 4)]);
        assert_eq!(tokens, [(1, 2), (2, 2), (3, 6)]);
        assert_eq!(asked, [(0, BLANK), (2, BLANK), (2, 1), (5, 2), (6, 2)]);
    }

    #[test]
    fn a_frame_that_never_ends_is_left_after_ten_tokens() {
        let (tokens, _) = script(2, &[(1, 0); 30]);
        assert_eq!(tokens.len(), 20);
        assert_eq!(tokens.iter().filter(|(_, frame)| *frame == 0).count(), 10);
    }

    #[test]
    fn words_become_sentences() {
        let word = |at: u8, text: &str| Segment { start: f64::from(at), end: f64::from(at + 1), text: text.into() };
        let heard = sentences(&[word(0, "Ever"), word(1, "tried."), word(2, "No"), word(3, "matter")]);
        let texts: Vec<(f64, f64, &str)> = heard.iter().map(|s| (s.start, s.end, s.text.as_str())).collect();
        assert_eq!(texts, [(0.0, 2.0, "Ever tried."), (2.0, 4.0, "No matter")]);
    }
}
