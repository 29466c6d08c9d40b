//! Text to speech by piper, espeak-ng, or the voice of the operating system.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Offline, PROVIDER, args};
use crate::types::{Failure, FailureKind, Service, SpeechEvent, SpeechRequest};
use crate::wire::speech_decoder::{silent, unreadable};
use crate::wire::transcription::language_code;
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
pub(super) fn program(offline: &Offline, language: Option<&str>) -> Option<Synthesiser> {
    let find = |name: &str| offline.programs.find(name);
    if let Some(model) = &offline.config.piper_model
        && let Some(program) = find("piper")
        && language.is_none_or(|language| may_speak(model, language))
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

/// Whether a piper voice may know a language. Its file begins with the language: `de_DE-thorsten-medium.onnx`.
fn may_speak(model: &Path, language: &str) -> bool {
    let name = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.split_once('_') {
        Some((code, _)) if code.len() == 2 => code.eq_ignore_ascii_case(language),
        _ => true,
    }
}

/// The espeak voice for a text: the chosen one if it is of the text's language, else that of the language.
fn espeak_voice(chosen: &str, language: Option<&str>) -> String {
    let Some(language) = language else { return chosen.to_owned() };
    let code = match language {
        "zh" => "cmn",
        "no" => "nb",
        code => code,
    };
    let of = chosen.split(['-', '+', '_']).next().unwrap_or_default();
    let has_language = (2..=3).contains(&of.len());
    if !has_language || of.eq_ignore_ascii_case(code) { chosen.to_owned() } else { code.to_owned() }
}

/// Reads the text from standard input, because as an argument it could be taken for an option.
const SAPI_SCRIPT: &str = "Add-Type -AssemblyName System.Speech; \
    $voice = New-Object System.Speech.Synthesis.SpeechSynthesizer; \
    $voice.SetOutputToWaveFile($env:AURA_SPEECH_FILE); \
    [Console]::InputEncoding = [System.Text.Encoding]::UTF8; \
    $voice.Speak([Console]::In.ReadToEnd()); \
    $voice.Dispose()";

pub(super) async fn speak(offline: &Offline, request: &SpeechRequest) -> Result<Vec<SpeechEvent>, Failure> {
    let language = language_code(request.options.language.as_deref());
    let Some(synthesiser) = program(offline, language.as_deref()) else {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "This computer has no voice yet. Download one under Models, or install espeak-ng.",
        ));
    };
    let text = Bytes::from(request.text.clone());
    let wav = match synthesiser {
        Synthesiser::Espeak(program) => {
            let voice = match request.voice.as_str() {
                "" => {
                    let model = offline.catalog.default_model(PROVIDER.id, Service::Tts).unwrap_or_default();
                    offline.catalog.resolve_voice(PROVIDER.id, model, "")
                }
                voice => voice.to_owned(),
            };
            let voice = espeak_voice(&voice, language.as_deref());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_of_the_language_is_taken() {
        for (chosen, language, expected) in [
            ("en-us", None, "en-us"),
            ("en-us", Some("en"), "en-us"),
            ("en-us", Some("de"), "de"),
            ("de+f3", Some("de"), "de+f3"),
            ("en-us", Some("zh"), "cmn"),
            ("mbrola-de5", Some("de"), "mbrola-de5"),
        ] {
            assert_eq!(espeak_voice(chosen, language), expected, "{chosen} {language:?}");
        }
        assert!(may_speak(Path::new("/v/de_DE-thorsten-medium.onnx"), "de"));
        assert!(!may_speak(Path::new("/v/en_US-amy-low.onnx"), "de") && may_speak(Path::new("/v/mine.onnx"), "de"));
    }
}
