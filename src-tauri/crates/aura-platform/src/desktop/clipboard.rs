//! The clipboard and the selection.

use std::time::Duration;

#[cfg(target_os = "linux")]
use aura_core::desktop::{DesktopKey, KeyCombination, TargetWindow};
use aura_core::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use tokio_util::sync::CancellationToken;

#[cfg(target_os = "linux")]
use arboard::{ClearExtLinux, GetExtLinux, LinuxClipboardKind, SetExtLinux};

#[cfg(target_os = "linux")]
use super::keyboard::Keyboard;
#[cfg(target_os = "linux")]
use super::selection_owner::SelectionOwner;
#[cfg(target_os = "linux")]
use super::windows::Windows;

/// How long a program has to fetch a text that is pasted on Wayland, where nobody tells whether it did.
#[cfg(target_os = "linux")]
const FETCH_TIME: Duration = Duration::from_secs(1);
/// The keys that paste.
#[cfg(target_os = "linux")]
const PASTE: KeyCombination =
    KeyCombination { ctrl: false, alt: false, shift: true, logo: false, key: DesktopKey::Named("Insert") };
/// Shift+Insert pastes the one in windows and the other in terminals.
#[cfg(target_os = "linux")]
const PASTED: [LinuxClipboardKind; 2] = [LinuxClipboardKind::Clipboard, LinuxClipboardKind::Primary];

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

    /// Whether there is something other than text on the clipboard, which pasting would lose.
    #[cfg(target_os = "linux")]
    pub(super) fn holds_no_text(&self, windows: &Windows) -> Result<bool> {
        let text = self.with(|clipboard| Ok(readable(clipboard, LinuxClipboardKind::Clipboard)))?;
        Ok(text.is_none() && windows.owner(LinuxClipboardKind::Clipboard)?.is_some())
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

    /// Pastes a text into a window of X11 that has the focus. Both the clipboard and the selection offer it for a moment; then both are as they
    /// were.
    ///
    /// # Errors
    /// When the clipboard holds something else than text, which could not be put back.
    #[cfg(target_os = "linux")]
    pub(super) fn paste(
        &self,
        windows: &Windows,
        window: &TargetWindow,
        text: &str,
        stop: &CancellationToken,
    ) -> Result<()> {
        self.with(|clipboard| {
            let kinds = match windows.replaces_its_selection(window)? {
                true => &PASTED[..1],
                false => &PASTED,
            };
            let before = held(clipboard, kinds, || Ok(windows.owner(LinuxClipboardKind::Clipboard)?.is_some()))?;
            if stop.is_cancelled() {
                return Ok(());
            }
            let owner = SelectionOwner::begin(windows, kinds, text)?;
            let pasted =
                Keyboard::new(windows).and_then(|keyboard| keyboard.press(&PASTE)).and_then(|()| owner.serve(window));
            for (kind, before) in kinds.iter().zip(before) {
                // Something else was copied or selected meanwhile, unless a clipboard manager has taken over the text.
                if !owner.is_owner(*kind).unwrap_or(true)
                    && found(clipboard.get().clipboard(*kind).text()).is_ok_and(|now| now.as_deref() != Some(text))
                {
                    continue;
                }
                put_back(clipboard, *kind, before);
            }
            pasted
        })
    }

    /// Pastes a text into the window that has the focus on Wayland. `is_taken` tells whether the clipboard holds anything, text or not, and
    /// `press` presses keys.
    ///
    /// # Errors
    /// Like [`Self::paste`], or when `press` fails.
    #[cfg(target_os = "linux")]
    pub(super) fn paste_on_wayland(
        &self,
        text: &str,
        stop: &CancellationToken,
        is_taken: impl Fn() -> Result<bool>,
        press: impl FnOnce(&KeyCombination) -> Result<()>,
    ) -> Result<()> {
        self.with(|clipboard| {
            let before = held(clipboard, &PASTED, is_taken)?;
            if stop.is_cancelled() {
                return Ok(());
            }
            let pasted = PASTED
                .iter()
                .try_for_each(|kind| {
                    let set = clipboard.set().clipboard(*kind).exclude_from_history().text(text);
                    // Not every desktop has a selection.
                    set.or_else(
                        |cause| if matches!(kind, LinuxClipboardKind::Primary) { Ok(()) } else { Err(refused(cause)) },
                    )
                })
                .and_then(|()| press(&PASTE))
                .inspect(|()| std::thread::sleep(FETCH_TIME));
            for (kind, before) in PASTED.iter().zip(before) {
                put_back(clipboard, *kind, before);
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

/// The texts that are offered.
///
/// # Errors
/// When the clipboard holds something else than text.
#[cfg(target_os = "linux")]
fn held(
    clipboard: &mut arboard::Clipboard,
    kinds: &[LinuxClipboardKind],
    is_taken: impl Fn() -> Result<bool>,
) -> Result<Vec<Option<String>>> {
    let mut texts = Vec::new();
    for kind in kinds {
        let text = readable(clipboard, *kind);
        if text.is_none() && matches!(kind, LinuxClipboardKind::Clipboard) && is_taken()? {
            let message = "The clipboard holds something other than text, which pasting would lose. Copy any text, then ask again.";
            return Err(Error::new(ErrorCode::Desktop, message));
        }
        texts.push(text);
    }
    Ok(texts)
}

/// Offers what was offered before, without telling clipboard managers of it again.
#[cfg(target_os = "linux")]
fn put_back(clipboard: &mut arboard::Clipboard, kind: LinuxClipboardKind, before: Option<String>) {
    let restored = match before {
        Some(text) => clipboard.set().clipboard(kind).exclude_from_history().text(text),
        None => clipboard.clear_with().clipboard(kind),
    };
    if let Err(error) = restored {
        tracing::warn!(%error, "the clipboard is not as it was");
    }
}

/// The text that can be put back; `None` when there is none. Some programs answer with a picture when they are asked for text.
#[cfg(target_os = "linux")]
fn readable(clipboard: &mut arboard::Clipboard, kind: LinuxClipboardKind) -> Option<String> {
    found(clipboard.get().clipboard(kind).text()).ok().flatten()
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
