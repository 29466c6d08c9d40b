//! Checks a package with the tools of its distribution.

use std::path::Path;

use crate::program::{self, Result};

/// Checks a package. Warnings are failures, too.
///
/// # Errors
/// When a tool finds fault with the package.
pub(super) fn package(file: &Path) -> Result {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("deb") => debian(file),
        _ => rpm(file),
    }
}

fn debian(file: &Path) -> Result {
    program::run(program::command("lintian").args(["--fail-on", "error,warning", "--no-tag-display-limit"]).arg(file))?;
    let unpacked = program::target().join("bundle/check");
    let _ = std::fs::remove_dir_all(&unpacked);
    program::run(program::command("dpkg-deb").arg("--extract").arg(file).arg(&unpacked))?;
    let metadata = unpacked.join("usr/share/metainfo/app.aura.desktop.metainfo.xml");
    if metadata.is_file() {
        program::run(program::command("appstreamcli").args(["validate", "--no-net"]).arg(metadata))?;
        let entry = unpacked.join("usr/share/applications/app.aura.desktop.desktop");
        program::run(program::command("desktop-file-validate").arg(entry))?;
    }
    std::fs::remove_dir_all(&unpacked).map_err(|cause| format!("{}: {cause}", unpacked.display()))
}

fn rpm(file: &Path) -> Result {
    // Digests of the header and of each file.
    program::run(program::command("rpm").args(["--checksig", "--nosignature"]).arg(file))?;
    let query = |what: &str| program::output(program::command("rpm").args(["--query", what, "--package"]).arg(file));
    let listed = query("--list")?;
    for needed in ["/usr/bin/", "/aura-engine", "/usr/share/man/man1/", "/models/onnxruntime/"] {
        if !listed.contains(needed) {
            return Err(format!("{} contains no {needed}", file.display()));
        }
    }
    if !query("--requires")?.contains("libc.so.6") {
        return Err(format!("{} does not depend on the C library", file.display()));
    }
    Ok(())
}
