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

/// What the encoder heard in one piece of a recording.
pub(super) struct Heard {
    /// Its last hidden states.
    pub(super) states: DynValue,
    /// Ones, as many as the piece has samples, where the decoder asks for them.
    pub(super) mask: Option<DynValue>,
    /// The keys and values of the attention to the encoder's output, where the encoder has computed them.
    pub(super) keys: Vec<(String, DynValue)>,
}

/// The decoder's memory of one text.
pub(super) struct Text<'a> {
    heard: &'a Heard,
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

    /// Whether the first step asks for one value per sample of the piece.
    pub(super) fn wants_mask(&self) -> bool {
        self.session.inputs().iter().any(|input| input.name() == "encoder_attention_mask")
    }

    /// Begins a text.
    pub(super) fn begin<'a>(&self, heard: &'a Heard) -> Text<'a> {
        Text { heard, past: self.slots.iter().map(|_| None).collect(), started: false }
    }

    /// Reads tokens and returns the score of each token that may follow them.
    pub(super) fn read(&mut self, text: &mut Text<'_>, tokens: &[u32], stop: &Stop) -> Result<Vec<f32>, Failed> {
        let session = match &mut self.with_past {
            Some(with_past) if text.started => with_past,
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
                "encoder_hidden_states" => (&text.heard.states).into(),
                "use_cache_branch" => tensor(&[1], vec![text.started])?.into(),
                "encoder_attention_mask" => match &text.heard.mask {
                    Some(mask) => mask.into(),
                    None => continue,
                },
                name => {
                    let Some(index) = self.slots.iter().position(|slot| slot.input == name) else { continue };
                    let given = text.heard.keys.iter().find(|(input, _)| input == name).map(|(_, value)| value);
                    given.or(text.past[index].as_ref()).unwrap_or(&empty[index]).into()
                }
            };
            inputs.push((name.as_str().into(), value));
        }
        let mut outputs = run(session, inputs, stop)?;
        keep(&self.slots, text, &mut outputs);
        text.started = true;
        last_row(&take(&mut outputs, "logits")?)
    }
}

/// Keeps what the next step reads.
fn keep(slots: &[Slot], text: &mut Text<'_>, outputs: &mut SessionOutputs<'_>) {
    for (slot, past) in slots.iter().zip(&mut text.past) {
        // A merged graph returns the encoder's keys only from its first step; later ones are empty.
        if slot.cross && text.started {
            continue;
        }
        if let Some(value) = outputs.remove(&slot.output) {
            *past = Some(value);
        }
    }
}

/// The token with the highest score.
pub(super) fn best(scores: &[f32]) -> u32 {
    let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(token, _)| u32::try_from(token).unwrap_or(0))
}

/// The length of what to keep when the tokens end in a loop: a phrase that comes at least four times and fills twenty tokens.
pub(super) fn loops(tokens: &[u32]) -> Option<usize> {
    (1..=tokens.len() / 4).find_map(|period| {
        let repeated = tokens.iter().rev().zip(tokens.iter().rev().skip(period)).take_while(|(a, b)| a == b).count();
        let length = repeated + period;
        (length >= 20 && length >= 4 * period).then(|| tokens.len() - length + period)
    })
}

#[cfg(test)]
mod tests {
    use super::{best, loops};

    #[test]
    fn the_highest_score_wins_whatever_else_is_there() {
        assert_eq!(best(&[0.5, -1.0, 2.5, 2.0]), 2);
        assert_eq!(best(&[f32::NEG_INFINITY, -3.0]), 1);
    }

    #[test]
    fn a_phrase_that_comes_again_and_again_is_a_loop_and_kept_once() {
        let spoken: Vec<u32> = (100..140).collect();
        assert_eq!(loops(&spoken), None);
        let mut stuck = spoken.clone();
        stuck.extend([1, 2, 3, 4, 5].repeat(4));
        assert_eq!(loops(&stuck), Some(45));
        let mut word = spoken.clone();
        word.extend([7; 20]);
        assert_eq!(loops(&word), Some(41));
        // "No, no, no, no!" is something that people say.
        let mut said = spoken;
        said.extend([7, 8].repeat(4));
        assert_eq!(loops(&said), None);
    }
}
