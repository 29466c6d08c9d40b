//! Speech recognition and audio decoding by installed programs.

use std::ffi::OsString;
use std::io::Write;

use crate::programs::{ProgramError, Programs};
use crate::wav::{self, Pcm};

/// Below this loudness (root mean square, 0 to 1) a recording is silence and is not recognised.
pub(crate) const SILENCE: f64 = 0.001;

/// Sample rate that the recognisers expect, in hertz.
const RATE: u32 = 16_000;

/// Peak sample after normalisation. pocketsphinx recognises clean speech better with headroom.
const PEAK: f64 = 10_000.0;

/// Silence added at both ends, 0.3 s at 16 kHz. pocketsphinx loses a word that touches the edge of the file.
const MARGIN_SAMPLES: usize = 4_800;

/// Recognised speech.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    pub(crate) text: String,
    /// Length of the recording in seconds.
    pub(crate) seconds: f64,
    /// Whether the recording is silence.
    pub(crate) is_silent: bool,
}

/// Decodes an audio file: WAV directly, any other format with ffmpeg or sox.
pub(crate) async fn decode_audio_file(programs: &Programs, bytes: &[u8]) -> Result<Pcm, ProgramError> {
    if let Ok(pcm) = wav::read(bytes) {
        return Ok(pcm);
    }
    // A RIFF file that cannot be read is broken, even if another program accepts it.
    if bytes.len() < 16 || bytes.starts_with(b"RIFF") {
        return Err(ProgramError::UnsupportedMedia);
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
            return Err(ProgramError::UnsupportedMedia);
        };
        programs.run("sox", &programs.sox, &["-t", kind, "-", "-t", "wav", "-"], bytes).await
    };
    match converted {
        Ok(bytes) => wav::read(&bytes).map_err(|_| ProgramError::UnsupportedMedia),
        Err(ProgramError::Failed { .. }) => Err(ProgramError::UnsupportedMedia),
        Err(missing) => Err(missing),
    }
}

/// Recognises English speech.
pub(crate) async fn recognise(programs: &Programs, pcm: &Pcm) -> Result<Transcript, ProgramError> {
    let seconds = pcm.seconds();
    if pcm.loudness() < SILENCE {
        return Ok(Transcript { text: String::new(), seconds, is_silent: true });
    }
    let failed = |error: std::io::Error| ProgramError::Failed { program: "temporary file", reason: error.to_string() };
    let mut file = tempfile::Builder::new().suffix(".wav").tempfile().map_err(failed)?;
    file.write_all(&prepared(pcm).to_wav()).map_err(failed)?;
    let path = file.path().as_os_str().to_owned();
    let argument = |text: &str| OsString::from(text);
    let output = if let Some((whisper, model)) = &programs.whisper {
        let arguments = [argument("-m"), model.into(), argument("-f"), path, argument("-nt"), argument("-np")];
        programs.run("whisper-cli", &Some(whisper.clone()), &arguments, &[]).await?
    } else {
        let mut arguments = vec![argument("-infile"), path];
        // Noise removal is meant for live microphones and loses words of a clean recording.
        arguments.extend(["-logfn", "/dev/null", "-remove_noise", "no"].map(OsString::from));
        programs.run("pocketsphinx_continuous", &programs.pocketsphinx, &arguments, &[]).await?
    };
    let text = String::from_utf8_lossy(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Transcript { text, seconds, is_silent: false })
}

/// Converts to 16 kHz mono, normalises the level and adds silence at both ends.
fn prepared(pcm: &Pcm) -> Pcm {
    let mut speech = pcm.mono_at(RATE);
    let loudest = speech.samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(1).max(1);
    let gain = PEAK / f64::from(loudest);
    let margin = || std::iter::repeat_n(0, MARGIN_SAMPLES);
    let levelled = speech.samples.iter().map(|s| (f64::from(*s) * gain) as i16);
    speech.samples = margin().chain(levelled).chain(margin()).collect();
    speech
}
