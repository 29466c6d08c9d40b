//! The ports of [`aura_core`] on a real computer: microphone, speaker, screen, key store, history, local programs and the system check,
//! and the global push-to-talk shortcut.
//!
//! Nothing here blocks the async runtime: calls that wait for the operating system run on threads of their own, with a timeout.

#[cfg(feature = "devices")]
pub mod hotkey;

#[cfg(feature = "devices")]
mod audio_devices;
mod blocking;
#[cfg(feature = "devices")]
mod desktop;
mod doctor;
mod history;
mod keyring;
#[cfg(feature = "devices")]
mod microphone;
mod model_store;
#[cfg(not(feature = "devices"))]
mod no_devices;
mod opener;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod other_sound;
mod paths;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod portal;
mod programs;
#[cfg(feature = "devices")]
mod screen;
#[cfg(feature = "devices")]
mod speaker;
mod updates;

use std::sync::Arc;

use aura_core::error::{Error, Result};
use aura_core::ports::Ports;
use aura_local::store::{ModelStore, StoreOptions};
use aura_local::{Models, Options};

#[cfg(feature = "devices")]
pub use desktop::SystemDesktop;
pub use doctor::SystemDoctor;
pub use history::SqliteHistory;
pub use keyring::Keyring;
#[cfg(feature = "devices")]
pub use microphone::CpalMicrophone;
pub use model_store::{LocalStore, models_folder};
pub use opener::open_with_system;
pub use paths::{Paths, create_private, documents};
pub use programs::LocalPrograms;
#[cfg(feature = "devices")]
pub use screen::DesktopScreen;
#[cfg(feature = "devices")]
pub use speaker::RodioSpeaker;
pub use updates::{NewerCatalogs, SignedUpdates, newer_catalogs};

/// The ports of this computer. `newer` are catalogs of models that replace this version's own. Opens the history, in memory if the disk fails; devices are opened when they are first used, and models are
/// loaded then.
///
/// # Errors
/// Not even a history in memory can be made, or the folder of the models cannot be used.
pub fn ports(paths: &Paths, newer: Option<NewerCatalogs>) -> Result<Ports> {
    #[cfg(feature = "devices")]
    let (microphone, speaker, screen) =
        (Arc::new(CpalMicrophone::default()), Arc::new(RodioSpeaker::default()), Arc::new(DesktopScreen::default()));
    #[cfg(not(feature = "devices"))]
    let [microphone, speaker, screen] = std::array::from_fn(|_| Arc::new(no_devices::NoDevices));
    #[cfg(feature = "devices")]
    let desktop = Arc::new(SystemDesktop::new(&paths.data));
    #[cfg(not(feature = "devices"))]
    let desktop = Arc::new(aura_core::ports::NoDesktop);
    #[cfg(all(feature = "devices", target_os = "linux"))]
    let other_sound = Arc::new(other_sound::PulseOtherSound::new(&paths.data));
    #[cfg(not(all(feature = "devices", target_os = "linux")))]
    let other_sound = Arc::new(aura_core::ports::NoOtherSound);
    let secrets = Arc::new(Keyring);
    let programs = Arc::new(LocalPrograms::new(paths.data.join("tmp")));
    let updates = Arc::new(SignedUpdates::open(&paths.data)?);
    let history = Arc::new(SqliteHistory::open(&paths.data)?);
    let mut options = StoreOptions::new(models_folder(&paths.data));
    options.catalog = Arc::new(model_store::catalog(newer.as_ref())?);
    options.packaged = aura_local::package::models();
    let store = ModelStore::open(options).map_err(|error| Error::internal(error.to_string()))?;
    let local_models = Arc::new(Models::new(Arc::new(store.clone()), programs.clone(), Options::default()));
    let local_model_store = Arc::new(LocalStore::new(store, local_models.clone()));
    let doctor = Arc::new(SystemDoctor {
        microphone: microphone.clone(),
        speaker: speaker.clone(),
        screen: screen.clone(),
        secrets: secrets.clone(),
        programs: programs.clone(),
        history: history.clone(),
        models: local_model_store.clone(),
    });
    Ok(Ports {
        microphone,
        speaker,
        other_sound,
        screen,
        secrets,
        ledger: history.clone(),
        history,
        programs,
        local_models,
        local_model_store,
        updates,
        doctor,
        desktop,
    })
}
