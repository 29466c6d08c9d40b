//! Which model family runs which kind of model.

use aura_local::protocol::{Engine, Load, LoadFailedKind};

use crate::model::{LoadFailed, Model};

/// Loads a model.
pub(crate) fn load(load: &Load) -> Result<Box<dyn Model>, LoadFailed> {
    match load.engine {
        Engine::Moonshine | Engine::Whisper | Engine::Parakeet => crate::stt::load(load),
        Engine::Hibari | Engine::Kokoro | Engine::Piper => crate::tts::load(load),
        Engine::Llama => Ok(Box::new(crate::llm::Llama::load(load)?)),
        engine => {
            let message = format!("This build of AURA has no engine for {engine:?}.");
            Err(LoadFailed::new(LoadFailedKind::Unsupported, message))
        }
    }
}
