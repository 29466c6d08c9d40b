//! A private desktop: sound and display together.

use std::process::{Command, ExitCode};

use crate::display::Display;
use crate::keyring::Bus;
use crate::process::{Environment, in_own_process, in_own_process_alone};
use crate::sound::Sound;

/// Runs a test's body in a process that has a private speaker, microphone, screen, keyboard and mouse. See [`in_own_process`].
pub fn with_desktop(test: &str, body: impl FnOnce()) {
    in_own_process(test, sound_and_display, body);
}

/// Like [`with_desktop`], while no other test of this program runs. See [`in_own_process_alone`].
pub fn with_desktop_alone(test: &str, body: impl FnOnce()) {
    in_own_process_alone(test, sound_and_display, body);
}

fn sound_and_display() -> ((Sound, Display), Environment) {
    let (sound, display) = (Sound::start(), Display::managed(1280, 900));
    let environment = [sound.environment(), display.environment()].concat();
    ((sound, display), environment)
}

/// Like [`with_desktop`], with a key store, which [`crate::aura::Aura::with_store`] uses.
pub fn with_desktop_and_store(test: &str, body: impl FnOnce()) {
    with_bus(test, |_| Bus::with_store(), body);
}

/// Like [`with_desktop`], with an empty message bus, which [`crate::aura::Aura::with_store`] uses.
pub fn with_desktop_and_bus(test: &str, body: impl FnOnce()) {
    with_bus(test, |_| Bus::start(), body);
}

/// Like [`with_desktop`], whose programs describe their windows as for a screen reader, on the message bus at [`bus_address`].
pub fn with_desktop_and_accessibility(test: &str, body: impl FnOnce()) {
    with_bus(test, |display| Bus::with_accessibility(&display.environment()), body);
}

fn with_bus(test: &str, start: impl FnOnce(&Display) -> Bus, body: impl FnOnce()) {
    let prepare = || {
        let ((sound, display), mut environment) = sound_and_display();
        let bus = start(&display);
        environment.extend(address(&bus));
        ((bus, sound, display), environment)
    };
    in_own_process(test, prepare, body);
}

/// The variables with the address of a bus: for [`bus_address`], and for what the test itself calls. The bus's other variables are folders,
/// which the sound server sets as well.
fn address(bus: &Bus) -> Environment {
    let address = bus.environment().into_iter().find(|(name, _)| *name == "DBUS_SESSION_BUS_ADDRESS");
    address.into_iter().flat_map(|(name, address)| [(BUS, address.clone()), (name, address)]).collect()
}

/// Runs the body of a program that is no test in a process of its own with a private speaker, microphone, screen, keyboard and mouse.
/// Without a window manager, windows have no frame and are placed at the upper left corner.
pub fn in_private_desktop(width: u32, height: u32, managed: bool, body: impl FnOnce()) -> ExitCode {
    const INSIDE: &str = "AURA_PRIVATE_DESKTOP";
    if std::env::var_os(INSIDE).is_some() {
        body();
        return ExitCode::SUCCESS;
    }
    let sound = Sound::start();
    let display = if managed { Display::managed(width, height) } else { Display::start(width, height) };
    let mut inside = Command::new(std::env::current_exe().expect("a program knows its own path"));
    inside.args(std::env::args_os().skip(1)).env(INSIDE, "1").envs(sound.environment()).envs(display.environment());
    let done = inside.status().expect("the program can start itself");
    if done.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The address of the private message bus of this process. The user's own bus is never used.
pub fn bus_address() -> String {
    std::env::var(BUS).expect("a private message bus")
}

/// The variable that holds it.
const BUS: &str = "AURA_TEST_BUS";
