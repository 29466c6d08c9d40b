//! Builds the interface if it is missing, and declares the commands that capabilities can allow to a window.

use std::path::Path;
use std::process::Command;

fn main() {
    build_interface();
    // Without this list, Tauri allows every command to every window and ignores the capabilities.
    let manifest = tauri_build::AppManifest::new().commands(&["rpc", "subscribe", "cancel", "open_link"]);
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

fn fail(message: &str) -> ! {
    println!("cargo:warning={message}");
    std::process::exit(1);
}
