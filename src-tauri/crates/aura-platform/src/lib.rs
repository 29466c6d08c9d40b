//! The ports of [`aura_core`] on a real computer: microphone, speaker, screen, key store, history, local programs and the system check,
//! and the global push-to-talk shortcut.
//!
//! Nothing here blocks the async runtime: calls that wait for the operating system run on threads of their own, with a timeout.

pub mod hotkey;

mod audio_devices;
mod blocking;
mod doctor;
mod history;
mod keyring;
mod microphone;
mod paths;
mod programs;
mod screen;
mod speaker;

use std::sync::Arc;

use aura_core::error::Result;
use aura_core::ports::Ports;
use aura_local::{Installed, InstalledModels, Models, Options};

pub use doctor::SystemDoctor;
pub use history::SqliteHistory;
pub use keyring::Keyring;
pub use microphone::CpalMicrophone;
pub use paths::{Paths, create_private, documents};
pub use programs::LocalPrograms;
pub use screen::DesktopScreen;
pub use speaker::CpalSpeaker;

/// The ports of this computer, without models. Opens the history, in memory if the disk fails; devices are opened when they are first used.
///
/// # Errors
/// Not even a history in memory can be made.
pub fn ports(paths: &Paths) -> Result<Ports> {
    ports_with(paths, Arc::new(Vec::<Installed>::new()))
}

/// The ports of this computer, with the models that `installed` knows.
///
/// # Errors
/// Not even a history in memory can be made.
pub fn ports_with(paths: &Paths, installed: Arc<dyn InstalledModels>) -> Result<Ports> {
    let microphone = Arc::new(CpalMicrophone::default());
    let speaker = Arc::new(CpalSpeaker::default());
    let screen = Arc::new(DesktopScreen::default());
    let secrets = Arc::new(Keyring);
    let programs = Arc::new(LocalPrograms::new(paths.data.join("tmp")));
    let history = Arc::new(SqliteHistory::open(&paths.data)?);
    let doctor = Arc::new(SystemDoctor {
        microphone: microphone.clone(),
        speaker: speaker.clone(),
        screen: screen.clone(),
        secrets: secrets.clone(),
        programs: programs.clone(),
        history: history.clone(),
    });
    let local_models = Arc::new(Models::new(installed, programs.clone(), Options::default()));
    Ok(Ports { microphone, speaker, screen, secrets, ledger: history.clone(), history, programs, local_models, doctor })
}
