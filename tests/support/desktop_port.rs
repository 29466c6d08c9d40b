//! Calls of the desktop port from a test without a runtime of its own.

use aura_core::desktop::TargetWindow;
use aura_core::error::Result;
use aura_core::ports::Desktop;

/// Runs an async call to its end.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(work)
}

/// Presses a combination of keys, such as `Ctrl+S`, in a window.
///
/// # Errors
/// As those of [`Desktop::press`], or when it is no combination.
pub fn press(desktop: &impl Desktop, keys: &str, window: &TargetWindow) -> Result<()> {
    wait(desktop.press(&keys.parse()?, window))
}
