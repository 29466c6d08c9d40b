//! Kokoro-82M voices, Apache-2.0, for the languages whose phonemes the program espeak-ng knows.

mod vocabulary;

use aura_local::protocol::{Event, FailedKind, Load, LoadFailedKind};
use ort::session::Session;
use ort::value::Tensor;

use crate::model::{Failed, LoadFailed, Model, Stop, TakeAudio, Utterance};
use crate::onnx::Onnx;
use crate::tts::espeak::{Espeak, TIE};
use crate::tts::text::{self, Lengths};
use crate::tts::{bytes, damaged, file, limit, session, speed};

const RATE: u32 = 24_000;
const LENGTHS: Lengths = Lengths { first: 60, longest: 200 };
/// The values that describe a voice, for one length of the text.
const STYLE: usize = 256;
/// The longest text of one run, in phonemes.
const LONGEST: usize = 510;
/// The number of a space.
const SPACE: i64 = 16;

/// A voice's values for each length of a text.
struct Voice {
    name: String,
    /// Its language, as espeak-ng calls it.
    language: &'static str,
    styles: Vec<f32>,
}

/// Loaded Kokoro voices.
pub(super) struct Kokoro {
    session: Session,
    /// The name of the input that takes phonemes: exports differ.
    tokens: &'static str,
    voices: Vec<Voice>,
    /// The program for each language of the voices.
    espeak: Vec<(&'static str, Espeak)>,
}

/// The language of a voice by the first letter of its name, as espeak-ng calls it.
fn language(name: &str) -> Option<&'static str> {
    Some(match name.bytes().next()? {
        b'a' => "en-us",
        b'b' => "en-gb",
        b'e' => "es",
        b'f' => "fr-fr",
        b'h' => "hi",
        b'i' => "it",
        b'p' => "pt-br",
        _ => return None,
    })
}

impl Kokoro {
    pub(super) fn load(load: &Load) -> Result<Self, LoadFailed> {
        // Fails with the role that is missing.
        file(load, "voices")?;
        let mut voices = Vec::new();
        for (role, path) in load.files.iter().filter(|(role, _)| role.split('/').next() == Some("voices")) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let language = language(&name).ok_or_else(|| {
                let message =
                    format!("AURA cannot read text for the voice {name}: choose a voice of another language.");
                LoadFailed::new(LoadFailedKind::Unsupported, message)
            })?;
            voices.push(Voice { name, language, styles: styles(role, &bytes(load, role)?)? });
        }
        let mut espeak: Vec<(&'static str, Espeak)> = Vec::new();
        for voice in &voices {
            if !espeak.iter().any(|(language, _)| *language == voice.language) {
                espeak.push((voice.language, Espeak::open(load, voice.language, true)?));
            }
        }
        let session = Onnx::open(load)?.with_exact_products().session(file(load, "model")?)?;
        let is_tokens = session.inputs().iter().any(|input| input.name() == "tokens");
        let tokens = if is_tokens { "tokens" } else { "input_ids" };
        session::check(&session, &[tokens, "style", "speed"], 1)?;
        Ok(Self { session, tokens, voices, espeak })
    }

    /// The index of the voice that is asked for, or of the first one that speaks the language.
    fn voice(&self, name: &str, language: Option<&str>) -> Result<usize, Failed> {
        let speaks = |voice: &Voice| language.is_none_or(|language| text::base(language) == text::base(voice.language));
        let is_asked = |voice: &Voice| if name.is_empty() { speaks(voice) } else { voice.name == name };
        let unsupported = |message: String| Failed::new(FailedKind::Unsupported, message);
        let index = self.voices.iter().position(is_asked);
        index.ok_or_else(|| {
            unsupported(if name.is_empty() {
                "None of these voices speaks the language of this text: choose another voice.".into()
            } else {
                format!("There is no voice {name} in this model.")
            })
        })
    }

    /// The program that reads a language.
    fn espeak(&self, language: &str) -> Result<&Espeak, Failed> {
        let program = self.espeak.iter().find(|(other, _)| *other == language);
        program.map(|(_, espeak)| espeak).ok_or_else(|| Failed::new(FailedKind::Engine, "The voice has no language."))
    }

    fn synthesise(&mut self, ids: &[i64], voice: usize, speed: f32, stop: &Stop) -> Result<Vec<f32>, Failed> {
        let styles = &self.voices[voice].styles;
        let row = (ids.len().saturating_sub(1)).min(styles.len() / STYLE - 1);
        let style = styles[row * STYLE..][..STYLE].to_vec();
        // A pause at both ends.
        let padded: Vec<i64> = [0].iter().chain(ids).chain(&[0]).copied().collect();
        let inputs = || -> ort::Result<_> {
            Ok(ort::inputs![
                self.tokens => Tensor::from_array(([1, padded.len()], padded))?,
                "style" => Tensor::from_array(([1, STYLE], style))?,
                "speed" => Tensor::from_array(([1], vec![speed]))?,
            ])
        };
        let inputs = inputs().map_err(session::engine)?;
        session::run(&mut self.session, inputs, stop, |outputs| Ok(outputs[0].try_extract_tensor::<f32>()?.1.to_vec()))
    }
}

impl Model for Kokoro {
    fn ready(&self) -> Event {
        let mut languages: Vec<String> = self.espeak.iter().map(|(language, _)| text::base(language)).collect();
        languages.sort_unstable();
        languages.dedup();
        let voices = self.voices.iter().map(|voice| voice.name.clone()).collect();
        Event::Ready { engine: "Kokoro".into(), languages, voices }
    }

    fn speak(&mut self, utterance: &Utterance, stop: &Stop, audio: &mut TakeAudio<'_>) -> Result<(), Failed> {
        let voice = self.voice(&utterance.voice, utterance.language.as_deref())?;
        let language = self.voices[voice].language;
        let base = text::base(language);
        text::check_language(&utterance.text, utterance.language.as_deref(), std::slice::from_ref(&base))?;
        let pieces = text::pieces(&utterance.text, &base, LENGTHS)?;
        let phonemes = self.espeak(language)?.read(&pieces, |phonemes| convert(&phonemes, language), stop)?;
        for phonemes in phonemes {
            stop.check()?;
            let ids: Vec<i64> = phonemes.chars().filter_map(vocabulary::number).collect();
            for part in parts(&ids) {
                let mut samples = self.synthesise(part, voice, speed(utterance.speed), stop)?;
                limit(&mut samples);
                audio(RATE, &samples)?;
            }
        }
        self.espeak(language)?.prepare();
        Ok(())
    }
}

/// A style table: 32-bit numbers, little-endian.
fn styles(role: &str, bytes: &[u8]) -> Result<Vec<f32>, LoadFailed> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(STYLE * 4) {
        return Err(damaged(role, "its size is not that of a style table"));
    }
    let styles: Vec<f32> =
        bytes.chunks_exact(4).map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]])).collect();
    // Random bytes hold numbers that no voice has.
    if styles.iter().all(|value| value.abs() < 100.0) { Ok(styles) } else { Err(damaged(role, "it is no style table")) }
}

/// Cuts phonemes at spaces, so that no part is too long.
fn parts(ids: &[i64]) -> Vec<&[i64]> {
    let mut parts = Vec::new();
    let mut rest = ids;
    while rest.len() > LONGEST {
        let cut = rest[..LONGEST].iter().rposition(|id| *id == SPACE).filter(|cut| *cut > 0).unwrap_or(LONGEST);
        let (part, after) = rest.split_at(cut);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

/// The phonemes of espeak-ng in the alphabet of the voice, as misaki 0.9.4 (Apache-2.0) has them: `EspeakFallback` for English,
/// `EspeakG2P` for other languages. Its tie is `^`.
fn convert(phonemes: &str, language: &str) -> String {
    const ENGLISH: [(&str, &str); 20] = [
        ("ʔˌn\u{329}", "tn"),
        ("ʔn\u{329}", "tn"),
        ("a^ɪ", "I"),
        ("a^ʊ", "W"),
        ("d^ʒ", "ʤ"),
        ("e^ɪ", "A"),
        ("t^ʃ", "ʧ"),
        ("ɔ^ɪ", "Y"),
        ("ə^l", "ᵊl"),
        ("ʔn", "tn"),
        ("ʲo", "jo"),
        ("ʲə", "jə"),
        ("ʔ", "t"),
        ("e", "A"),
        ("ʲ", ""),
        ("ɚ", "əɹ"),
        ("r", "ɹ"),
        ("x", "k"),
        ("ç", "k"),
        ("ɐ", "ə"),
    ];
    const BRITISH: [(&str, &str); 3] = [("e^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q")];
    const AMERICAN: [(&str, &str); 5] = [("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", "")];
    const OTHER: [(&str, &str); 11] = [
        ("a^ɪ", "I"),
        ("a^ʊ", "W"),
        ("d^z", "ʣ"),
        ("d^ʒ", "ʤ"),
        ("e^ɪ", "A"),
        ("o^ʊ", "O"),
        ("s^s", "S"),
        ("t^s", "ʦ"),
        ("t^ʃ", "ʧ"),
        ("ɔ^ɪ", "Y"),
        ("ə^ʊ", "Q"),
    ];
    let replace = |phonemes: String, table: &[(&str, &str)]| {
        table.iter().fold(phonemes, |phonemes, (from, to)| phonemes.replace(from, to))
    };
    let phonemes = phonemes.replace(TIE, "^");
    let phonemes = if language.starts_with("en") {
        let phonemes = replace(phonemes, &ENGLISH).replace('ɬ', "l").replace('\u{303}', "");
        let phonemes = syllabic(&phonemes);
        let phonemes = replace(phonemes, if language == "en-gb" { &BRITISH } else { &AMERICAN });
        phonemes.replace('o', "ɔ")
    } else {
        replace(phonemes, &OTHER).replace('-', "")
    };
    phonemes.replace('^', "")
}

/// Writes a syllabic consonant with a short vowel before it.
fn syllabic(phonemes: &str) -> String {
    let mut written = String::with_capacity(phonemes.len());
    for phoneme in phonemes.chars() {
        if phoneme != '\u{329}' {
            written.push(phoneme);
        } else if let Some(consonant) = written.pop() {
            if !consonant.is_whitespace() {
                written.push('ᵊ');
            }
            written.push(consonant);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phonemes_are_written_in_the_alphabet_of_the_voice() {
        let tied = |phonemes: &str| phonemes.replace('^', &TIE.to_string());
        assert_eq!(convert(&tied("həlˈo^ʊ wˈɜːld"), "en-us"), "həlˈO wˈɜɹld");
        assert_eq!(convert(&tied("həlˈə^ʊ wˈɜːld"), "en-gb"), "həlˈQ wˈɜːld");
        assert_eq!(convert(&tied("t^ʃˈe^ɪnd^ʒ"), "en-us"), "ʧˈAnʤ");
        assert_eq!(convert("bˈʌʔn\u{329} mˈɪdl\u{329}", "en-us"), "bˈʌtn mˈɪdᵊl");
        assert_eq!(convert(&tied("mut^ʃˈas ɡɾˈa-sjas"), "es"), "muʧˈas ɡɾˈasjas");
    }

    #[test]
    fn long_phonemes_are_cut_at_spaces() {
        let ids: Vec<i64> = (0..1_200).map(|index| if index % 7 == 6 { SPACE } else { 50 }).collect();
        let parts = parts(&ids);
        assert!(parts.iter().all(|part| part.len() <= LONGEST));
        assert_eq!(parts.concat(), ids);
        assert_eq!(super::parts(&vec![50; 600]).len(), 2);
        assert!(super::parts(&[]).is_empty());
    }

    #[test]
    fn a_style_table_has_whole_rows_of_small_numbers() {
        let row: Vec<u8> = [0.5_f32; STYLE].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(styles("voices", &row.repeat(2)).unwrap().len(), 2 * STYLE);
        for bad in [&row[..100], &[], &[0x7f; STYLE * 4]] {
            assert_eq!(styles("voices", bad).unwrap_err().kind, LoadFailedKind::BadFile);
        }
    }
}
