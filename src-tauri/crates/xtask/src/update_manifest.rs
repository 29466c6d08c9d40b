//! `cargo xtask update-manifest`: describes the packages of a version for the programs that look for updates. The maintainers sign the result:
//! `minisign -Sm latest.json`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::models;
use crate::program::{self, Result};

/// What is described.
#[derive(Debug, Args)]
pub(crate) struct UpdateManifest {
    /// The address below which the packages are published. Addresses in the description are relative to its own without it.
    #[arg(long, default_value = "")]
    base: String,
    /// What is new, in Markdown.
    #[arg(long, value_name = "FILE")]
    notes: PathBuf,
    /// The folder of the packages. `latest.json` and both catalogs are written there.
    folder: PathBuf,
}

impl UpdateManifest {
    /// Writes the description.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        let notes = read(&self.notes)?;
        let mut packages = Vec::new();
        let entries = std::fs::read_dir(&self.folder).map_err(|cause| format!("{}: {cause}", self.folder.display()))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            if let Some((kind, arch)) = kind(&name(&file)) {
                let mut package = self.file(&file)?;
                package["kind"] = kind.into();
                package["arch"] = arch.into();
                packages.push(package);
            }
        }
        if packages.is_empty() {
            return Err(format!("{} has no packages of the app", self.folder.display()));
        }
        let crates = program::root().join("src-tauri/crates");
        let data = crates.join("aura-providers/src/catalog/data.json");
        let providers = self.catalog(&data, "catalog.json")?;
        let local = self.catalog(&crates.join("aura-local/data/models.json"), "models.json")?;
        let catalog: Value =
            serde_json::from_str(&read(&data)?).map_err(|cause| format!("{}: {cause}", data.display()))?;
        let published = program::output(program::command("git").args(["log", "-1", "--format=%cs"]))?;
        let manifest = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "published": published.trim(),
            "notes": notes.trim(),
            "packages": packages,
            "catalogs": { "date": catalog["verified_on"], "providers": providers, "local": local },
        });
        let to = self.folder.join("latest.json");
        std::fs::write(&to, format!("{manifest:#}\n")).map_err(|cause| format!("{}: {cause}", to.display()))?;
        println!("{} is written. Sign it: minisign -Sm {}", to.display(), to.display());
        Ok(ExitCode::SUCCESS)
    }

    /// Copies a list of models beside the packages, and describes it.
    fn catalog(&self, from: &Path, name: &str) -> Result<Value> {
        let to = self.folder.join(name);
        std::fs::copy(from, &to).map_err(|cause| format!("{}: {cause}", from.display()))?;
        self.file(&to)
    }

    fn file(&self, file: &Path) -> Result<Value> {
        let size = std::fs::metadata(file).map_err(|cause| format!("{}: {cause}", file.display()))?.len();
        Ok(json!({ "url": format!("{}{}", self.base, name(file)), "size": size, "sha256": models::sha256(file)? }))
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|cause| format!("{}: {cause}", file.display()))
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The kind and processor of a package of the app, by the name that its maker gives it. `None`: another file, or a package of the server,
/// which does not look for updates.
fn kind(name: &str) -> Option<(&'static str, &'static str)> {
    let kind = match Path::new(name).extension()?.to_str()? {
        "deb" => "deb",
        "rpm" => "rpm",
        "exe" => "nsis",
        "dmg" => "dmg",
        _ => return None,
    };
    let arch = if ["amd64", "x86_64", "x64"].iter().any(|arch| name.contains(arch)) {
        "x86_64"
    } else if ["arm64", "aarch64"].iter().any(|arch| name.contains(arch)) {
        "aarch64"
    } else {
        return None;
    };
    (!name.starts_with("aura-server")).then_some((kind, arch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_their_names() {
        assert_eq!(kind("aura_0.1.0-1_amd64.deb"), Some(("deb", "x86_64")));
        assert_eq!(kind("aura-0.1.0-1.aarch64.rpm"), Some(("rpm", "aarch64")));
        assert_eq!(kind("AURA_0.1.0_x64-setup.exe"), Some(("nsis", "x86_64")));
        assert_eq!(kind("AURA_0.1.0_aarch64.dmg"), Some(("dmg", "aarch64")));
        for other in ["aura-server_0.1.0-1_amd64.deb", "SHA256SUMS", "aura.cdx.json", "notes.md"] {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
