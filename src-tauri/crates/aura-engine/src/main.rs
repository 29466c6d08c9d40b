//! Runs one speech, language or vision model, for the process that started it. The frames are described in [`aura_local::protocol`];
//! standard error is for messages to a developer.
//!
//! A model runs here and not in AURA's own process, because its native code may crash, or need more memory than there is.
//!
//! `aura-engine convert-whisper FROM TO` instead turns a Whisper model of CTranslate2 into the files that the engine runs.

mod convert;
mod llm;
mod load;
mod model;
mod onnx;
mod stt;
#[cfg(test)]
mod test_models;
mod tts;
mod worker;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [] => worker::run(std::io::stdin(), std::io::stdout()),
        [mode, from, to] if mode == "convert-whisper" => convert::whisper(Path::new(from), Path::new(to)),
        _ => Err(std::io::Error::other("it takes no arguments, or: convert-whisper FROM TO")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aura-engine: {error}");
            ExitCode::FAILURE
        }
    }
}
