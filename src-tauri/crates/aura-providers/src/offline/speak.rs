//! Text to speech by piper, espeak-ng, or the voice of the operating system.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Offline, PROVIDER, args};
use crate::types::{Failure, FailureKind, SpeechEvent, SpeechRequest};
use crate::wire::speech_decoder::{silent, unreadable};
use aura_audio::WavDecoder;

/// The speed, in words per minute. espeak-ng's default of 175 is hard to follow.
const WORDS_PER_MINUTE: f32 = 150.0;
/// The speeds that espeak-ng accepts, in words per minute.
const SPEED_RANGE: (f32, f32) = (80.0, 450.0);

/// An installed speech synthesiser.
pub(super) enum Synthesiser {
    /// piper, and its model file.
    Piper(PathBuf, PathBuf),
    /// espeak-ng, or its predecessor espeak with the same arguments.
    Espeak(PathBuf),
    /// `say` on macOS.
    Say(PathBuf),
    /// PowerShell on Windows, which has access to the system's voices.
    Sapi(PathBuf),
}

/// The best synthesiser that is installed.
pub(super) fn program(offline: &Offline) -> Option<Synthesiser> {
    let find = |name: &str| offline.programs.find(name);
    if let Some(model) = &offline.config.piper_model
        && let Some(program) = find("piper")
    {
        return Some(Synthesiser::Piper(program, model.clone()));
    }
    let espeak = || find("espeak-ng").or_else(|| find("espeak")).map(Synthesiser::Espeak);
    // `say` and SAPI follow their documentation and are untested on their systems.
    if cfg!(target_os = "macos") {
        find("say").map(Synthesiser::Say).or_else(espeak)
    } else if cfg!(windows) {
        find("powershell").map(Synthesiser::Sapi).or_else(espeak)
    } else {
        espeak()
    }
}

/// Reads the text from standard input, because as an argument it could be taken for an option.
const SAPI_SCRIPT: &str = "Add-Type -AssemblyName System.Speech; \
    $voice = New-Object System.Speech.Synthesis.SpeechSynthesizer; \
    $voice.SetOutputToWaveFile($env:AURA_SPEECH_FILE); \
    [Console]::InputEncoding = [System.Text.Encoding]::UTF8; \
    $voice.Speak([Console]::In.ReadToEnd()); \
    $voice.Dispose()";

pub(super) async fn speak(offline: &Offline, request: &SpeechRequest) -> Result<Vec<SpeechEvent>, Failure> {
    let Some(synthesiser) = program(offline) else {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "No program on this computer can speak. Install espeak-ng.",
        ));
    };
    let text = Bytes::from(request.text.clone());
    let wav = match synthesiser {
        Synthesiser::Espeak(program) => {
            let voice = offline.catalog.resolve_voice(PROVIDER.id, &request.model, &request.voice);
            let speed = WORDS_PER_MINUTE * request.options.speed.unwrap_or(1.0);
            let speed = speed.clamp(SPEED_RANGE.0, SPEED_RANGE.1).round().to_string();
            let arguments = args(["--stdin", "--stdout", "-b", "1", "-s", &speed, "-v", &voice]);
            offline.run(program, arguments, text).await?.stdout.to_vec()
        }
        Synthesiser::Piper(program, model) => {
            let file = offline.temp_file("wav", Bytes::new()).await?;
            let arguments = vec!["--model".into(), model.into_os_string(), "--output_file".into(), file.argument()];
            offline.run(program, arguments, text).await?;
            file.read().await?
        }
        Synthesiser::Say(program) => {
            let file = offline.temp_file("wav", Bytes::new()).await?;
            let text_file = offline.temp_file("txt", text).await?;
            let mut arguments = args(["--data-format=LEI16@22050", "-o"]);
            arguments.extend([file.argument(), "-f".into(), text_file.argument()]);
            offline.run(program, arguments, Bytes::new()).await?;
            file.read().await?
        }
        Synthesiser::Sapi(program) => {
            let file = offline.temp_file("wav", Bytes::new()).await?;
            let path = file.argument().to_string_lossy().replace('\'', "''");
            let script = SAPI_SCRIPT.replace("$env:AURA_SPEECH_FILE", &format!("'{path}'"));
            offline.run(program, args(["-NoProfile", "-NonInteractive", "-Command", &script]), text).await?;
            file.read().await?
        }
    };
    decode(&wav)
}

fn decode(wav: &[u8]) -> Result<Vec<SpeechEvent>, Failure> {
    let mut decoder = WavDecoder::new();
    let broken = |error| unreadable(false, &error);
    let first = decoder.push(wav).map_err(broken)?;
    let last = decoder.finish().map_err(broken)?;
    let events: Vec<SpeechEvent> =
        first.into_iter().chain(last).filter(|pcm| !pcm.samples.is_empty()).map(SpeechEvent::Pcm).collect();
    if events.is_empty() { Err(silent()) } else { Ok(events) }
}
