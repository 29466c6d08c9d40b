//! Speech to text by whisper-cli or pocketsphinx.

use std::ffi::OsString;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;

use super::{Offline, args};
use crate::types::{Failure, FailureKind, Transcript, TranscriptionRequest, Usage};
use crate::wire::transcription;

/// An installed speech recogniser.
pub(super) enum Recogniser {
    /// whisper.cpp's command-line program, and its model file.
    Whisper(PathBuf, PathBuf),
    /// pocketsphinx 0.8, as in Debian 12.
    Continuous(PathBuf),
    /// pocketsphinx 5, with JSON output.
    Pocketsphinx(PathBuf),
}

/// The best recogniser that is installed.
pub(super) fn program(offline: &Offline) -> Option<Recogniser> {
    let find = |name: &str| offline.programs.find(name);
    if let Some(model) = &offline.config.whisper_model
        && let Some(program) = find("whisper-cli").or_else(|| find("whisper-cpp"))
    {
        return Some(Recogniser::Whisper(program, model.clone()));
    }
    find("pocketsphinx_continuous")
        .map(Recogniser::Continuous)
        .or_else(|| find("pocketsphinx").map(Recogniser::Pocketsphinx))
}

/// Transcribes through a temporary file, because not every program reads standard input on every system.
pub(super) async fn transcribe(offline: &Offline, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
    transcription::check(request, usize::MAX)?;
    let Some(recogniser) = program(offline) else {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "This computer has no speech model yet. Download one under Models, or install pocketsphinx, which knows English.",
        ));
    };
    let code = transcription::language_code(request.language.as_deref());
    if let Some(code) = code.as_deref().filter(|code| *code != "en" && !matches!(recogniser, Recogniser::Whisper(..))) {
        return Err(Failure::new(
            FailureKind::Unsupported,
            format!(
                "pocketsphinx understands English alone, and the language is set to `{code}`. Download a speech model for \
                 this language under Models."
            ),
        ));
    }
    if request.translate && !matches!(recogniser, Recogniser::Whisper(..)) {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "pocketsphinx does not translate. Download a Whisper model under Models.",
        ));
    }
    let file = offline.temp_file("wav", request.wav.clone()).await?;
    let path = || file.argument();
    let (name, text) = match recogniser {
        Recogniser::Whisper(program, model) => {
            let language = code.unwrap_or_else(|| "auto".into());
            let mut arguments = args(["--no-timestamps", "--no-prints", "--language"]);
            if request.translate {
                arguments.insert(0, "--translate".into());
            }
            arguments.extend([language.into(), "--model".into(), model.into_os_string(), "--file".into(), path()]);
            ("whisper-cli", join_lines(&run(offline, program, arguments).await?))
        }
        Recogniser::Continuous(program) => {
            let arguments = vec!["-infile".into(), path(), "-logfn".into(), null_file()];
            ("pocketsphinx", join_lines(&run(offline, program, arguments).await?))
        }
        Recogniser::Pocketsphinx(program) => {
            let arguments = vec!["single".into(), path()];
            ("pocketsphinx", join_hypotheses(&run(offline, program, arguments).await?))
        }
    };
    let usage =
        Usage { audio_seconds: Some(request.duration.as_secs_f32()), model: Some(name.to_owned()), ..Usage::default() };
    Ok(Transcript { text, usage, ..Transcript::default() })
}

async fn run(offline: &Offline, program: PathBuf, args: Vec<OsString>) -> Result<Bytes, Failure> {
    Ok(offline.run(program, args, Bytes::new()).await?.stdout)
}

fn null_file() -> OsString {
    if cfg!(windows) { "NUL".into() } else { "/dev/null".into() }
}

/// Joins lines of text. Annotations such as `[BLANK_AUDIO]` and `(wind)` are dropped.
fn join_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let spoken = text
        .lines()
        .map(str::trim)
        .filter(|line| !(line.starts_with('[') && line.ends_with(']') || line.starts_with('(') && line.ends_with(')')));
    spoken.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Joins the text in lines of JSON, which is in the field `t`.
fn join_hypotheses(output: &[u8]) -> String {
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
    fn the_output_of_each_recogniser_is_read() {
        assert_eq!(join_lines(b"what is the weather\n\nlike today\n"), "what is the weather like today");
        assert_eq!(join_lines(b"[BLANK_AUDIO]\n(wind blowing)\n"), "");
        assert_eq!(
            join_hypotheses(b"{\"b\":0.0,\"d\":1.2,\"p\":1.0,\"t\":\"what is\",\"w\":[]}\nnoise\n{\"t\":\"it\"}\n"),
            "what is it"
        );
    }
}
