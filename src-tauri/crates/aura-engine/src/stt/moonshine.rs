//! Moonshine: an encoder that takes samples as they are, and a decoder that writes text.

use aura_local::protocol::{Event, FailedKind, Segment};
use ort::session::Session;

use super::chunks::{chunks, seconds};
use super::decoder::{Decoder, EncoderOutput, argmax, repetition};
use super::graph::{self, expect, run, take, tensor};
use super::vocabulary::Vocabulary;
use super::{Files, RATE};
use crate::model::{Failed, LoadFailed, Model, Recording, Stop, Transcript};
use crate::onnx::Onnx;

/// The longest chunk, in seconds. The model was trained on recordings of up to 30 s.
const LONGEST: usize = 25;
/// The most tokens that a second of speech takes: the English models need 6.5, those of other languages up to 13.
const TOKENS_PER_SECOND: usize = 13;
/// The shortest recording that the encoder's convolutions take, with a reserve.
const SHORTEST: usize = RATE / 2;
/// Begins every text.
const BEGIN: u32 = 1;
/// Ends every text.
const END: u32 = 2;

pub(super) struct Moonshine {
    encoder: Session,
    decoder: Decoder,
    vocabulary: Vocabulary,
}

impl Moonshine {
    pub(super) fn load(onnx: &Onnx, files: &Files<'_>) -> Result<Self, LoadFailed> {
        let vocabulary = Vocabulary::read(files.get("tokenizer")?)?;
        let encoder = onnx.session(files.get("encoder")?)?;
        expect(&encoder, &["input_values"], &["last_hidden_state"], "Moonshine")?;
        let decoder = Decoder::new(onnx.session(files.get("decoder")?)?, None, "Moonshine")?;
        Ok(Self { encoder, decoder, vocabulary })
    }

    fn chunk(&mut self, samples: &[f32], stop: &Stop) -> Result<String, Failed> {
        let encoded = self.encode(samples, stop)?;
        let most = samples.len().div_ceil(RATE) * TOKENS_PER_SECOND;
        let mut state = self.decoder.start(&encoded);
        let mut tokens = Vec::new();
        let mut last = BEGIN;
        while tokens.len() < most {
            last = argmax(&self.decoder.step(&mut state, &[last], stop)?);
            if last == END {
                break;
            }
            tokens.push(last);
            if let Some(kept) = repetition(&tokens) {
                tokens.truncate(kept);
                break;
            }
        }
        Ok(self.vocabulary.text(&tokens))
    }

    fn encode(&mut self, samples: &[f32], stop: &Stop) -> Result<EncoderOutput, Failed> {
        let mut samples = samples.to_vec();
        samples.resize(samples.len().max(SHORTEST), 0.0);
        let length = samples.len();
        let ones = || tensor(&[1, length], vec![1_i64; length]);
        let mut inputs: graph::Inputs<'_> = vec![("input_values".into(), tensor(&[1, length], samples)?.into())];
        if self.encoder.inputs().iter().any(|input| input.name() == "attention_mask") {
            inputs.push(("attention_mask".into(), ones()?.into()));
        }
        let mask = if self.decoder.takes_mask() { Some(ones()?) } else { None };
        let states = take(&mut run(&mut self.encoder, inputs, stop)?, "last_hidden_state")?;
        Ok(EncoderOutput { states, mask, keys: Vec::new() })
    }
}

impl Model for Moonshine {
    fn ready(&self) -> Event {
        Event::Ready { engine: "Moonshine, ONNX Runtime".into(), languages: Vec::new(), voices: Vec::new() }
    }

    fn transcribe(&mut self, recording: &Recording, stop: &Stop) -> Result<Transcript, Failed> {
        if recording.translate {
            return Err(Failed::new(FailedKind::Unsupported, "Moonshine does not translate. Choose a Whisper model."));
        }
        let mut segments = Vec::new();
        for chunk in chunks(&recording.samples, LONGEST) {
            stop.check()?;
            let text = self.chunk(&recording.samples[chunk.clone()], stop)?;
            if !text.is_empty() {
                segments.push(Segment { start: seconds(chunk.start), end: seconds(chunk.end), text });
            }
        }
        Ok(super::transcript(segments, recording.language.clone(), Vec::new()))
    }
}
