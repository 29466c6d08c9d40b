//! The desktop app: windows, shortcut and door around one assistant.

use std::time::Duration;

use aura_core::Assistant;
use aura_core::error::{Code, Error, Result};
use tauri::{RunEvent, WindowEvent};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{commands, compose, door, hotkey, http, overlay, startup, tray, windows};

/// How long the program stays to write down what was used, and to end what it was answering over HTTP. Nobody waits longer for a disk.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// Runs the app until it is quit, or its main window is closed where it does not go on in the tray. Called on the main thread, inside a
/// runtime. `hidden`: the main window stays away where the tray can bring it.
pub(crate) fn run(runtime: &Handle, sandbox: bool, hidden: bool) -> Result<()> {
    if !has_display() {
        let message = "There is no display to open a window on. Start AURA in a desktop session, or use `aura ask` and `aura listen`.";
        return Err(Error::new(Code::NotFound, message));
    }
    let data = compose::paths()?.data;
    let Some(listener) = runtime.block_on(door::open(&data))? else {
        runtime.block_on(door::call(&data, door::SHOW, serde_json::Value::Null))?;
        println!("AURA is running already; its window was brought to the front.");
        return Ok(());
    };
    let composed = runtime.block_on(compose::compose(sandbox))?;
    tauri::async_runtime::set(runtime.clone());
    let assistant = composed.assistant.clone();
    let failed = |cause: tauri::Error| Error::new(Code::Internal, "The window could not be opened.").because(cause);
    let app = builder(tauri::Builder::default(), assistant.clone())
        .plugin(windows::memory(&data))
        .plugin(startup::plugin())
        .build(crate::interface::context())
        .map_err(failed)?;
    let handle = app.handle().clone();
    let in_tray = tray::make(&handle, &assistant);
    windows::open_main(&handle, !(hidden && tray::is_seen(&handle))).map_err(failed)?;
    let overlay = overlay::make(&handle).map_err(failed)?;
    runtime.spawn(overlay::drive(overlay, assistant.clone()));
    if in_tray {
        runtime.spawn(tray::follow(handle.clone(), assistant.clone()));
    }
    runtime.spawn(startup::follow(handle.clone(), assistant.clone()));
    runtime.spawn(hotkey::hold(handle.clone(), assistant.clone()));
    runtime.spawn(door::serve(listener, assistant.clone(), move || windows::show_main(&handle)));
    let ending = CancellationToken::new();
    let mut door = runtime.spawn(http::follow(assistant.clone(), data, ending.clone()));
    let reader = assistant.clone();
    runtime.spawn(async move { reader.load_keys().await });
    let end = app.handle().clone();
    runtime.spawn(async move {
        // At the end of a session, for example: what is under way is written down first.
        aura_server::asked_to_end().await;
        end.exit(0);
    });
    tracing::info!("AURA is ready");
    let (at_the_end, closing) = (runtime.clone(), assistant.clone());
    app.run(move |app, event| {
        if let RunEvent::Exit = event {
            ending.cancel();
            let last = async { tokio::join!(assistant.close(), &mut door) };
            let _ = at_the_end.block_on(async { tokio::time::timeout(LAST_WRITES, last).await });
        }
        if let RunEvent::WindowEvent { label, event, .. } = event
            && label == windows::MAIN
        {
            match event {
                WindowEvent::CloseRequested { api, .. } if windows::close_main(app, &closing) => api.prevent_close(),
                WindowEvent::Destroyed => app.exit(0),
                _ => {}
            }
        }
    });
    drop(composed);
    Ok(())
}

/// Whether a window can be opened: GTK ends the program where it cannot.
#[cfg(target_os = "linux")]
fn has_display() -> bool {
    let set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    set("WAYLAND_DISPLAY") || (set("DISPLAY") && aura_platform::hotkey::check().is_ok())
}

#[cfg(not(target_os = "linux"))]
fn has_display() -> bool {
    true
}

/// The commands and states of the app, for the real runtime and for tests.
pub(crate) fn builder<R: tauri::Runtime>(builder: tauri::Builder<R>, assistant: Assistant) -> tauri::Builder<R> {
    let builder = builder
        .manage(assistant)
        .manage(commands::Listeners::default())
        .manage(overlay::Shown::default())
        .invoke_handler(tauri::generate_handler![commands::rpc, commands::subscribe, commands::cancel]);
    #[cfg(not(target_os = "linux"))]
    let builder = builder.plugin(tauri_plugin_global_shortcut::Builder::new().build());
    builder
}
