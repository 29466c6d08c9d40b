//! A whole private machine: sound and display together.

use std::process::{Command, ExitCode};

use crate::display::Display;
use crate::keyring::Bus;
use crate::process::in_own_process;
use crate::sound::Sound;

/// Runs a test's body in a process that has a private speaker, microphone, screen, keyboard and mouse. See [`in_own_process`].
pub fn with_machine(test: &str, body: impl FnOnce()) {
    let prepare = || {
        let (sound, display) = (Sound::start(), Display::managed(1280, 900));
        let environment = [sound.environment(), display.environment()].concat();
        ((sound, display), environment)
    };
    in_own_process(test, prepare, body);
}

/// The same with a key store, which [`crate::aura::Aura::with_store`] uses.
pub fn with_machine_and_store(test: &str, body: impl FnOnce()) {
    let prepare = || {
        let (sound, display, bus) = (Sound::start(), Display::managed(1280, 900), Bus::with_store());
        let mut environment = [sound.environment(), display.environment()].concat();
        environment.extend(address(&bus));
        ((sound, display, bus), environment)
    };
    in_own_process(test, prepare, body);
}

/// The same with a message bus that has nothing on it, which [`crate::aura::Aura::with_store`] uses.
pub fn with_machine_and_bus(test: &str, body: impl FnOnce()) {
    let prepare = || {
        let (sound, display, bus) = (Sound::start(), Display::managed(1280, 900), Bus::start());
        let mut environment = [sound.environment(), display.environment()].concat();
        environment.extend(address(&bus));
        ((sound, display, bus), environment)
    };
    in_own_process(test, prepare, body);
}

/// Where a bus is. The rest of its variables are folders, which the sound server has set.
fn address(bus: &Bus) -> Option<(&'static str, std::ffi::OsString)> {
    let address = bus.environment().into_iter().find(|(name, _)| *name == "DBUS_SESSION_BUS_ADDRESS");
    address.map(|(_, address)| (BUS, address))
}

/// Runs the body of a program that measures or draws in a process of its own, which has a private speaker, microphone, screen, keyboard
/// and mouse. Without a manager, windows have no frame and lie at the upper left corner.
pub fn in_private_machine(width: u32, height: u32, managed: bool, body: impl FnOnce()) -> ExitCode {
    const INSIDE: &str = "AURA_PRIVATE_MACHINE";
    if std::env::var_os(INSIDE).is_some() {
        body();
        return ExitCode::SUCCESS;
    }
    let sound = Sound::start();
    let display = if managed { Display::managed(width, height) } else { Display::start(width, height) };
    let mut inside = Command::new(std::env::current_exe().expect("a program knows where it is"));
    inside.args(std::env::args_os().skip(1)).env(INSIDE, "1").envs(sound.environment()).envs(display.environment());
    let done = inside.status().expect("the program can start itself");
    if done.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where the address of the private bus is found: a person's own bus is never used.
pub(crate) const BUS: &str = "AURA_TEST_BUS";
