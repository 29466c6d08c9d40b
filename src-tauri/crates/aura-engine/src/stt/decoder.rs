//! A decoder that writes one token after another and keeps the keys and values of what it has read: the layout of Hugging Face Optimum.

use ort::session::{Session, SessionOutputs};
use ort::value::DynValue;

use super::bad_file;
use super::graph::{Inputs, expect, last_row, run, sides, take, tensor};
use crate::model::{Failed, LoadFailed, Stop};

const PAST: &str = "past_key_values.";

/// One key or value tensor that goes from a step to the next.
struct Slot {
    input: String,
    output: String,
    /// Whether it belongs to the encoder's output: it does not change from step to step.
    cross: bool,
    heads: usize,
    width: usize,
}

/// The graph or, for the layout of two files, graphs of a decoder.
pub(super) struct Decoder {
    session: Session,
    /// The graph for every step but the first, where that is a file of its own.
    with_past: Option<Session>,
    slots: Vec<Slot>,
}

/// The encoder's output for one chunk of a recording.
pub(super) struct EncoderOutput {
    /// Its last hidden states.
    pub(super) states: DynValue,
    /// Ones, as many as the chunk has samples, where the decoder asks for them.
    pub(super) mask: Option<DynValue>,
    /// The keys and values of the attention to the encoder's output, where the encoder has computed them.
    pub(super) keys: Vec<(String, DynValue)>,
}

/// The state of the decoder while it writes one text: its key-value cache.
pub(super) struct DecoderState<'a> {
    encoder: &'a EncoderOutput,
    /// The tensors of [`Decoder::slots`].
    past: Vec<Option<DynValue>>,
    started: bool,
}

impl Decoder {
    pub(super) fn new(session: Session, with_past: Option<Session>, model: &str) -> Result<Self, LoadFailed> {
        expect(&session, &["input_ids"], &["logits"], model)?;
        let graph = with_past.as_ref().unwrap_or(&session);
        let mut slots = Vec::new();
        for input in graph.inputs().iter().filter(|input| input.name().starts_with(PAST)) {
            let name = input.name();
            let known = |side: usize| {
                let side = sides(graph.inputs(), name).and_then(|sides| sides.get(side).copied());
                side.and_then(|side| usize::try_from(side).ok())
            };
            let (Some(heads), Some(width)) = (known(1), known(3)) else {
                return Err(bad_file(format!("The decoder's {name} has no fixed size.")));
            };
            let output = name.replacen(PAST, "present.", 1);
            slots.push(Slot { input: name.to_owned(), output, cross: name.contains(".encoder."), heads, width });
        }
        if slots.is_empty() {
            return Err(bad_file(format!("This file is not a part of a {model} model: it takes no {PAST}*.")));
        }
        Ok(Self { session, with_past, slots })
    }

    /// Whether the first step asks for one value per sample of the chunk.
    pub(super) fn takes_mask(&self) -> bool {
        self.session.inputs().iter().any(|input| input.name() == "encoder_attention_mask")
    }

    /// Starts a text.
    pub(super) fn start<'a>(&self, encoder: &'a EncoderOutput) -> DecoderState<'a> {
        DecoderState { encoder, past: self.slots.iter().map(|_| None).collect(), started: false }
    }

    /// Runs the decoder on tokens and returns the logit of each token that may follow them.
    pub(super) fn step(
        &mut self,
        state: &mut DecoderState<'_>,
        tokens: &[u32],
        stop: &Stop,
    ) -> Result<Vec<f32>, Failed> {
        let session = match &mut self.with_past {
            Some(with_past) if state.started => with_past,
            _ => &mut self.session,
        };
        let names: Vec<String> = session.inputs().iter().map(|input| input.name().to_owned()).collect();
        let ids = tensor(&[1, tokens.len()], tokens.iter().map(|token| i64::from(*token)).collect())?;
        let empty = self.slots.iter().map(|slot| tensor::<f32>(&[1, slot.heads, 0, slot.width], Vec::new()));
        let empty = empty.collect::<Result<Vec<_>, Failed>>()?;
        let mut inputs: Inputs<'_> = Vec::with_capacity(names.len());
        for name in &names {
            let value = match name.as_str() {
                "input_ids" => (&ids).into(),
                "encoder_hidden_states" => (&state.encoder.states).into(),
                "use_cache_branch" => tensor(&[1], vec![state.started])?.into(),
                "encoder_attention_mask" => match &state.encoder.mask {
                    Some(mask) => mask.into(),
                    None => continue,
                },
                name => {
                    let Some(index) = self.slots.iter().position(|slot| slot.input == name) else { continue };
                    let given = state.encoder.keys.iter().find(|(input, _)| input == name).map(|(_, value)| value);
                    given.or(state.past[index].as_ref()).unwrap_or(&empty[index]).into()
                }
            };
            inputs.push((name.as_str().into(), value));
        }
        let mut outputs = run(session, inputs, stop)?;
        keep(&self.slots, state, &mut outputs);
        state.started = true;
        last_row(&take(&mut outputs, "logits")?)
    }
}

/// Keeps what the next step reads.
fn keep(slots: &[Slot], state: &mut DecoderState<'_>, outputs: &mut SessionOutputs<'_>) {
    for (slot, past) in slots.iter().zip(&mut state.past) {
        // A merged graph returns the encoder's keys only from its first step; later ones are empty.
        if slot.cross && state.started {
            continue;
        }
        if let Some(value) = outputs.remove(&slot.output) {
            *past = Some(value);
        }
    }
}

/// The token with the highest logit.
pub(super) fn argmax(scores: &[f32]) -> u32 {
    let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(token, _)| u32::try_from(token).unwrap_or(0))
}

/// The length of what to keep when the tokens end in a loop: a phrase that comes at least four times and fills twenty tokens.
pub(super) fn repetition(tokens: &[u32]) -> Option<usize> {
    (1..=tokens.len() / 4).find_map(|period| {
        let repeated = tokens.iter().rev().zip(tokens.iter().rev().skip(period)).take_while(|(a, b)| a == b).count();
        let length = repeated + period;
        (length >= 20 && length >= 4 * period).then(|| tokens.len() - length + period)
    })
}

#[cfg(test)]
mod tests {
    use super::{argmax, repetition};

    #[test]
    fn the_highest_score_wins_whatever_else_is_there() {
        assert_eq!(argmax(&[0.5, -1.0, 2.5, 2.0]), 2);
        assert_eq!(argmax(&[f32::NEG_INFINITY, -3.0]), 1);
    }

    #[test]
    fn a_phrase_that_comes_again_and_again_is_a_loop_and_kept_once() {
        let spoken: Vec<u32> = (100..140).collect();
        assert_eq!(repetition(&spoken), None);
        let mut stuck = spoken.clone();
        stuck.extend([1, 2, 3, 4, 5].repeat(4));
        assert_eq!(repetition(&stuck), Some(45));
        let mut word = spoken.clone();
        word.extend([7; 20]);
        assert_eq!(repetition(&word), Some(41));
        // "No, no, no, no!" is something that people say.
        let mut said = spoken;
        said.extend([7, 8].repeat(4));
        assert_eq!(repetition(&said), None);
    }
}
