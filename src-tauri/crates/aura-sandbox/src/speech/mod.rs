//! Real speech: programs on this computer recognise it and make it.

mod programs;
mod recognise;
mod sound;
mod synthesise;

pub(crate) use programs::Programs;
pub(crate) use recognise::{Heard, decode, recognise};
pub(crate) use sound::generate;
pub(crate) use synthesise::{encode, synthesise};

/// Below this loudness a recording is silence, and nothing is made up about it.
pub(crate) const SILENCE: f64 = 0.001;

/// Why speech could not be recognised or made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeechError {
    #[error("the sandbox needs {0} on this computer, and it was not found")]
    Missing(&'static str),
    #[error("{program} failed: {reason}")]
    Failed { program: &'static str, reason: String },
    #[error("could not process file - is it a valid media file?")]
    NotMedia,
}
