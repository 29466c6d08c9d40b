//! Speech to text.

use std::ffi::OsString;
use std::io::Write;

use super::{Programs, SILENCE, SpeechError};
use crate::wav::{self, Pcm};

/// What recognisers expect.
const RATE: u32 = 16_000;

/// The loudest sample after levelling. pocketsphinx hears clean speech better with headroom.
const PEAK: f64 = 10_000.0;

/// Silence around the speech: pocketsphinx loses a word that touches the edge of the file.
const MARGIN_SAMPLES: usize = 4_800;

/// What was recognised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) seconds: f64,
    pub(crate) silent: bool,
}

/// Decodes a sound file: WAV here, anything else through a program.
pub(crate) async fn decode(programs: &Programs, bytes: &[u8]) -> Result<Pcm, SpeechError> {
    if let Ok(pcm) = wav::read(bytes) {
        return Ok(pcm);
    }
    // A RIFF file that cannot be read is broken, whatever other programs might make of it.
    if bytes.len() < 16 || bytes.starts_with(b"RIFF") {
        return Err(SpeechError::NotMedia);
    }
    let converted = if programs.ffmpeg.is_some() {
        let arguments = ["-v", "error", "-i", "pipe:0", "-f", "wav", "-ac", "1", "-ar", "16000", "pipe:1"];
        programs.run("ffmpeg", &programs.ffmpeg, &arguments, bytes).await
    } else {
        let kind = if bytes.starts_with(b"fLaC") {
            "flac"
        } else if bytes.starts_with(b"OggS") {
            "ogg"
        } else if bytes.starts_with(b"ID3") || bytes.starts_with(&[0xFF]) {
            "mp3"
        } else {
            return Err(SpeechError::NotMedia);
        };
        programs.run("sox", &programs.sox, &["-t", kind, "-", "-t", "wav", "-"], bytes).await
    };
    match converted {
        Ok(bytes) => wav::read(&bytes).map_err(|_| SpeechError::NotMedia),
        Err(SpeechError::Failed { .. }) => Err(SpeechError::NotMedia),
        Err(missing) => Err(missing),
    }
}

/// Recognises English speech.
pub(crate) async fn recognise(programs: &Programs, pcm: &Pcm) -> Result<Heard, SpeechError> {
    let seconds = pcm.seconds();
    if pcm.loudness() < SILENCE {
        return Ok(Heard { text: String::new(), seconds, silent: true });
    }
    let failed = |error: std::io::Error| SpeechError::Failed { program: "temporary file", reason: error.to_string() };
    let mut file = tempfile::Builder::new().suffix(".wav").tempfile().map_err(failed)?;
    file.write_all(&prepared(pcm).file()).map_err(failed)?;
    let path = file.path().as_os_str().to_owned();
    let argument = |text: &str| OsString::from(text);
    let output = if let Some((whisper, model)) = &programs.whisper {
        let arguments = [argument("-m"), model.into(), argument("-f"), path, argument("-nt"), argument("-np")];
        programs.run("whisper-cli", &Some(whisper.clone()), &arguments, &[]).await?
    } else {
        let mut arguments = vec![argument("-infile"), path];
        // Noise removal is for live microphones and costs words on a clean recording.
        arguments.extend(["-logfn", "/dev/null", "-remove_noise", "no"].map(OsString::from));
        programs.run("pocketsphinx_continuous", &programs.pocketsphinx, &arguments, &[]).await?
    };
    let text = String::from_utf8_lossy(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Heard { text, seconds, silent: false })
}

/// 16 kHz mono at an even level, with silence at both ends.
fn prepared(pcm: &Pcm) -> Pcm {
    let mut speech = pcm.mono_at(RATE);
    let loudest = speech.samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(1).max(1);
    let gain = PEAK / f64::from(loudest);
    let margin = || std::iter::repeat_n(0, MARGIN_SAMPLES);
    let levelled = speech.samples.iter().map(|s| (f64::from(*s) * gain) as i16);
    speech.samples = margin().chain(levelled).chain(margin()).collect();
    speech
}
