//! Pronunciations of words that are in no dictionary, by a small network that reads letters.

use std::collections::HashMap;

use ort::session::Session;
use ort::value::Tensor;
use serde::Deserialize;

use crate::model::{Failed, Stop};
use crate::tts::session;

/// The network, and its letters and phonemes.
pub(super) struct Unknown {
    session: Session,
    letters: HashMap<char, i64>,
    phonemes: Vec<String>,
    longest: usize,
}

/// The settings file of the network.
#[derive(Deserialize)]
pub(super) struct Settings {
    r#in: Vec<char>,
    out: Vec<String>,
    maxlen: usize,
}

impl Unknown {
    pub(super) fn new(session: Session, settings: Settings) -> Self {
        let letters = settings.r#in.into_iter().zip(1..).collect();
        Self { session, letters, phonemes: settings.out, longest: settings.maxlen }
    }

    /// The phonemes of a word; `None` for letters that the network does not know.
    ///
    /// # Errors
    /// When the network fails or the request is stopped.
    pub(super) fn read(&mut self, word: &str, stop: &Stop) -> Result<Option<String>, Failed> {
        let known = word.chars().filter_map(|letter| self.letters.get(&letter).copied());
        let letters: Vec<i64> = known.take(self.longest).collect();
        if letters.is_empty() {
            return Ok(None);
        }
        let letters = Tensor::from_array(([1, letters.len()], letters)).map_err(session::engine)?;
        let numbers = session::run(&mut self.session, ort::inputs!["chars" => letters], stop, |outputs| {
            let (_, numbers) = outputs[0].try_extract_tensor::<i64>()?;
            Ok(numbers.to_vec())
        })?;
        // Equal neighbours are one sound, and 0 is none.
        let mut phonemes = String::new();
        let mut previous = 0;
        for number in numbers {
            if number != previous && number != 0 {
                let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
                phonemes.push_str(self.phonemes.get(index).map_or("", String::as_str));
            }
            previous = number;
        }
        Ok(Some(phonemes))
    }
}
