//! The desktop app and the command line: thin shells around the assistant in `aura-core`.

mod app_lock;
mod bootstrap;
mod changes;
mod cli;
mod commands;
#[cfg(windows)]
mod console;
mod desktop;
mod hotkey;
mod http_server;
mod instance_socket;
mod interface;
mod legibility;
mod links;
mod overlay;
mod startup;
mod tray;
mod windows;

pub use cli::main;

/// Sets up the process. Call it before any thread is started, because it changes environment variables and allocator settings.
pub fn prepare_process() {
    aura_server::prepare_process();
    // On Wayland, screenshots come from the desktop's portal, which refuses callers whose `/proc` folder it cannot read.
    if std::env::var_os("WAYLAND_DISPLAY").is_none_or(|display| display.is_empty()) {
        aura_server::forbid_inspection();
    }
    // glibc keeps freed memory per arena. With one arena per thread, each thread that ever held a screenshot
    // would keep its memory; two arenas are enough.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: it sets a number in the allocator, while this is the only thread.
        #[expect(unsafe_code, reason = "foreign functions are unsafe")]
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 2);
        }
    }
    // Without this, WebKitGTK shows an empty window with several graphics drivers. The user's own value is kept.
    if cfg!(target_os = "linux") && std::env::var_os("WEBKIT_DISABLE_DMABUF_RENDERER").is_none() {
        // SAFETY: called first thing in `main`, while this is the only thread.
        #[expect(unsafe_code, reason = "set_var is unsafe because of other threads; there are none yet")]
        unsafe {
            std::env::set_var("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        }
    }
}
