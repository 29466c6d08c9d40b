//! The first and the last word of a question are recorded, when a person begins to speak at the press and ends at the release.
//!
//! `AURA_RECORDINGS` sets how many pieces of human speech are played in each mode of the microphone; three without it, at most 40.

use std::path::{Path, PathBuf};

use aura_sandbox::{FixedAnswers, SandboxConfig};
use aura_tests::aura::{App, Aura};
use aura_tests::desktop::with_desktop_alone;
use aura_tests::display::xdotool;
use aura_tests::providers::Providers;
use aura_tests::sound::play_into_microphone;

use crate::push_to_talk::{SHORTCUT, hold_shortcut, question};

/// Samples per second of the recordings.
const RATE: usize = 16_000;
/// What is looked for at each end of a piece: a short word.
const WORD: usize = RATE / 4;
/// How much of a word may be missing.
const MARGIN: usize = RATE / 20;
/// The length of a piece, before its ends are moved to speech, and the time to the next.
const PIECE: usize = RATE * 17 / 10;
const STEP: usize = RATE * 2;
/// A block that is louder, in root mean square, is speech.
const LOUD: f64 = 0.02;
/// Correlation of a word with its recording, which a resampler changes a little.
const SAME: f64 = 0.8;
/// A busy computer leaves gaps in what is played or recorded.
const ATTEMPTS: usize = 3;

#[test]
fn the_first_and_the_last_word_are_recorded() {
    with_desktop_alone("first_words::the_first_and_the_last_word_are_recorded", || {
        let count = std::env::var("AURA_RECORDINGS").map_or(3, |count| count.parse().expect("a number"));
        let all = pieces();
        assert!(all.len() >= 40, "{} pieces", all.len());
        let pieces: Vec<_> = all.iter().step_by((all.len() / count).max(1)).take(count).collect();
        for mode in ["after_use", "always"] {
            let fixed = FixedAnswers { transcript: Some("do i need a coat".into()), audio: None };
            let providers = Providers::of(SandboxConfig { fixed, ..SandboxConfig::default() });
            let settings = format!("[listening]\nstandby = \"{mode}\"\n[speaking]\nmuted = true\n");
            let app = Aura::new().living(3_000).settings(&settings).with_all(providers.groq()).start();
            let file = app.aura().folder().join("piece.wav");
            // The key is known to work, and the microphone is open from the first use on.
            let question = question(&app, "do i need a coat");
            hold_shortcut(&app);
            play_into_microphone(&question).wait();
            xdotool(&["keyup", SHORTCUT]);
            app.turn(1);
            let mut turns = 1;
            let mut heard_at_once = 0;
            for (number, piece) in pieces.iter().enumerate() {
                let heard = (1..=ATTEMPTS).find(|_| {
                    let recorded = ask(&app, &file, piece, &mut turns);
                    let (first, last) = (&piece[..WORD], &piece[piece.len() - WORD..]);
                    let found = [likeness(first, &recorded).0, likeness(last, &recorded).0];
                    let is_heard = found.iter().all(|likeness| *likeness > SAME);
                    if !is_heard {
                        let middle = piece.len() / 2;
                        let (likeness, at) = likeness(&piece[middle..middle + WORD], &recorded);
                        let lead = (at as f64 - (middle + MARGIN) as f64) / RATE as f64 * 1e3;
                        eprintln!(
                            "{mode}, piece {number}: first word {:.2}, last word {:.2}; begins {lead:.0} ms after the recording ({likeness:.2})",
                            found[0], found[1]
                        );
                    }
                    is_heard
                });
                heard_at_once += usize::from(heard == Some(1));
                assert!(heard.is_some(), "{mode}: a word of piece {number} is missing in all recordings of it");
            }
            eprintln!("{mode}: first and last word of {heard_at_once} of {} pieces heard at once", pieces.len());
        }
    });
}

/// Plays a piece in the moment of the press, and releases at its end. Returns the recording.
fn ask(app: &App, file: &Path, piece: &[f32], turns: &mut usize) -> Vec<f32> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(file, spec).expect("the file can be created");
    for sample in piece {
        wav.write_sample((sample * 32767.0) as i16).expect("the file can be written");
    }
    wav.finalize().expect("the file can be written");
    let mut playing = play_into_microphone(file);
    xdotool(&["keydown", SHORTCUT]);
    playing.wait();
    xdotool(&["keyup", SHORTCUT]);
    *turns += 1;
    let record = app.turn(*turns);
    let recording = record["question_audio"].as_str().unwrap_or_else(|| panic!("{record:#}"));
    let recording = std::fs::read(recording).expect("the recording is kept");
    let pcm = aura_audio::decode(recording.into()).expect("a recording can be decoded");
    assert_eq!(pcm.rate as usize, RATE);
    // A word whose first milliseconds were spoken before the press is heard, too.
    [&[0.0; MARGIN][..], &pcm.samples, &[0.0; MARGIN]].concat()
}

/// Pieces of the human speech among the fixtures, which begin and end within words.
fn pieces() -> Vec<Vec<f32>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/speech");
    let mut all = Vec::new();
    for name in ["beckett", "german", "jfk", "two_cities"] {
        let bytes = std::fs::read(folder.join(name).with_extension("wav")).expect("a fixture");
        let speech = aura_audio::decode(bytes.into()).expect("a fixture").samples;
        for window in speech.chunks(STEP).map(|chunk| &chunk[..chunk.len().min(PIECE)]) {
            let blocks: Vec<_> = window.chunks_exact(RATE / 50).collect();
            let is_speech = |block: &&[f32]| {
                let power: f64 = block.iter().map(|sample| f64::from(*sample).powi(2)).sum();
                (power / block.len() as f64).sqrt() > LOUD
            };
            let (first, last) = (blocks.iter().position(is_speech), blocks.iter().rposition(is_speech));
            if let (Some(first), Some(last)) = (first, last) {
                let piece = &window[first * RATE / 50..(last + 1) * RATE / 50];
                if piece.len() >= 2 * WORD {
                    all.push(piece.to_vec());
                }
            }
        }
    }
    all
}

/// The highest correlation of a word with any place of a recording, 0 to 1, and this place. At half the rate, which is enough for speech.
fn likeness(word: &[f32], recorded: &[f32]) -> (f64, usize) {
    let (word, recorded) = (halved(word), halved(recorded));
    let energy = |samples: &[f32]| samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    let own = energy(&word);
    let at = |place: &[f32]| {
        let product: f64 = place.iter().zip(&word).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        product / (own * energy(place)).sqrt().max(f64::MIN_POSITIVE)
    };
    let all = recorded.windows(word.len()).map(at).enumerate();
    all.fold((0.0, 0), |best, (place, likeness)| if likeness > best.0 { (likeness, 2 * place) } else { best })
}

/// The samples at half their rate.
fn halved(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect()
}
