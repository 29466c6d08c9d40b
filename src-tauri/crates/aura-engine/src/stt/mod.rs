//! Speech to text: Moonshine, Whisper and Parakeet, as ONNX.

mod chunks;
mod decoder;
mod graph;
mod mel;
mod moonshine;
mod parakeet;
mod special_tokens;
mod vocabulary;
mod whisper;

use std::path::Path;

use aura_local::protocol::{Engine, Load, LoadFailedKind, Segment};

use crate::model::{LoadFailed, Model, Transcript};
use crate::onnx::Onnx;

/// The sample rate of every recording, in hertz.
const RATE: usize = 16_000;

/// Loads a speech recognition model.
pub(crate) fn load(load: &Load) -> Result<Box<dyn Model>, LoadFailed> {
    let files = Files(load);
    let onnx = Onnx::open(load)?.with_exact_products();
    match load.engine {
        Engine::Moonshine => Ok(Box::new(moonshine::Moonshine::load(&onnx, &files)?)),
        Engine::Parakeet => Ok(Box::new(parakeet::Parakeet::load(&onnx, &files)?)),
        Engine::Whisper => Ok(Box::new(whisper::Whisper::load(&onnx, &files)?)),
        engine => {
            Err(LoadFailed::new(LoadFailedKind::Unsupported, format!("{engine:?} is no engine for speech to text.")))
        }
    }
}

/// The files of a model by their role.
struct Files<'a>(&'a Load);

impl Files<'_> {
    /// # Errors
    /// When the catalog names no file of this role.
    fn get(&self, role: &str) -> Result<&Path, LoadFailed> {
        self.find(role).ok_or_else(|| bad_file(format!("The model has no file for its {role}. Download it again.")))
    }

    fn find(&self, role: &str) -> Option<&Path> {
        self.0.files.get(role).map(std::path::PathBuf::as_path)
    }
}

fn bad_file(message: impl Into<String>) -> LoadFailed {
    LoadFailed::new(LoadFailedKind::BadFile, message)
}

/// The transcript of segments.
fn transcript(segments: Vec<Segment>, language: Option<String>, words: Vec<Segment>) -> Transcript {
    let texts: Vec<&str> = segments.iter().map(|segment| segment.text.as_str()).collect();
    Transcript { text: texts.join(" "), language, segments, words }
}
