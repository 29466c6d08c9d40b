//! Speech synthesis and audio encoding by installed programs.

use crate::programs::{ProgramError, Programs};
use crate::wav::{self, Pcm};

/// Sample rate of the imitated models, in hertz.
const RATE: u32 = 24_000;

/// espeak-ng voice variant for each provider voice. A voice that is not listed gets a variant by its first letter.
/// AURA's default voices have the variants that pocketsphinx recognises best: f5, then f2.
const VOICES: &[(&str, &str)] = &[
    ("hannah", "f5"),
    ("autumn", "f2"),
    ("diana", "f3"),
    ("austin", "m1"),
    ("daniel", "m5"),
    ("troy", "m6"),
    ("kore", "f5"),
    ("zephyr", "f2"),
    ("leda", "f3"),
    ("aoede", "f1"),
    ("puck", "m1"),
    ("charon", "m5"),
    ("fenrir", "m7"),
    ("orus", "m6"),
    ("alloy", "f5"),
    ("ash", "m1"),
    ("ballad", "m5"),
    ("coral", "f3"),
    ("echo", "m3"),
    ("fable", "m7"),
    ("onyx", "m6"),
    ("nova", "f2"),
    ("shimmer", "f1"),
];

fn variant(voice: &str) -> &'static str {
    let voice = voice.to_lowercase();
    if let Some((_, variant)) = VOICES.iter().find(|(name, _)| *name == voice) {
        return variant;
    }
    const REST: [&str; 4] = ["m1", "f2", "m5", "f3"];
    REST[usize::from(voice.bytes().next().unwrap_or(0)) % REST.len()]
}

/// Synthesises a text at about 150 words a minute, 24 kHz mono. `[directions]` and `<tags>` are left out.
pub(crate) async fn synthesise(
    programs: &Programs,
    text: &str,
    voice: &str,
    language: &str,
) -> Result<Pcm, ProgramError> {
    let voice = format!("{language}+{}", variant(voice));
    let arguments = ["--stdin", "--stdout", "-s", "150", "-v", &voice];
    let bytes = programs.run("espeak-ng", &programs.espeak, &arguments, spoken(text).as_bytes()).await?;
    // espeak-ng announces 2 GB in the WAV header that it writes to a pipe.
    let pcm =
        wav::read(&bytes).map_err(|error| ProgramError::Failed { program: "espeak-ng", reason: error.to_string() })?;
    Ok(pcm.mono_at(RATE))
}

fn spoken(text: &str) -> String {
    let mut out = String::new();
    let mut inside = None;
    for letter in text.chars() {
        match (inside, letter) {
            (None, '[') => inside = Some(']'),
            (None, '<') => inside = Some('>'),
            (Some(end), letter) if letter == end => inside = None,
            (Some(_), _) => {}
            (None, letter) => out.push(letter),
        }
    }
    out
}

/// Encodes as `flac` or `mp3` with lame, ffmpeg or sox.
pub(crate) async fn encode(programs: &Programs, pcm: &Pcm, format: &'static str) -> Result<Vec<u8>, ProgramError> {
    let file = pcm.to_wav();
    if format == "mp3" && programs.lame.is_some() {
        return programs.run("lame", &programs.lame, &["--quiet", "-", "-"], &file).await;
    }
    if programs.ffmpeg.is_some() {
        let arguments = ["-v", "error", "-f", "wav", "-i", "pipe:0", "-f", format, "pipe:1"];
        return programs.run("ffmpeg", &programs.ffmpeg, &arguments, &file).await;
    }
    programs.run("sox", &programs.sox, &["-t", "wav", "-", "-t", format, "-"], &file).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_and_tags_are_left_out() {
        assert_eq!(spoken("[cheerful] Good <short pause>morning."), " Good morning.");
    }
}
