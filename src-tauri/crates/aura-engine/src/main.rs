//! Runs one speech, language or vision model, for the process that started it. The frames are described in [`aura_local::protocol`];
//! standard error is for messages to a developer.
//!
//! A model runs here and not in AURA's own process, because its native code may crash, or need more memory than there is.

mod llm;
mod model;
mod onnx;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    match worker::run(std::io::stdin(), std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aura-engine: {error}");
            ExitCode::FAILURE
        }
    }
}
