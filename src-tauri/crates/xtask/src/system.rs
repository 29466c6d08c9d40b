//! System packages: lists those that are needed and installs the missing ones.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::program::{self, Result};

/// Packages to build.
const BUILD: &[&str] = &[
    "cmake",
    "libasound2-dev",
    "libayatana-appindicator3-dev",
    "libclang-dev",
    "libegl-dev",
    "libgbm-dev",
    "libpipewire-0.3-dev",
    "librsvg2-dev",
    "libwebkit2gtk-4.1-dev",
    "libxdo-dev",
    "pkg-config",
    // pip, which downloads models where their usual servers cannot be reached.
    "python3-venv",
];

/// Packages for the offline provider: speech synthesis, speech recognition and text recognition on this computer.
const OFFLINE: &[&str] = &["espeak-ng", "pocketsphinx", "pocketsphinx-en-us", "tesseract-ocr"];

/// Packages to test: a display, a sound server and a key store that need no desktop, a browser, and tools that control and observe them.
const TEST: &[&str] = &[
    "at-spi2-core",
    "chromium",
    "chromium-driver",
    "curl",
    "dbus",
    "featherpad",
    "file",
    "fonts-dejavu-core",
    "gnome-keyring",
    "imagemagick",
    "libasound2-plugins",
    "libglib2.0-bin",
    "libsecret-tools",
    "mousepad",
    "mpv",
    "mpv-mpris",
    "openbox",
    "procps",
    "pulseaudio",
    "pulseaudio-utils",
    "sox",
    "util-linux",
    "vim-gtk3",
    "webkit2gtk-driver",
    "x11-utils",
    "x11-xkb-utils",
    "xclip",
    "xdg-desktop-portal",
    "xdg-utils",
    "xdotool",
    "xterm",
    "xvfb",
    "zenity",
];

/// Packages that check packages.
const PACKAGES: &[&str] = &["appstream", "binutils", "desktop-file-utils", "dpkg-dev", "lintian", "rpm"];

/// Packages to build the programs that are measured beside AURA.
const PEERS: &[&str] = &["portaudio19-dev"];

/// The pkg-config modules of the packages in `BUILD`, for systems without apt.
const MODULES: &[&str] =
    &["alsa", "ayatana-appindicator3-0.1", "egl", "gbm", "libpipewire-0.3", "librsvg-2.0", "webkit2gtk-4.1"];

/// The programs of the packages in `OFFLINE`.
const OFFLINE_PROGRAMS: &[&str] = &["espeak-ng", "pocketsphinx_continuous", "tesseract"];
/// The programs of the packages in `TEST`.
const TEST_PROGRAMS: &[&str] = &[
    "Xvfb",
    "WebKitWebDriver",
    "chromedriver",
    "chromium",
    "convert",
    "curl",
    "dbus-daemon",
    "display",
    "featherpad",
    "file",
    "gdbus",
    "gnome-keyring-daemon",
    "gvim",
    "import",
    "kill",
    "mousepad",
    "mpv",
    "node",
    "openbox",
    "pacat",
    "pactl",
    "paplay",
    "parec",
    "pocketsphinx_batch",
    "pulseaudio",
    "python3",
    "secret-tool",
    "setpriv",
    "setxkbmap",
    "sox",
    "timeout",
    "xclip",
    "xdg-open",
    "xdotool",
    "xprop",
    "xterm",
    "xwininfo",
    "zenity",
];

/// What the system packages are needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To build and run AURA.
    Run,
    /// To build AURA and run all tests.
    Test,
    /// To build packages and check them.
    Packages,
    /// To measure other programs beside AURA.
    Peers,
}

/// Installs missing packages. Where apt is not available, only checks that libraries and programs are present.
///
/// # Errors
/// Packages are missing and could not be installed.
pub(crate) fn prepare(purpose: Purpose) -> Result {
    let packages: Vec<&str> = match purpose {
        Purpose::Run => [BUILD, OFFLINE].concat(),
        Purpose::Test => [BUILD, OFFLINE, TEST].concat(),
        Purpose::Packages => [BUILD, OFFLINE, PACKAGES].concat(),
        Purpose::Peers => [BUILD, OFFLINE, TEST, PEERS].concat(),
    };
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if !program::is_installed("dpkg-query") || !program::is_installed("apt-get") {
        return check_installed(purpose, &packages);
    }
    let missing = missing(&packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    println!("Installing {} system packages: {}", missing.len(), missing.join(" "));
    run_as_root(&["update"], &missing)?;
    run_as_root(&[&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat(), &missing)
}

fn missing(packages: &[&'static str]) -> Result<Vec<&'static str>> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"]).args(packages).stderr(Stdio::null());
    // It fails when it does not know one of the packages, but still lists the others.
    let output = query.output().map_err(|cause| format!("dpkg-query could not be started: {cause}"))?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let installed: BTreeSet<&str> = listed.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    let needed = |package: &&str| !installed.contains(package) && !is_otherwise_installed(package);
    Ok(packages.iter().copied().filter(needed).collect())
}

/// Whether Python has `venv` without the package: a Python that was not installed by the package manager includes it.
fn is_otherwise_installed(package: &str) -> bool {
    package == "python3-venv" && {
        let mut python = Command::new("python3");
        python.args(["-c", "import ensurepip, venv"]).stdout(Stdio::null()).stderr(Stdio::null());
        python.status().is_ok_and(|status| status.success())
    }
}

fn run_as_root(arguments: &[&str], missing: &[&str]) -> Result {
    let user = program::output(Command::new("id").arg("-u"))?;
    let mut command = if user.trim() == "0" {
        Command::new("apt-get")
    } else if program::is_installed("sudo") {
        let mut sudo = Command::new("sudo");
        // sudo clears the environment, so the variable is part of the command.
        sudo.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    } else {
        return Err(format!("System packages are missing. Run as root: apt-get install {}", missing.join(" ")));
    };
    program::run(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
}

/// On a system without apt the packages have other names, so this checks for their libraries and programs.
fn check_installed(purpose: Purpose, packages: &[&str]) -> Result {
    println!("This system has no apt, so nothing is installed automatically. The packages on Debian are:");
    println!("  {}", packages.join(" "));
    let has_module = |module: &&str| {
        let mut query = Command::new("pkg-config");
        query.args(["--exists", module]).status().is_ok_and(|status| status.success())
    };
    let mut missing: Vec<&str> = MODULES.iter().copied().filter(|module| !has_module(module)).collect();
    if purpose == Purpose::Test {
        missing
            .extend([OFFLINE_PROGRAMS, TEST_PROGRAMS].concat().into_iter().filter(|name| !program::is_installed(name)));
    } else {
        for name in OFFLINE_PROGRAMS.iter().filter(|name| !program::is_installed(name)) {
            println!("{name} is missing. Without it, AURA needs an API key or a local model to answer.");
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("Libraries (pkg-config names) or programs are missing. Install: {}", missing.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// Programs that every supported system has.
    const EVERYWHERE: &[&str] = &["env", "id", "ldd", "sh", "sudo", "true"];

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display()));
        let paths = entries.map(|entry| entry.expect("the folder can be read").path());
        paths
            .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
            .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
            .collect()
    }

    #[test]
    fn every_program_that_a_test_starts_is_checked_for() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let folders = ["tests", "src-tauri/crates/aura-platform/tests"].map(|folder| root.join(folder));
        let listed = [OFFLINE_PROGRAMS, TEST_PROGRAMS, EVERYWHERE].concat();
        let mut started = BTreeSet::new();
        for file in folders.iter().flat_map(|folder| sources(folder)) {
            let text = std::fs::read_to_string(&file).expect("a source is text");
            let calls = text.split("Command::new(\"").skip(1);
            started.extend(calls.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
        assert!(started.len() > 15, "the tests were not found: {started:?}");
        started.retain(|program| !listed.contains(&program.as_str()));
        assert!(started.is_empty(), "add these to TEST_PROGRAMS and their packages to TEST: {started:?}");
    }
}
