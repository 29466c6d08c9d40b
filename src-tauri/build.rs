//! Builds the interface if it is missing, and declares the commands that capabilities can allow to a window.

use std::path::Path;
use std::process::Command;

/// The folder of what `cargo xtask package-parts` makes for packages of Windows and macOS.
const PARTS: &str = "parts";

fn main() {
    build_interface();
    leave_out_missing_parts();
    // Without this list, Tauri allows every command to every window and ignores the capabilities.
    let manifest =
        tauri_build::AppManifest::new().commands(&["rpc", "subscribe", "cancel", "drag_overlay", "open_link"]);
    if let Err(error) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest)) {
        fail(&format!("{error:#}"));
    }
}

/// Builds the interface once, so that a fresh clone starts with `cargo run`. After that, changes are built with `npm run build` or
/// `cargo xtask`.
fn build_interface() {
    println!("cargo:rerun-if-changed=../ui/dist");
    println!("cargo:rerun-if-env-changed=AURA_SKIP_UI_BUILD");
    let ui = Path::new("../ui");
    if ui.join("dist/index.html").exists() || std::env::var_os("AURA_SKIP_UI_BUILD").is_some() {
        return;
    }
    for arguments in [&["ci"][..], &["run", "build"]] {
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        match Command::new(npm).args(arguments).current_dir(ui).status() {
            Ok(status) if status.success() => {}
            Ok(status) => fail(&format!("`npm {}` in ui/ failed with {status}.", arguments.join(" "))),
            Err(error) => {
                fail(&format!("npm could not be started ({error}). Install Node.js 20.19 or newer, then build again."))
            }
        }
    }
}

/// Leaves the engine and ONNX Runtime out of Tauri's configuration while they are not there. The configurations of Windows and macOS name them
/// for packages; Tauri would refuse to build without them, also where no package is made.
fn leave_out_missing_parts() {
    let target = std::env::var("TARGET").unwrap_or_default();
    if !(target.contains("windows") || target.contains("apple")) {
        return;
    }
    println!("cargo:rerun-if-changed={PARTS}");
    let mut parts = std::fs::read_dir(PARTS).into_iter().flatten().flatten();
    let are_there = parts.any(|part| part.file_name().to_string_lossy().contains(&target));
    // Tauri's command line sets the variable when it makes a package with further settings.
    if !are_there && std::env::var_os("TAURI_CONFIG").is_none() {
        // SAFETY: a build script has one thread.
        #[expect(unsafe_code, reason = "set_var is unsafe because of other threads; there are none")]
        unsafe {
            std::env::set_var("TAURI_CONFIG", r#"{"bundle": {"externalBin": null, "resources": null}}"#);
        }
    }
}

fn fail(message: &str) -> ! {
    println!("cargo:warning={message}");
    std::process::exit(1);
}
