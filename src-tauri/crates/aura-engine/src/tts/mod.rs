//! Text to speech.

mod espeak;
mod hibari;
mod kokoro;
mod piper;
mod session;
mod text;

use std::path::Path;

use aura_local::protocol::{Engine, Load, LoadFailedKind};

use crate::model::{LoadFailed, Model};

/// Loads a voice.
///
/// # Errors
/// When its files are damaged or missing, or this computer lacks what it needs.
pub(crate) fn load(load: &Load) -> Result<Box<dyn Model>, LoadFailed> {
    Ok(match load.engine {
        Engine::Hibari => Box::new(hibari::Hibari::load(load)?),
        Engine::Kokoro => Box::new(kokoro::Kokoro::load(load)?),
        Engine::Piper => Box::new(piper::Piper::load(load)?),
        engine => return Err(LoadFailed::new(LoadFailedKind::Unsupported, format!("{engine:?} is no voice."))),
    })
}

/// The file of a role.
///
/// # Errors
/// With [`LoadFailedKind::BadFile`] when the model has none.
fn file<'a>(load: &'a Load, role: &str) -> Result<&'a Path, LoadFailed> {
    let file = load.files.get(role).map(|path| path.as_path());
    file.ok_or_else(|| {
        LoadFailed::new(LoadFailedKind::BadFile, format!("The voice lacks its file {role}: download it again."))
    })
}

/// The bytes of the file of a role.
///
/// # Errors
/// With [`LoadFailedKind::BadFile`] when it cannot be read.
fn bytes(load: &Load, role: &str) -> Result<Vec<u8>, LoadFailed> {
    std::fs::read(file(load, role)?).map_err(|error| damaged(role, error))
}

/// A file of a voice that is not what its role says.
fn damaged(role: &str, error: impl std::fmt::Display) -> LoadFailed {
    LoadFailed::new(
        LoadFailedKind::BadFile,
        format!("The voice's file {role} is damaged: download it again. ({error})"),
    )
}

/// A speed that a voice can be asked for.
fn speed(asked: f32) -> f32 {
    if asked.is_finite() { asked.clamp(0.25, 4.0) } else { 1.0 }
}

/// Makes a piece of speech quieter if it would be too loud to play.
fn limit(samples: &mut [f32]) {
    const PEAK: f32 = 0.95;
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    if peak > PEAK {
        samples.iter_mut().for_each(|sample| *sample *= PEAK / peak);
    }
}
