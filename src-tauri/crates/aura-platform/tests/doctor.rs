//! The doctor on a machine that has nothing, and on one that has everything.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use aura_core::ports::Finding;
use aura_platform::{Paths, ports};
use aura_tests::display::Display;
use aura_tests::keyring::Bus;
use aura_tests::process::in_own_process;
use aura_tests::sound::Sound;

fn examine() -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::at(folder.path().join("config"), folder.path().join("data")).unwrap();
    let ports = ports(&paths).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let findings = runtime.block_on(ports.doctor.examine());
    for finding in &findings {
        eprintln!("{finding:?}");
    }
    findings
}

fn finding<'a>(all: &'a [Finding], area: &str) -> &'a Finding {
    all.iter().find(|finding| finding.area == area).unwrap_or_else(|| panic!("nothing about {area}"))
}

const AREAS: [&str; 5] = ["microphone", "speaker", "screen", "keyring", "shortcut"];

#[test]
fn finds_everything_at_work() {
    let prepare = || {
        let (sound, display, bus) = (Sound::start(), Display::start(800, 600), Bus::with_store());
        let mut environment = bus.environment();
        environment.extend(display.environment());
        environment.extend(sound.environment());
        ((sound, display, bus), environment)
    };
    in_own_process("finds_everything_at_work", prepare, || {
        let findings = examine();
        for area in ["speaker", "screen", "keyring", "shortcut"] {
            let finding = finding(&findings, area);
            assert!(finding.ok && finding.remedy.is_none(), "{finding:?}");
        }
        // Nobody plays into the microphone: that is silence, and the remedy says so.
        let microphone = finding(&findings, "microphone");
        assert!(!microphone.ok && microphone.message.contains("only silence"), "{microphone:?}");
    });
}

#[test]
fn says_what_to_do_on_a_bare_machine() {
    let prepare = || {
        let (bus, folder) = (Bus::start(), tempfile::tempdir().unwrap());
        let mut environment = bus.environment();
        let nothing = ["DISPLAY", "WAYLAND_DISPLAY", "PATH"].map(|variable| (variable, "".into()));
        environment.extend(nothing);
        environment.extend([("PULSE_SERVER", "unix:/nowhere".into()), ("PIPEWIRE_RUNTIME_DIR", folder.path().into())]);
        ((bus, folder), environment)
    };
    in_own_process("says_what_to_do_on_a_bare_machine", prepare, || {
        let findings = examine();
        for area in AREAS.into_iter().chain(["whisper-cli", "tesseract", "piper"]) {
            let finding = finding(&findings, area);
            assert!(!finding.ok && finding.remedy.as_ref().is_some_and(|remedy| remedy.len() > 10), "{finding:?}");
        }
    });
}
