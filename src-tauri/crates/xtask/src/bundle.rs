//! `cargo xtask bundle`: builds the packages of Linux, .deb and .rpm, of the app and of the server.

mod check;
mod contents;
mod libraries;
mod notices;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::program::{self, Result};
use crate::system::{self, Purpose};
use crate::{models, sdk, ui};

use contents::Contents;

/// Which packages are made.
#[derive(Debug, Args)]
pub(crate) struct Bundle {
    /// Only this package; both otherwise.
    #[arg(long)]
    only: Option<Package>,
    /// The profile to build with. Another than `dist` is for tests of the packages themselves.
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Check the packages with the tools of Debian, RPM and AppStream, which are installed if they are missing.
    #[arg(long)]
    check: bool,
}

/// A package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Package {
    /// The desktop app and the command line.
    Aura,
    /// The local API alone, without libraries of a display or of sound.
    AuraServer,
}

impl Package {
    const ALL: [Self; 2] = [Self::Aura, Self::AuraServer];

    /// The name of the package and of its program.
    fn name(self) -> &'static str {
        match self {
            Self::Aura => "aura",
            Self::AuraServer => "aura-server",
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Self::Aura => "push-to-talk assistant that answers aloud",
            Self::AuraServer => "local API in front of every AI provider, with failover",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Aura => {
                "Hold a shortcut in any program, ask a question, and AURA answers aloud: about anything, or about what is on the screen. \
                 If a provider is down, slow or out of quota, the next one answers. AURA works with Groq, Gemini, every server that \
                 speaks OpenAI's format, and models on this computer. It needs no account."
            }
            Self::AuraServer => {
                "One local address for chat, speech recognition, speech and vision, in the formats of OpenAI and Anthropic. If a provider \
                 is down, slow or out of quota, the next one answers. This package needs neither a display nor a sound system."
            }
        }
    }
}

impl Bundle {
    /// Builds the programs and packages them.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        if !cfg!(target_os = "linux") {
            return Err("This makes the packages of Linux. On this system, run: npx @tauri-apps/cli build".into());
        }
        system::prepare(Purpose::Packages)?;
        ui::build()?;
        let packager = sdk::environment(&program::root().join("packaging/requirements.txt"), "packager")?;
        let nfpm = packager.with_file_name("nfpm");
        let mut made = Vec::new();
        for package in Package::ALL.into_iter().filter(|package| self.only.is_none_or(|only| only == *package)) {
            let programs = self.build(package)?;
            made.extend(make(package, &programs, &nfpm)?);
        }
        if self.check {
            for package in &made {
                check::package(package)?;
            }
        }
        for package in &made {
            let size = std::fs::metadata(package).map_or(0, |file| file.len());
            println!("{} ({:.1} MB)", package.display(), size as f64 / 1e6);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Builds the programs of a package. Returns their folder.
    fn build(&self, package: Package) -> Result<PathBuf> {
        let mut cargo = program::cargo("build");
        cargo.args(["--profile", &self.profile, "--package", package.name()]);
        if package == Package::AuraServer {
            // Built alone, so that no other package turns its features on.
            cargo.args(["--no-default-features", "--features", "sandbox"]);
        }
        program::run(&mut cargo)?;
        program::run(program::cargo("build").args(["--profile", &self.profile, "--package", "aura-engine"]))?;
        let folder = if self.profile == "dev" { "debug" } else { &self.profile };
        Ok(program::target().join(folder))
    }
}

/// Makes the packages out of built programs. Returns their files.
fn make(package: Package, programs: &Path, nfpm: &Path) -> Result<Vec<PathBuf>> {
    let name = package.name();
    let folder = program::target().join("bundle");
    let work = folder.join(name);
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|cause| format!("{}: {cause}", work.display()))?;
    let binary = programs.join(name);
    run_manual(package, &binary, &work)?;
    models::runtime(&work.join("models"))?;
    notices::write(name, &work.join("THIRD-PARTY.txt"))?;

    let release = Release::current()?;
    let contents = Contents::of(package, programs, &work, &release)?;
    let linked = contents.programs();
    let config = json!({
        "name": name,
        "arch": arch()?,
        "platform": "linux",
        "version": release.version,
        "release": "1",
        "section": "sound",
        "priority": "optional",
        "maintainer": MAINTAINER,
        "description": format!("{}\n{}", package.summary(), wrapped(package.description())),
        "license": "MIT OR Apache-2.0",
        "mtime": release.time,
        "contents": contents.entries(),
        "overrides": {
            "deb": { "depends": with_certificates(libraries::of_debian(&linked, &work)?), "recommends": recommended(package, true) },
            "rpm": { "depends": with_certificates(libraries::of_rpm(&linked)?), "recommends": recommended(package, false) },
        },
        "deb": { "compression": "xz" },
        "rpm": { "summary": package.summary(), "compression": "zstd", "buildhost": "localhost", "group": "Applications/Sound" },
    });
    let file = work.join("nfpm.json");
    std::fs::write(&file, format!("{config:#}\n")).map_err(|cause| format!("{}: {cause}", file.display()))?;
    let mut made = Vec::new();
    for kind in ["deb", "rpm"] {
        let target = folder.join(file_name(package, &release, kind)?);
        let _ = std::fs::remove_file(&target);
        let mut pack = program::command(nfpm);
        pack.args(["package", "--packager", kind, "--config"]).arg(&file).arg("--target").arg(&target);
        program::run(&mut pack)?;
        made.push(target);
    }
    Ok(made)
}

/// A text in lines of at most 78 letters, as Debian wants the description of a package.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| !line.is_empty() && line.len() + 1 + word.len() > 78) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// Whom to write to about a package.
const MAINTAINER: &str = "AURA maintainers <maintainers@aura.invalid>";

/// What is linked, and the certificates that every connection to a provider is checked with. Both kinds of distribution call them the same.
fn with_certificates(mut linked: Vec<String>) -> Vec<String> {
    linked.push("ca-certificates".into());
    linked
}

/// Programs and libraries that are loaded when they are there: the tray, and what speaks and reads without an account.
fn recommended(package: Package, is_debian: bool) -> Vec<&'static str> {
    let tray = if is_debian { "libayatana-appindicator3-1" } else { "libayatana-appindicator-gtk3" };
    let mut names = vec!["espeak-ng"];
    if package == Package::Aura {
        names.insert(0, tray);
        names.push(if is_debian { "tesseract-ocr" } else { "tesseract" });
    }
    names
}

/// Makes the manual pages and completions of a program.
fn run_manual(package: Package, binary: &Path, work: &Path) -> Result {
    let manual = match package {
        Package::Aura => "manual",
        Package::AuraServer => "--manual",
    };
    program::run(program::command(binary).arg(manual).arg(work))
}

/// The version that is packaged, and the time of its last commit.
struct Release {
    version: String,
    /// In the format of RFC 3339.
    time: String,
}

impl Release {
    fn current() -> Result<Self> {
        let time = program::output(program::command("git").args(["log", "-1", "--format=%cI"]))?;
        Ok(Self { version: env!("CARGO_PKG_VERSION").to_owned(), time: time.trim().to_owned() })
    }

    /// The date, such as `2026-11-28`.
    fn date(&self) -> &str {
        self.time.split('T').next().unwrap_or_default()
    }
}

/// The processor, in Go's words, which nfpm translates.
fn arch() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => Err(format!("no packages are made for {other}")),
    }
}

/// The usual name of a package's file.
fn file_name(package: Package, release: &Release, kind: &str) -> Result<String> {
    let (name, version) = (package.name(), &release.version);
    Ok(match kind {
        "deb" => format!("{name}_{version}-1_{}.deb", arch()?),
        _ => format!("{name}-{version}-1.{}.rpm", std::env::consts::ARCH),
    })
}

/// Replaces words such as `@VERSION@` in a file of the work tree, and writes the result.
fn fill_in(template: &Path, values: &[(&str, &str)], to: &Path) -> Result {
    let mut text = std::fs::read_to_string(template).map_err(|cause| format!("{}: {cause}", template.display()))?;
    for (name, value) in values {
        text = text.replace(name, value);
    }
    std::fs::write(to, text).map_err(|cause| format!("{}: {cause}", to.display()))
}
