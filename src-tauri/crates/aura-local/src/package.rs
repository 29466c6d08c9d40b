//! The files that an installed package keeps beside AURA's programs: the engine, and ONNX Runtime in the form of the model store.

use std::path::{Path, PathBuf};

/// The engine's program, without the ending that the system adds.
const ENGINE: &str = "aura-engine";

/// The engine that belongs to the running program: beside it, in the folder above, where it is when a test runs, or in its package.
pub(crate) fn engine() -> Option<PathBuf> {
    let running = std::env::current_exe().ok()?;
    let folders = running.ancestors().skip(1).take(2).map(Path::to_owned).chain([folder(&running)?]);
    let name = format!("{ENGINE}{}", std::env::consts::EXE_SUFFIX);
    folders.map(|folder| folder.join(&name)).find(|program| program.is_file())
}

/// The models, or ONNX Runtime alone, that the package of the running program installed.
pub fn models() -> Option<PathBuf> {
    let models = folder(&std::env::current_exe().ok()?)?.join("models");
    models.is_dir().then_some(models)
}

/// The kind of the package that installed the running program, such as `deb`, as it says in its file `package`.
pub fn kind() -> Option<String> {
    let file = folder(&std::env::current_exe().ok()?)?.join("package");
    std::fs::read_to_string(file).ok().map(|kind| kind.trim().to_owned())
}

/// The folder of a program's own files: `lib/NAME` beside its `bin` on Linux, `Resources` in an application of macOS, and the program's
/// folder on Windows.
fn folder(program: &Path) -> Option<PathBuf> {
    let beside = program.parent()?;
    if cfg!(target_os = "macos") {
        Some(beside.parent()?.join("Resources"))
    } else if cfg!(windows) {
        Some(beside.to_owned())
    } else {
        Some(beside.parent()?.join("lib").join(program.file_stem()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn each_program_has_a_folder_of_its_own() {
        assert_eq!(folder(Path::new("/usr/bin/aura")), Some("/usr/lib/aura".into()));
        assert_eq!(folder(Path::new("/opt/x/bin/aura-server")), Some("/opt/x/lib/aura-server".into()));
    }
}
