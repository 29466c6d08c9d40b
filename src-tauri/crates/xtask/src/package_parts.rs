//! `cargo xtask package-parts`: what Tauri's bundler puts beside AURA in the packages of Windows and macOS. Their configuration in `src-tauri`
//! calls it before the build.

use std::path::Path;
use std::process::ExitCode;

use crate::program::{self, Result};
use crate::ui;

/// Builds the interface and the engine. On Windows also fetches ONNX Runtime; on macOS a package may contain only libraries that its maker
/// signed, so AURA downloads ONNX Runtime there with the first model that needs it.
///
/// # Errors
/// When a build fails, or when it is for another system than this one.
pub(crate) fn start() -> Result<ExitCode> {
    let host = host()?;
    if let Some(wanted) = std::env::var("TAURI_ENV_TARGET_TRIPLE").ok().filter(|wanted| *wanted != host) {
        return Err(format!("a package for {wanted} cannot be made on {host}"));
    }
    ui::build()?;
    program::run(program::cargo("build").args(["--profile", "dist", "--package", "aura-engine"]))?;
    let parts = program::root().join("src-tauri/parts");
    let ending = std::env::consts::EXE_SUFFIX;
    let built = program::target().join("dist").join(format!("aura-engine{ending}"));
    copy(&built, &parts.join(format!("aura-engine-{host}{ending}")))?;
    if cfg!(windows) {
        crate::models::runtime(&parts.join("models"))?;
    }
    println!("The parts are in {}.", parts.display());
    Ok(ExitCode::SUCCESS)
}

/// The target triple of this system.
fn host() -> Result<String> {
    let about = program::output(program::command("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say for which system it is".into())
}

fn copy(from: &Path, to: &Path) -> Result {
    std::fs::copy(from, to).map_err(|cause| format!("{} to {}: {cause}", from.display(), to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_a_target_triple() {
        assert!(host().unwrap().contains(std::env::consts::ARCH));
    }
}
