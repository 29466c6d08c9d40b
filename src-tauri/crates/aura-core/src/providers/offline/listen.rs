//! Speech to text by whisper-cli or pocketsphinx.

use std::ffi::OsString;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;

use super::super::wire::openai_audio;
use super::{Offline, TempFile, args};
use crate::providers::{Class, Failure, SttRequest, Transcript, Usage};

/// A recogniser that was found.
pub(super) enum Recogniser {
    /// whisper.cpp's program, and its model.
    Whisper(PathBuf, PathBuf),
    /// pocketsphinx as Debian 12 has it.
    Continuous(PathBuf),
    /// pocketsphinx 5.
    Pocketsphinx(PathBuf),
}

pub(super) fn program(offline: &Offline) -> Option<Recogniser> {
    let find = |name: &str| offline.programs.find(name);
    if let Some(model) = &offline.surroundings.whisper_model
        && let Some(program) = find("whisper-cli").or_else(|| find("whisper-cpp"))
    {
        return Some(Recogniser::Whisper(program, model.clone()));
    }
    find("pocketsphinx_continuous")
        .map(Recogniser::Continuous)
        .or_else(|| find("pocketsphinx").map(Recogniser::Pocketsphinx))
}

/// Works on a file: none of the programs reads a recording from its standard input on every system.
pub(super) async fn transcribe(offline: &Offline, request: &SttRequest) -> Result<Transcript, Failure> {
    openai_audio::check(request, usize::MAX)?;
    let Some(recogniser) = program(offline) else {
        return Err(Failure::new(
            Class::Unsupported,
            "No speech recogniser was found. Install pocketsphinx, or whisper-cli and set AURA_WHISPER_MODEL to its model.",
        ));
    };
    if request.translate && !matches!(recogniser, Recogniser::Whisper(..)) {
        return Err(Failure::new(Class::Unsupported, "The speech recogniser on this computer does not translate."));
    }
    let file = TempFile::holding("wav", &request.wav).await?;
    let path = || file.0.clone().into_os_string();
    let (name, text) = match recogniser {
        Recogniser::Whisper(program, model) => {
            let language = openai_audio::language(request.language.as_deref()).unwrap_or_else(|| "auto".into());
            let mut words = args(["--no-timestamps", "--no-prints", "--language"]);
            if request.translate {
                words.insert(0, "--translate".into());
            }
            words.extend([language.into(), "--model".into(), model.into_os_string(), "--file".into(), path()]);
            ("whisper-cli", lines(&run(offline, program, words).await?))
        }
        Recogniser::Continuous(program) => {
            let words = vec!["-infile".into(), path(), "-logfn".into(), null_file()];
            ("pocketsphinx", lines(&run(offline, program, words).await?))
        }
        Recogniser::Pocketsphinx(program) => {
            let words = vec!["single".into(), path()];
            ("pocketsphinx", hypotheses(&run(offline, program, words).await?))
        }
    };
    let usage =
        Usage { audio_seconds: Some(request.duration.as_secs_f32()), model: Some(name.to_owned()), ..Usage::default() };
    Ok(Transcript { text, usage, ..Transcript::default() })
}

async fn run(offline: &Offline, program: PathBuf, words: Vec<OsString>) -> Result<Bytes, Failure> {
    Ok(offline.run(program, words, Bytes::new()).await?.stdout)
}

fn null_file() -> OsString {
    if cfg!(windows) { "NUL".into() } else { "/dev/null".into() }
}

/// Lines of words; marks such as `[BLANK_AUDIO]` and `(wind)` are none.
fn lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let spoken = text
        .lines()
        .map(str::trim)
        .filter(|line| !(line.starts_with('[') && line.ends_with(']') || line.starts_with('(') && line.ends_with(')')));
    spoken.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Lines of JSON, each with what was understood in `t`.
fn hypotheses(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let words = text
        .lines()
        .filter_map(|line| Some(serde_json::from_str::<Value>(line).ok()?["t"].as_str()?.trim().to_owned()));
    words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs() {
        assert_eq!(lines(b"what is the weather\n\nlike today\n"), "what is the weather like today");
        assert_eq!(lines(b"[BLANK_AUDIO]\n(wind blowing)\n"), "");
        assert_eq!(
            hypotheses(b"{\"b\":0.0,\"d\":1.2,\"p\":1.0,\"t\":\"what is\",\"w\":[]}\nnoise\n{\"t\":\"it\"}\n"),
            "what is it"
        );
    }
}
