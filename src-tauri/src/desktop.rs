//! The desktop app: windows, tray, shortcut and local API around one assistant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aura_core::Assistant;
use aura_core::error::{Error, ErrorCode, Result};
use tauri::{AppHandle, RunEvent, WindowEvent};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{bootstrap, commands, hotkey, http_server, instance_socket, overlay, startup, tray, windows};

/// Longest time at exit to finish requests to the local API, beside saving what is under way, which has limits of its own.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest time to save what is under way when the event loop has ended already.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the app until the user quits it, or closes the main window while AURA does not stay in the tray. Must be called on the main
/// thread. With `hidden`, the main window is not shown if the desktop has a tray to open it from.
///
/// # Errors
/// There is no display, or the settings, the history or a window cannot be opened.
pub(crate) fn run(runtime: &Handle, sandbox: bool, hidden: bool) -> Result<()> {
    if !has_display() {
        let message = "There is no display to open a window on. Start AURA in a desktop session, or use `aura ask` or `aura listen`.";
        return Err(Error::new(ErrorCode::NotFound, message));
    }
    let data = bootstrap::paths()?.data;
    let Some(lock) = runtime.block_on(instance_socket::take_lock_or_show(&data))? else {
        println!("AURA is already running. Its window was brought to the front.");
        return Ok(());
    };
    #[cfg(windows)]
    crate::console::close_own();
    let listener = runtime.block_on(instance_socket::open(&data, &lock))?;
    let bootstrap = runtime.block_on(bootstrap::bootstrap(sandbox))?;
    tauri::async_runtime::set(runtime.clone());
    let assistant = bootstrap.assistant.clone();
    let failed = |cause: tauri::Error| {
        Error::new(
            ErrorCode::Internal,
            "AURA could not open its window. Check that your desktop session works, then try again.",
        )
        .because(cause)
    };
    let app = builder(tauri::Builder::default(), assistant.clone(), overlay::Places::in_folder(&data))
        .plugin(windows::state_plugin(&data))
        .plugin(startup::plugin())
        .build(crate::interface::context())
        .map_err(failed)?;
    let handle = app.handle().clone();
    let has_tray = tray::create(&handle, &assistant);
    let main = windows::open_main(&handle, !(hidden && tray::is_visible(&handle))).map_err(failed)?;
    let overlay = overlay::create(&handle, &main).map_err(failed)?;
    #[cfg(target_os = "linux")]
    crate::legibility::follow_contrast(handle.clone());
    runtime.spawn(overlay::run(overlay, assistant.clone()));
    if has_tray {
        runtime.spawn(tray::follow(handle.clone(), assistant.clone()));
    }
    runtime.spawn(startup::follow(handle.clone(), assistant.clone()));
    runtime.spawn(hotkey::run(handle.clone(), assistant.clone()));
    runtime.spawn(instance_socket::serve(listener, assistant.clone(), move || windows::show_main(&handle)));
    let exiting = CancellationToken::new();
    let mut server = Some(runtime.spawn(http_server::follow(assistant.clone(), data.clone(), exiting.clone())));
    let (starting, listening, attending) = (assistant.clone(), assistant.clone(), assistant.clone());
    runtime.spawn(async move { starting.start_background().await });
    runtime.spawn(async move { listening.keep_microphone_open().await });
    runtime.spawn(async move { attending.attend().await });
    let app_handle = app.handle().clone();
    runtime.spawn(async move {
        // For example when the desktop session ends. This exits cleanly, so that what is under way is saved.
        aura_server::shutdown_signal().await;
        app_handle.exit(0);
    });
    tracing::info!("AURA is ready");
    let (runtime, closing) = (runtime.clone(), assistant.clone());
    let is_closed = Arc::new(AtomicBool::new(false));
    app.run(move |app, event| {
        match &event {
            // Not on this thread: tasks wait for it when they ask about a window or change the tray's menu. While it waited for them, and
            // all workers of the runtime for it, nothing would end.
            RunEvent::ExitRequested { api, .. } if !is_closed.load(Ordering::Acquire) => {
                api.prevent_exit();
                if let Some(server) = server.take() {
                    exiting.cancel();
                    let (app, assistant, is_closed) = (app.clone(), assistant.clone(), is_closed.clone());
                    runtime.spawn(async move {
                        let server = tokio::time::timeout(SERVER_TIMEOUT, server);
                        let _ = tokio::join!(assistant.close(), server);
                        is_closed.store(true, Ordering::Release);
                        app.exit(0);
                    });
                }
            }
            RunEvent::Exit => {
                // A system that shuts down may end the event loop without a request.
                if !is_closed.load(Ordering::Acquire) {
                    exiting.cancel();
                    let _ = runtime.block_on(async { tokio::time::timeout(CLOSE_TIMEOUT, assistant.close()).await });
                }
                instance_socket::remove(&data);
                // The event loop ends the process.
                aura_server::close_log();
            }
            // A click on the icon in the Dock.
            #[cfg(target_os = "macos")]
            RunEvent::Reopen { .. } => windows::show_main(app),
            _ => {}
        }
        if let RunEvent::WindowEvent { label, event, .. } = event
            && label == windows::MAIN
        {
            match event {
                WindowEvent::CloseRequested { api, .. } if keeps_running(app, &closing) => {
                    windows::hide_main(app);
                    api.prevent_close();
                }
                WindowEvent::Destroyed => app.exit(0),
                _ => {}
            }
        }
    });
    drop((bootstrap, lock));
    Ok(())
}

/// Whether AURA keeps running after its window was closed: the setting is on and the tray shows that it does.
fn keeps_running(app: &AppHandle, assistant: &Assistant) -> bool {
    assistant.config().settings.startup.background && tray::is_visible(app)
}

/// Whether a window can be opened. Without a display, GTK would end the process.
#[cfg(target_os = "linux")]
fn has_display() -> bool {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    is_set("WAYLAND_DISPLAY") || (is_set("DISPLAY") && aura_platform::hotkey::check().is_ok())
}

#[cfg(not(target_os = "linux"))]
fn has_display() -> bool {
    true
}

/// Adds the app's commands and state, for the real runtime and for tests.
pub(crate) fn builder<R: tauri::Runtime>(
    builder: tauri::Builder<R>,
    assistant: Assistant,
    places: overlay::Places,
) -> tauri::Builder<R> {
    let builder = builder
        .manage(assistant)
        .manage(commands::MainSubscription::default())
        .manage(overlay::OverlayFeed::default())
        .manage(places)
        .invoke_handler(tauri::generate_handler![
            commands::rpc,
            commands::subscribe,
            commands::cancel,
            commands::drag_overlay,
            commands::open_link
        ]);
    #[cfg(not(target_os = "linux"))]
    let builder = builder.plugin(tauri_plugin_global_shortcut::Builder::new().build());
    builder
}
