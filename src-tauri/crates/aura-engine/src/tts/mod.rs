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

/// The models that tests run.
#[cfg(test)]
mod test_models {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    fn folder() -> PathBuf {
        let default = || std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("models");
        std::env::var_os("AURA_MODELS").map_or_else(default, PathBuf::from)
    }

    fn list(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// The files of a model by their names; `None` where tests of models are left out.
    pub(super) fn files(id: &str) -> Option<BTreeMap<String, PathBuf>> {
        let files = list(&folder().join(id));
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        if files.is_empty() {
            let alone = std::env::var_os("AURA_CORE_ALONE").is_some();
            assert!(
                alone,
                "this test needs the model {id} in {}: set AURA_MODELS, or run cargo xtask test",
                folder().display()
            );
            return None;
        }
        // Those of British voices would make it one.
        Some(files.into_iter().map(|path| (name(&path), path)).filter(|(name, _)| !name.contains("_gb")).collect())
    }

    pub(super) fn onnx_runtime() -> PathBuf {
        let folders = list(&folder());
        let mut files = folders.iter().flat_map(|folder| list(folder));
        let is_library = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().contains("onnxruntime.");
        files.find(is_library).expect("ONNX Runtime in a folder beside the models")
    }
}
