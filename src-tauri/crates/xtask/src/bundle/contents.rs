//! Which files a package has, and where they go.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Package, Release, fill_in};
use crate::program::{self, Result};

/// The application's ID, which names its desktop entry, its icons and its AppStream metadata.
const APP_ID: &str = "app.aura.desktop";
/// The sizes of the icon, in pixels.
const ICON_SIZES: &[u32] = &[16, 24, 32, 48, 64, 128, 256, 512];

/// The mode of a file that is only read.
const FILE: u32 = 0o644;
/// The mode of a program or a folder.
const PROGRAM: u32 = 0o755;

/// The files of a package.
pub(super) struct Contents {
    entries: Vec<Value>,
    programs: Vec<PathBuf>,
}

impl Contents {
    /// The files of a package. `work` holds the ones that were made for it.
    ///
    /// # Errors
    /// When a file is missing or cannot be written.
    pub(super) fn of(package: Package, programs: &Path, work: &Path, release: &Release) -> Result<Self> {
        let mut contents = Self { entries: Vec::new(), programs: Vec::new() };
        contents.programs_of(package, programs, work)?;
        contents.kind(package, work)?;
        contents.manual(package, work)?;
        contents.documents(package, work, release)?;
        let unit = program::root().join("packaging/linux").join(format!("{}.service", package.name()));
        contents.add(&unit, &format!("/usr/lib/systemd/user/{}.service", package.name()))?;
        if package == Package::Aura {
            contents.desktop(work, release)?;
        }
        Ok(contents)
    }

    /// nfpm's list of contents.
    pub(super) fn entries(&self) -> &[Value] {
        &self.entries
    }

    /// The programs and libraries, whose own libraries the package depends on.
    pub(super) fn programs(&self) -> Vec<PathBuf> {
        self.programs.clone()
    }

    fn add(&mut self, from: &Path, to: &str) -> Result {
        self.push(None, from, to, FILE)
    }

    /// Adds a file to one kind of package, `deb` or `rpm`.
    fn add_to(&mut self, kind: &str, from: &Path, to: &str) -> Result {
        self.push(Some(kind), from, to, FILE)
    }

    fn push(&mut self, kind: Option<&str>, from: &Path, to: &str, mode: u32) -> Result {
        if !from.is_file() {
            return Err(format!("{} is missing", from.display()));
        }
        let mut entry =
            json!({ "src": from, "dst": to, "file_info": { "mode": mode, "owner": "root", "group": "root" } });
        if let Some(kind) = kind {
            entry["packager"] = kind.into();
        }
        self.entries.push(entry);
        Ok(())
    }

    fn folder(&mut self, folder: &str) {
        self.entries.push(json!({ "dst": folder, "type": "dir", "file_info": { "mode": PROGRAM } }));
    }

    fn programs_of(&mut self, package: Package, folder: &Path, work: &Path) -> Result {
        let name = package.name();
        let own = format!("/usr/lib/{name}");
        let models = work.join("models/onnxruntime");
        for folder in ["", "/models", "/models/onnxruntime"] {
            self.folder(&format!("{own}{folder}"));
        }
        for (from, to) in [(name, format!("/usr/bin/{name}")), ("aura-engine", format!("{own}/aura-engine"))] {
            let program = folder.join(from);
            self.push(None, &program, &to, PROGRAM)?;
            self.programs.push(program);
        }
        for file in files(&models)? {
            let file_name = name_of(&file);
            self.add(&file, &format!("{own}/models/onnxruntime/{file_name}"))?;
            if file_name.contains(".so") {
                self.programs.push(file);
            }
        }
        Ok(())
    }

    /// Says by which kind of package AURA was installed.
    fn kind(&mut self, package: Package, work: &Path) -> Result {
        for kind in ["deb", "rpm"] {
            let file = work.join(format!("kind-{kind}"));
            fs::write(&file, format!("{kind}\n")).map_err(|cause| format!("{}: {cause}", file.display()))?;
            self.add_to(kind, &file, &format!("/usr/lib/{}/package", package.name()))?;
        }
        Ok(())
    }

    fn manual(&mut self, package: Package, work: &Path) -> Result {
        for page in files(&work.join("man1"))? {
            let packed = compress(&page)?;
            self.add(&packed, &format!("/usr/share/man/man1/{}", name_of(&packed)))?;
        }
        let (name, completions) = (package.name(), work.join("completions"));
        self.add(&completions.join(format!("{name}.bash")), &format!("/usr/share/bash-completion/completions/{name}"))?;
        self.add(
            &completions.join(format!("{name}.fish")),
            &format!("/usr/share/fish/vendor_completions.d/{name}.fish"),
        )?;
        let zsh = completions.join(format!("_{name}"));
        self.add_to("deb", &zsh, &format!("/usr/share/zsh/vendor-completions/_{name}"))?;
        self.add_to("rpm", &zsh, &format!("/usr/share/zsh/site-functions/_{name}"))
    }

    fn documents(&mut self, package: Package, work: &Path, release: &Release) -> Result {
        let (name, root) = (package.name(), program::root());
        let documents = format!("/usr/share/doc/{name}");
        let own = |file: &str| root.join("packaging/linux").join(file);
        fill_in(&own("copyright"), &[("@NAME@", name)], &work.join("copyright"))?;
        self.folder(&documents);
        self.add(&work.join("copyright"), &format!("{documents}/copyright"))?;
        self.add(&compress(&work.join("THIRD-PARTY.txt"))?, &format!("{documents}/THIRD-PARTY.txt.gz"))?;
        let changes = work.join("changelog");
        fs::copy(root.join("CHANGELOG.md"), &changes).map_err(|cause| format!("CHANGELOG.md: {cause}"))?;
        self.add(&compress(&changes)?, &format!("{documents}/changelog.gz"))?;
        let (debian, date) = (work.join("changelog.Debian"), &rfc_2822(&release.time)?);
        let values = [("@NAME@", name), ("@VERSION@", &release.version), ("@DATE@", date)];
        fill_in(&own("changelog.Debian"), &[&values[..], &[("@MAINTAINER@", super::MAINTAINER)]].concat(), &debian)?;
        self.add_to("deb", &compress(&debian)?, &format!("{documents}/changelog.Debian.gz"))?;
        let overrides = work.join("lintian-overrides");
        fill_in(&own("lintian-overrides"), &[("@NAME@", name)], &overrides)?;
        self.add_to("deb", &overrides, &format!("/usr/share/lintian/overrides/{name}"))?;
        let licenses = format!("/usr/share/licenses/{name}");
        self.folder(&licenses);
        if let Some(folder) = self.entries.last_mut() {
            folder["packager"] = "rpm".into();
        }
        for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
            self.add_to("rpm", &root.join(license), &format!("{licenses}/{license}"))?;
        }
        Ok(())
    }

    fn desktop(&mut self, work: &Path, release: &Release) -> Result {
        let root = program::root();
        let own = |file: &str| root.join("packaging/linux").join(file);
        let entry = format!("{APP_ID}.desktop");
        self.add(&own(&entry), &format!("/usr/share/applications/{entry}"))?;
        let metadata = format!("{APP_ID}.metainfo.xml");
        let values = [("@VERSION@", &*release.version), ("@DATE@", release.date())];
        fill_in(&own(&metadata), &values, &work.join(&metadata))?;
        self.add(&work.join(&metadata), &format!("/usr/share/metainfo/{metadata}"))?;
        let icons = root.join("src-tauri/icons");
        let hicolor = "/usr/share/icons/hicolor";
        for size in ICON_SIZES {
            let place = format!("{hicolor}/{size}x{size}/apps/{APP_ID}.png");
            self.add(&icons.join(format!("{size}x{size}.png")), &place)?;
        }
        self.add(&icons.join("icon.svg"), &format!("{hicolor}/scalable/apps/{APP_ID}.svg"))
    }
}

/// The files of a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|cause| format!("{}: {cause}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Compresses a file, without a time in the result.
fn compress(file: &Path) -> Result<PathBuf> {
    program::output(program::command("gzip").args(["-9", "-n", "-f"]).arg(file))?;
    let mut name = file.as_os_str().to_owned();
    name.push(".gz");
    Ok(name.into())
}

/// A time in the format of Debian's changelogs.
fn rfc_2822(time: &str) -> Result<String> {
    let date = program::output(program::command("date").args(["-u", "-R", "-d", time]))?;
    Ok(date.trim().to_owned())
}
