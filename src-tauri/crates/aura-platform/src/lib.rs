//! The real machine behind the ports of [`aura_core`]: microphone, speaker, screen, key store, history and local programs, and
//! besides them the global shortcut and the doctor.
//!
//! Nothing here blocks the runtime: what has to wait for the machine does so on a thread of its own, with a limit.

pub mod hotkey;

mod doctor;
mod history;
mod hosts;
mod keyring;
mod microphone;
mod off;
mod paths;
mod programs;
mod screen;
mod speaker;

use std::sync::Arc;

use aura_core::error::Result;
use aura_core::ports::Ports;

pub use doctor::MachineDoctor;
pub use history::SqliteHistory;
pub use keyring::Keyring;
pub use microphone::SoundMicrophone;
pub use paths::{Paths, documents};
pub use programs::LocalPrograms;
pub use screen::DesktopScreen;
pub use speaker::SoundSpeaker;

/// This machine. No device is touched yet.
pub fn ports(paths: &Paths) -> Result<Ports> {
    let microphone = Arc::new(SoundMicrophone::default());
    let speaker = Arc::new(SoundSpeaker::default());
    let screen = Arc::new(DesktopScreen::default());
    let secrets = Arc::new(Keyring);
    let programs = Arc::new(LocalPrograms);
    let doctor = Arc::new(MachineDoctor {
        microphone: microphone.clone(),
        speaker: speaker.clone(),
        screen: screen.clone(),
        secrets: secrets.clone(),
        programs: programs.clone(),
    });
    let history = Arc::new(SqliteHistory::open(&paths.data)?);
    Ok(Ports { microphone, speaker, screen, secrets, ledger: history.clone(), history, programs, doctor })
}
