//! Text to speech by piper, espeak-ng, or the voice of the operating system.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Offline, PROVIDER, TempFile, args};
use crate::audio::WavDecoder;
use crate::catalog;
use crate::providers::wire::speech::{silent, unreadable};
use crate::providers::{Class, Failure, SpeechPiece, TtsRequest};

/// Words per minute. espeak-ng's own 175 is hard to follow.
const WORDS_PER_MINUTE: f32 = 150.0;
/// What espeak-ng can be told, words per minute.
const PACES: (f32, f32) = (80.0, 450.0);

/// A voice that was found.
pub(super) enum Speaker {
    /// piper, and its model.
    Piper(PathBuf, PathBuf),
    /// espeak-ng, or its ancestor with the same arguments.
    Espeak(PathBuf),
    /// macOS.
    Say(PathBuf),
    /// Windows: PowerShell, which reaches the system's voices.
    Sapi(PathBuf),
}

pub(super) fn program(offline: &Offline) -> Option<Speaker> {
    let find = |name: &str| offline.programs.find(name);
    if let Some(model) = &offline.surroundings.piper_model
        && let Some(program) = find("piper")
    {
        return Some(Speaker::Piper(program, model.clone()));
    }
    let espeak = || find("espeak-ng").or_else(|| find("espeak")).map(Speaker::Espeak);
    // `say` and SAPI are written from their documentation; they were not run on their systems.
    if cfg!(target_os = "macos") {
        find("say").map(Speaker::Say).or_else(espeak)
    } else if cfg!(windows) {
        find("powershell").map(Speaker::Sapi).or_else(espeak)
    } else {
        espeak()
    }
}

/// Reads the text from standard input: as an argument it could be taken for an option.
const SAPI_SCRIPT: &str = "Add-Type -AssemblyName System.Speech; \
    $voice = New-Object System.Speech.Synthesis.SpeechSynthesizer; \
    $voice.SetOutputToWaveFile($env:AURA_SPEECH_FILE); \
    [Console]::InputEncoding = [System.Text.Encoding]::UTF8; \
    $voice.Speak([Console]::In.ReadToEnd()); \
    $voice.Dispose()";

pub(super) async fn speak(offline: &Offline, request: &TtsRequest) -> Result<Vec<SpeechPiece>, Failure> {
    let Some(speaker) = program(offline) else {
        return Err(Failure::new(Class::Unsupported, "Nothing on this computer can speak. Install espeak-ng."));
    };
    let text = Bytes::from(request.text.clone());
    let wav = match speaker {
        Speaker::Espeak(program) => {
            let voice = catalog::resolve_voice(PROVIDER.id, &request.model, &request.voice);
            let pace = WORDS_PER_MINUTE * request.delivery.speed.unwrap_or(1.0);
            let pace = pace.clamp(PACES.0, PACES.1).round().to_string();
            let words = args(["--stdin", "--stdout", "-b", "1", "-s", &pace, "-v", &voice]);
            offline.run(program, words, text).await?.stdout.to_vec()
        }
        Speaker::Piper(program, model) => {
            let file = TempFile::new("wav");
            let words =
                vec!["--model".into(), model.into_os_string(), "--output_file".into(), file.0.clone().into_os_string()];
            offline.run(program, words, text).await?;
            file.read().await?
        }
        Speaker::Say(program) => {
            let (file, words_file) = (TempFile::new("wav"), TempFile::holding("txt", &text).await?);
            let mut words = args(["--data-format=LEI16@22050", "-o"]);
            words.extend([file.0.clone().into_os_string(), "-f".into(), words_file.0.clone().into_os_string()]);
            offline.run(program, words, Bytes::new()).await?;
            file.read().await?
        }
        Speaker::Sapi(program) => {
            let file = TempFile::new("wav");
            let path = file.0.to_string_lossy().replace('\'', "''");
            let script = SAPI_SCRIPT.replace("$env:AURA_SPEECH_FILE", &format!("'{path}'"));
            offline.run(program, args(["-NoProfile", "-NonInteractive", "-Command", &script]), text).await?;
            file.read().await?
        }
    };
    pieces(&wav)
}

fn pieces(wav: &[u8]) -> Result<Vec<SpeechPiece>, Failure> {
    let mut decoder = WavDecoder::new();
    let broken = |error| unreadable(false, &error);
    let first = decoder.push(wav).map_err(broken)?;
    let last = decoder.finish().map_err(broken)?;
    let pieces: Vec<SpeechPiece> =
        first.into_iter().chain(last).filter(|pcm| !pcm.samples.is_empty()).map(SpeechPiece::Pcm).collect();
    if pieces.is_empty() { Err(silent()) } else { Ok(pieces) }
}
