//! The built interface, which is part of the program.

use std::sync::Arc;

use aura_server::Interface;
use tauri::utils::assets::AssetKey;
use tauri::{Context, Runtime, Wry};

/// What Tauri knows of the app at compile time, the interface's files included.
pub(crate) fn context<R: Runtime>() -> Context<R> {
    tauri::generate_context!()
}

/// The interface's files, for the HTTP door.
pub(crate) fn files() -> Interface {
    let context = context::<Wry>();
    Arc::new(move |path| context.assets().get(&AssetKey::from(path)).map(|file| file.into_owned()))
}
