//! The system check on a computer that has everything, and on one that has nothing.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use aura_core::ports::Diagnostic;
use aura_platform::{Paths, ports};
use aura_tests::display::Display;
use aura_tests::keyring::Bus;
use aura_tests::process::in_own_process;
use aura_tests::sound::Sound;

/// The results with a chosen microphone and speaker, or the default ones.
fn examine(device: Option<&str>) -> Vec<Diagnostic> {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::at(folder.path().join("config"), folder.path().join("data")).unwrap();
    let ports = ports(&paths, None).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let results =
        runtime.block_on(ports.doctor.examine(&device.map(str::to_owned).into_iter().collect::<Vec<_>>(), device));
    for result in &results {
        eprintln!("{result:?}");
    }
    results
}

fn result_for<'a>(all: &'a [Diagnostic], area: &str) -> &'a Diagnostic {
    all.iter().find(|result| result.area.to_string() == area).unwrap_or_else(|| panic!("no result for {area}"))
}

const AREAS: [&str; 5] = ["microphone", "speaker", "screen", "keyring", "shortcut"];

#[test]
fn a_complete_computer_passes() {
    let prepare = || {
        let (sound, display, bus) = (Sound::start(), Display::start(800, 600), Bus::with_store());
        let mut environment = bus.environment();
        environment.extend(display.environment());
        environment.extend(sound.environment());
        ((sound, display, bus), environment)
    };
    in_own_process("a_complete_computer_passes", prepare, || {
        let results = examine(None);
        for area in ["speaker", "screen", "keyring", "shortcut", "history"] {
            let result = result_for(&results, area);
            assert!(result.ok && result.remedy.is_none(), "{result:?}");
        }
        // Nothing is played into the microphone.
        let microphone = result_for(&results, "microphone");
        assert!(!microphone.ok && microphone.message.contains("only silence"), "{microphone:?}");
        // The chosen devices are checked, not the default ones.
        let results = examine(Some("a-device-that-is-gone"));
        for area in ["microphone", "speaker"] {
            let result = result_for(&results, area);
            assert!(!result.ok && !result.message.contains("only silence"), "{result:?}");
        }
        assert!(result_for(&results, "microphone").message.contains("“Microphone” records, because"));
    });
}

#[test]
fn every_problem_of_a_bare_computer_has_a_remedy() {
    let prepare = || {
        let (bus, folder) = (Bus::start(), tempfile::tempdir().unwrap());
        let mut environment = bus.environment();
        let nothing = ["DISPLAY", "WAYLAND_DISPLAY", "PATH"].map(|variable| (variable, "".into()));
        environment.extend(nothing);
        environment.extend([("PULSE_SERVER", "unix:/nowhere".into()), ("PIPEWIRE_RUNTIME_DIR", folder.path().into())]);
        ((bus, folder), environment)
    };
    in_own_process("every_problem_of_a_bare_computer_has_a_remedy", prepare, || {
        let results = examine(None);
        for area in AREAS.into_iter().chain(["whisper-cli", "tesseract", "piper"]) {
            let result = result_for(&results, area);
            assert!(!result.ok && result.remedy.as_ref().is_some_and(|remedy| remedy.len() > 10), "{result:?}");
        }
    });
}
