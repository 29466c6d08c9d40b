//! The clipboard and the selection.

use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;

#[cfg(target_os = "linux")]
use arboard::{ClearExtLinux, GetExtLinux, LinuxClipboardKind, SetExtLinux};

#[cfg(target_os = "linux")]
use aura_core::desktop::{DesktopKey, KeyCombination};
#[cfg(target_os = "linux")]
use tokio_util::sync::CancellationToken;

/// How long a program has to fetch a text that is pasted, before the clipboard is as it was again.
#[cfg(target_os = "linux")]
const FETCH_TIME: Duration = Duration::from_secs(1);

/// The keys that paste.
#[cfg(target_os = "linux")]
const PASTE: KeyCombination =
    KeyCombination { ctrl: false, alt: false, shift: true, logo: false, key: DesktopKey::Named("Insert") };

/// The clipboard. It stays open once it was used, because on X11 and Wayland a text is there as long as the program that has set it.
#[derive(Default)]
pub(super) struct Clipboard(Mutex<Option<arboard::Clipboard>>);

impl std::fmt::Debug for Clipboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clipboard")
    }
}

impl Clipboard {
    /// The text on the clipboard; `None` when it holds none.
    pub(super) fn text(&self) -> Result<Option<String>> {
        self.with(|clipboard| found(clipboard.get_text()))
    }

    /// Puts a text on the clipboard.
    pub(super) fn set(&self, text: String) -> Result<()> {
        self.with(|clipboard| clipboard.set_text(text).map_err(refused))
    }

    /// The selected text; `None` when nothing is selected.
    #[cfg(target_os = "linux")]
    pub(super) fn selection(&self) -> Result<Option<String>> {
        self.with(|clipboard| found(clipboard.get().clipboard(LinuxClipboardKind::Primary).text()))
    }

    /// Only Linux tells what is selected.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn selection(&self) -> Result<Option<String>> {
        let message = "This system does not tell what is selected. Copy it, and ask about the clipboard.";
        Err(Error::new(ErrorCode::Desktop, message))
    }

    /// Pastes a text into the window that has the focus. Both the clipboard and the selection hold it for a moment, because Shift+Insert
    /// pastes the one in windows and the other in terminals; then both are as they were. `is_taken` tells whether the clipboard holds anything,
    /// text or not.
    ///
    /// # Errors
    /// When the clipboard holds something else than text, which could not be put back, or `press` fails.
    #[cfg(target_os = "linux")]
    pub(super) fn paste(
        &self,
        text: String,
        stop: &CancellationToken,
        is_taken: impl Fn() -> Result<bool>,
        press: impl FnOnce(&KeyCombination) -> Result<()>,
    ) -> Result<()> {
        const KINDS: [LinuxClipboardKind; 2] = [LinuxClipboardKind::Clipboard, LinuxClipboardKind::Primary];
        self.with(|clipboard| {
            let mut before = Vec::new();
            for kind in KINDS {
                let held = found(clipboard.get().clipboard(kind).text())?;
                if held.is_none() && matches!(kind, LinuxClipboardKind::Clipboard) && is_taken()? {
                    let message =
                        "The clipboard holds something other than text, which pasting would lose. Copy any text, then ask again.";
                    return Err(Error::new(ErrorCode::Desktop, message));
                }
                before.push(held);
            }
            if stop.is_cancelled() {
                return Ok(());
            }
            let put = |clipboard: &mut arboard::Clipboard, kind, text: String| {
                clipboard.set().clipboard(kind).exclude_from_history().text(text).map_err(refused)
            };
            let pasted = KINDS
                .into_iter()
                .try_for_each(|kind| put(clipboard, kind, text.clone()))
                .and_then(|()| press(&PASTE))
                .inspect(|()| std::thread::sleep(FETCH_TIME));
            // Put back whatever happened, without telling clipboard managers of it again.
            for (kind, before) in KINDS.into_iter().zip(before) {
                let restored = match before {
                    Some(text) => put(clipboard, kind, text),
                    None => clipboard.clear_with().clipboard(kind).map_err(refused),
                };
                if let Err(error) = restored {
                    tracing::warn!(%error, "the clipboard is not as it was");
                }
            }
            pasted
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut arboard::Clipboard) -> Result<T>) -> Result<T> {
        // The threads of the port alone lock this.
        let mut open = self.0.try_lock_for(Duration::from_secs(5)).ok_or_else(|| refused("it is in use"))?;
        let clipboard = match &mut *open {
            Some(clipboard) => clipboard,
            none => none.insert(arboard::Clipboard::new().map_err(refused)?),
        };
        work(clipboard)
    }
}

/// The text, or that there is none.
fn found(text: Result<String, arboard::Error>) -> Result<Option<String>> {
    match text {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(arboard::Error::ContentNotAvailable) => Ok(None),
        Err(cause) => Err(refused(cause)),
    }
}

fn refused(cause: impl std::fmt::Display) -> Error {
    let message = "AURA cannot use the clipboard of this desktop. Check that it is not locked. On Wayland, the desktop must let programs in \
                   the background use it; an X11 session always does.";
    Error::new(ErrorCode::Desktop, message).because(cause)
}
