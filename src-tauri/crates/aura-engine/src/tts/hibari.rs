//! Hibari: a small English voice, Apache-2.0. Its text to phonemes needs no other program.

mod dsp;
mod fast;
mod g2p;
mod lexicon;
mod normalize;
mod numbers;
mod oov;
mod patterns;
mod stress;
mod table;
mod tagger;
mod token;
mod tokenize;

use std::collections::HashMap;
use std::io::Read as _;

use aura_local::protocol::{Event, FailedKind, Load};
use flate2::read::GzDecoder;
use ort::session::Session;
use ort::value::Tensor;
use realfft::FftError;
use serde::de::DeserializeOwned;

use crate::model::{Failed, LoadFailed, Model, Stop, TakeAudio, Utterance};
use crate::onnx::Onnx;
use crate::tts::text::{self, Lengths};
use crate::tts::{bytes, damaged, file, session, speed};
use dsp::{Prediction, RATE, Synthesiser};
use g2p::{G2p, Patterns};
use lexicon::Lexicon;
use normalize::Normalizer;
use oov::Unknown;
use tagger::Tagger;
use tokenize::Tokenizer;

const LENGTHS: Lengths = Lengths { first: 100, longest: 240 };
/// The largest text of a table; the longest is 5 MB.
const MAX_TABLE: u64 = 64 << 20;

/// A loaded Hibari voice.
pub(super) struct Hibari {
    session: Session,
    g2p: G2p,
    unknown: Unknown,
    vocabulary: HashMap<char, i64>,
    synthesiser: Synthesiser,
}

impl Hibari {
    pub(super) fn load(load: &Load) -> Result<Self, LoadFailed> {
        // British voices come with the tables of British English.
        let is_british = load.files.contains_key("lexicon_gb_gold.json.gz");
        let (accent, unknown) = if is_british { ("gb", "oov_gb") } else { ("us", "oov") };
        // The tables are read while the models are loaded: each takes about as long as the other.
        let (g2p, sessions) = std::thread::scope(|scope| {
            let g2p = scope.spawn(|| g2p(load, accent, is_british));
            let sessions = || -> Result<(Session, Session), LoadFailed> {
                let onnx = Onnx::open(load)?;
                let network = onnx.session(file(load, "hibari.onnx")?)?;
                Ok((network, onnx.session(file(load, &format!("{unknown}.onnx"))?)?))
            };
            let sessions = sessions();
            (g2p.join().unwrap_or_else(|_| Err(damaged("tables", "they could not be read"))), sessions)
        });
        let (session, letters) = sessions?;
        session::check(&session, &["ids", "speed"], 6)?;
        session::check(&letters, &["chars"], 1)?;
        Ok(Self {
            session,
            g2p: g2p?,
            unknown: Unknown::new(letters, json(load, &format!("{unknown}.json"))?),
            vocabulary: json(load, "vocab.json")?,
            synthesiser: Synthesiser::new(),
        })
    }

    /// The network's numbers of a sentence, with a pause at both ends; `None` if nothing of it can be said.
    fn ids(&mut self, sentence: &str, stop: &Stop) -> Result<Option<Vec<i64>>, Failed> {
        let phonemes = self.g2p.phonemes(sentence, &mut |word| self.unknown.read(word, stop))?;
        let known = phonemes.chars().filter_map(|phoneme| self.vocabulary.get(&phoneme).copied());
        let ids: Vec<i64> = [0].into_iter().chain(known).chain([0]).collect();
        Ok(phonemes.chars().any(char::is_alphabetic).then_some(ids).filter(|ids| ids.len() > 2))
    }

    fn predict(&mut self, ids: Vec<i64>, speed: f32, stop: &Stop) -> Result<Prediction, Failed> {
        let inputs = || -> ort::Result<_> {
            Ok(ort::inputs![
                "ids" => Tensor::from_array(([1, ids.len()], ids))?,
                "speed" => Tensor::from_array(([1], vec![speed]))?,
            ])
        };
        let prediction = session::run(&mut self.session, inputs().map_err(session::engine)?, stop, |outputs| {
            let part = |name: &str| -> ort::Result<Vec<f32>> {
                let output =
                    outputs.get(name).ok_or_else(|| ort::Error::new(format!("the output {name} is missing")))?;
                Ok(output.try_extract_tensor::<f32>()?.1.to_vec())
            };
            Ok(Prediction {
                harmonic: part("lh")?,
                turn: part("theta")?,
                noise: part("ln")?,
                free: part("lr")?,
                phase: part("phi")?,
                pitch: part("f0")?,
            })
        })?;
        if prediction.is_whole() && !prediction.pitch.is_empty() {
            return Ok(prediction);
        }
        Err(Failed::new(FailedKind::Engine, "The voice's network gave an answer of the wrong size."))
    }
}

impl Model for Hibari {
    fn ready(&self) -> Event {
        Event::Ready { engine: "Hibari".into(), languages: vec!["en".into()], voices: Vec::new() }
    }

    fn speak(&mut self, utterance: &Utterance, stop: &Stop, audio: &mut TakeAudio<'_>) -> Result<(), Failed> {
        text::check_language(&utterance.text, utterance.language.as_deref(), &["en".to_owned()])?;
        for piece in text::pieces(&utterance.text, "en", LENGTHS)? {
            stop.check()?;
            let Some(ids) = self.ids(&piece, stop)? else { continue };
            let prediction = self.predict(ids, speed(utterance.speed), stop)?;
            self.synthesiser.synthesise(&prediction, |samples| {
                stop.check()?;
                audio(RATE, samples)
            })?;
        }
        Ok(())
    }
}

impl From<FftError> for Failed {
    fn from(error: FftError) -> Self {
        Self::new(FailedKind::Engine, format!("The voice could not be computed: {error}"))
    }
}

/// The rules of text to phonemes, with their tables.
fn g2p(load: &Load, accent: &str, is_british: bool) -> Result<G2p, LoadFailed> {
    let unzip = |role: &str| -> Result<String, LoadFailed> {
        let mut text = String::new();
        let bytes = bytes(load, role)?;
        let outcome = GzDecoder::new(bytes.as_slice()).take(MAX_TABLE).read_to_string(&mut text);
        outcome.map_err(|error| damaged(role, error))?;
        Ok(text)
    };
    let (gold, silver) = (format!("lexicon_{accent}_gold.json.gz"), format!("lexicon_{accent}_silver.json.gz"));
    std::thread::scope(|scope| {
        let tagger = scope.spawn(|| {
            let role = "tagger.json.gz";
            Tagger::new(&unzip(role)?).map_err(|error| damaged(role, error))
        });
        let lexicon =
            Lexicon::new(unzip(&gold)?, unzip(&silver)?, is_british).map_err(|error| damaged(&gold, error))?;
        let normalizer = Normalizer::new(json(load, "normalize.json")?);
        let tokenizer = Tokenizer::new(json(load, "tokenizer_exceptions.json")?);
        let tagger = tagger.join().unwrap_or_else(|_| Err(damaged("tagger.json.gz", "it could not be read")))?;
        Ok(G2p { lexicon, normalizer, tokenizer, tagger, patterns: Patterns::new() })
    })
}

fn json<T: DeserializeOwned>(load: &Load, role: &str) -> Result<T, LoadFailed> {
    serde_json::from_slice(&bytes(load, role)?).map_err(|error| damaged(role, error))
}
