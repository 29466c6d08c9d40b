//! Piper voices: a VITS network that turns phonemes into samples.

use std::collections::{BTreeMap, HashMap};

use aura_local::protocol::{Event, FailedKind, Load, LoadFailedKind};
use ort::session::Session;
use ort::value::Tensor;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;

use crate::model::{Failed, LoadFailed, Model, Stop, TakeAudio, Utterance};
use crate::onnx::Onnx;
use crate::tts::espeak::Espeak;
use crate::tts::text::{self, Lengths};
use crate::tts::{bytes, damaged, file, limit, session, speed};

const LENGTHS: Lengths = Lengths { first: 70, longest: 240 };

/// The settings file of a voice.
#[derive(Debug, Deserialize)]
struct Config {
    audio: Audio,
    #[serde(default)]
    espeak: EspeakConfig,
    #[serde(default)]
    inference: Inference,
    #[serde(default)]
    phoneme_type: PhonemeType,
    phoneme_id_map: HashMap<String, Vec<i64>>,
    #[serde(default)]
    vowel_clusters: Vec<Vec<String>>,
    #[serde(default)]
    num_speakers: u32,
    #[serde(default)]
    speaker_id_map: BTreeMap<String, i64>,
    #[serde(default)]
    default_speaker_id: i64,
    language: Option<Language>,
}

#[derive(Debug, Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(Debug, Default, Deserialize)]
struct EspeakConfig {
    voice: String,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Inference {
    noise_scale: f32,
    length_scale: f32,
    noise_w: f32,
}

impl Default for Inference {
    fn default() -> Self {
        Self { noise_scale: 0.667, length_scale: 1.0, noise_w: 0.8 }
    }
}

/// What a voice calls a phoneme.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PhonemeType {
    #[default]
    Espeak,
    /// The characters of the text.
    Text,
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Language {
    #[serde(default)]
    family: String,
}

/// A loaded Piper voice.
pub(super) struct Piper {
    session: Session,
    config: Config,
    /// `None` for a voice whose phonemes are the characters of the text.
    espeak: Option<Espeak>,
    languages: Vec<String>,
}

impl Piper {
    pub(super) fn load(load: &Load) -> Result<Self, LoadFailed> {
        let config: Config =
            serde_json::from_slice(&bytes(load, "config")?).map_err(|error| damaged("config", error))?;
        if !(4_000..=192_000).contains(&config.audio.sample_rate) {
            return Err(damaged("config", "its sample rate is impossible"));
        }
        if ["_", "^", "$"].iter().any(|mark| !config.phoneme_id_map.contains_key(*mark)) {
            return Err(damaged("config", "its phonemes have no start and end"));
        }
        let espeak = match config.phoneme_type {
            PhonemeType::Espeak => Some(Espeak::open(load, &config.espeak.voice, false)?),
            PhonemeType::Text => None,
            PhonemeType::Other => {
                let message = "AURA cannot read text for this voice: it needs its own phonemes. Choose another voice.";
                return Err(LoadFailed::new(LoadFailedKind::Unsupported, message));
            }
        };
        let session = Onnx::open(load)?.with_exact_products().session(file(load, "model")?)?;
        session::check(&session, &["input", "input_lengths", "scales"], 1)?;
        let family = config.language.as_ref().map_or(&config.espeak.voice, |language| &language.family);
        let languages = Some(text::base(family)).filter(|code| !code.is_empty()).into_iter().collect();
        Ok(Self { session, config, espeak, languages })
    }

    /// The speaker of a voice with several.
    fn speaker(&self, voice: &str) -> Result<Option<i64>, Failed> {
        let config = &self.config;
        if config.num_speakers <= 1 {
            return Ok(None);
        }
        if voice.is_empty() {
            return Ok(Some(config.default_speaker_id));
        }
        let number = || voice.parse().ok().filter(|id| (0..i64::from(config.num_speakers)).contains(id));
        let id = config.speaker_id_map.get(voice).copied().or_else(number);
        id.map(Some).ok_or_else(|| Failed::new(FailedKind::Unsupported, format!("This voice has no speaker {voice}.")))
    }

    fn synthesise(&mut self, ids: Vec<i64>, speaker: Option<i64>, speed: f32, stop: &Stop) -> Result<Vec<f32>, Failed> {
        let Inference { noise_scale, length_scale, noise_w } = self.config.inference;
        let scales = vec![noise_scale, length_scale / speed, noise_w];
        let count = ids.len();
        let inputs = || -> ort::Result<_> {
            let mut inputs = ort::inputs![
                "input" => Tensor::from_array(([1, count], ids))?,
                "input_lengths" => Tensor::from_array(([1], vec![count as i64]))?,
                "scales" => Tensor::from_array(([3], scales))?,
            ];
            if let Some(speaker) = speaker {
                inputs.extend(ort::inputs!["sid" => Tensor::from_array(([1], vec![speaker]))?]);
            }
            Ok(inputs)
        };
        let inputs = inputs().map_err(session::engine)?;
        session::run(&mut self.session, inputs, stop, |outputs| {
            let (_, samples) = outputs[0].try_extract_tensor::<f32>()?;
            Ok(samples.to_vec())
        })
    }
}

impl Model for Piper {
    fn ready(&self) -> Event {
        let mut voices: Vec<_> = self.config.speaker_id_map.iter().collect();
        voices.sort_by_key(|(_, id)| **id);
        Event::Ready {
            engine: "Piper".into(),
            languages: self.languages.clone(),
            voices: voices.into_iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    fn speak(&mut self, utterance: &Utterance, stop: &Stop, audio: &mut TakeAudio<'_>) -> Result<(), Failed> {
        text::check_language(&utterance.text, utterance.language.as_deref(), &self.languages)?;
        let speaker = self.speaker(&utterance.voice)?;
        let language = self.languages.first().map_or("en", String::as_str).to_owned();
        let pieces = text::pieces(&utterance.text, &language, LENGTHS)?;
        let phonemes = match &self.espeak {
            Some(espeak) => espeak.read(&pieces, |phonemes| phonemes, stop)?,
            None => pieces,
        };
        for phonemes in phonemes {
            stop.check()?;
            let ids = ids(&phonemes, &self.config);
            let mut samples = self.synthesise(ids, speaker, speed(utterance.speed), stop)?;
            limit(&mut samples);
            audio(self.config.audio.sample_rate, &samples)?;
        }
        if let Some(espeak) = &self.espeak {
            espeak.prepare();
        }
        Ok(())
    }
}

/// The network's numbers of the phonemes: a start, an end, and padding between all.
fn ids(phonemes: &str, config: &Config) -> Vec<i64> {
    let map = &config.phoneme_id_map;
    let of = |mark: &str| map.get(mark).map_or(&[][..], Vec::as_slice);
    let longest = config.vowel_clusters.iter().map(Vec::len).max().unwrap_or(1);
    let characters: Vec<String> = phonemes.nfd().map(String::from).collect();
    let mut ids: Vec<i64> = [of("^"), of("_")].concat();
    let mut at = 0;
    while let Some(character) = characters.get(at) {
        // Some voices have one phoneme for vowels that follow one another.
        let cluster = (2..=longest).rev().find_map(|length| {
            let run = characters.get(at..at + length)?;
            config.vowel_clusters.iter().any(|cluster| cluster == run).then(|| (run.concat(), length))
        });
        let (phoneme, length) = cluster.unwrap_or_else(|| (character.clone(), 1));
        at += length;
        // The marks of start, end and padding are no phonemes; a phoneme that the network was not trained on is left out.
        if !matches!(phoneme.as_str(), "_" | "^" | "$")
            && let Some(numbers) = map.get(&phoneme)
        {
            ids.extend(numbers);
            ids.extend(of("_"));
        }
    }
    ids.extend(of("$"));
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let map =
            r#""_": [0], "^": [1], "$": [2], " ": [3], "a": [4], "\u0303": [5, 6], "b": [7], "aɪ": [8], "i": [9]"#;
        serde_json::from_str(&format!(r#"{{"audio": {{"sample_rate": 22050}}, "phoneme_id_map": {{{map}}}{more}}}"#))
            .unwrap()
    }

    #[test]
    fn phonemes_are_padded_and_unknown_ones_left_out() {
        assert_eq!(ids("a b", &config("")), [1, 0, 4, 0, 3, 0, 7, 0, 2]);
        // A letter with an accent is two phonemes, and one phoneme may have several numbers.
        assert_eq!(ids("ã", &config("")), [1, 0, 4, 0, 5, 6, 0, 2]);
        assert_eq!(ids("a漢^_$b", &config("")), [1, 0, 4, 0, 7, 0, 2]);
        assert_eq!(ids("", &config("")), [1, 0, 2]);
    }

    #[test]
    fn vowels_that_are_one_phoneme_are_taken_together() {
        let config = config(r#", "vowel_clusters": [["a", "ɪ"]]"#);
        assert_eq!(ids("aɪab", &config), [1, 0, 8, 0, 4, 0, 7, 0, 2]);
    }
}
