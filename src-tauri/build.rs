//! Builds the interface when it is not there, and declares the commands that a window may be allowed to call.

use std::path::Path;
use std::process::Command;

fn main() {
    build_interface();
    // Without this list every command could be called from every window, whatever the capabilities say.
    let manifest = tauri_build::AppManifest::new().commands(&["rpc", "subscribe", "cancel"]);
    if let Err(error) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest)) {
        fail(&format!("{error:#}"));
    }
}

/// A fresh clone starts with `cargo run` alone. Whoever changes the interface builds it with `npm run build`, as `cargo xtask` does.
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
            Ok(status) => fail(&format!("`npm {}` in ui/ ended with {status}.", arguments.join(" "))),
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
