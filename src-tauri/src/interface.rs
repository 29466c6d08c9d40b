//! The built interface, which is embedded in the program.

use std::sync::Arc;

use aura_server::WebUi;
use tauri::utils::assets::AssetKey;
use tauri::{Context, Runtime, Wry};

/// The app's configuration and the interface's files, embedded at compile time.
pub(crate) fn context<R: Runtime>() -> Context<R> {
    tauri::generate_context!()
}

/// The interface's files, for the local API to serve at `/app`.
pub(crate) fn files() -> WebUi {
    let context = context::<Wry>();
    Arc::new(move |path| context.assets().get(&AssetKey::from(path)).map(|file| file.into_owned()))
}
