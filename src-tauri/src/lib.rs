//! The shell: it composes the assistant with this machine and opens a door onto it, a window or the command line.

mod changes;
mod cli;
mod commands;
mod compose;
mod desktop;
mod door;
mod hotkey;
mod http;
mod interface;
mod overlay;
mod startup;
mod tray;
mod windows;

pub use cli::main;

/// What must happen before the first thread: WebKit reads its variables once, and the allocator what it is told.
pub fn prepare_process() {
    // Each thread that ever held a picture of the screen would keep the room for one; two places to keep it are enough.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: it only sets a number in the allocator, before there is another thread.
        #[expect(unsafe_code, reason = "foreign functions are unsafe")]
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 2);
        }
    }
    // Without it WebKitGTK shows an empty window with several graphics drivers; whoever sets it knows better.
    if cfg!(target_os = "linux") && std::env::var_os("WEBKIT_DISABLE_DMABUF_RENDERER").is_none() {
        // SAFETY: called first thing in `main`, while this is the only thread.
        #[expect(unsafe_code, reason = "set_var is unsafe because of other threads; there are none yet")]
        unsafe {
            std::env::set_var("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        }
    }
}
