//! Windows of other programs on X11: which one gets the keys, and how another one gets them.

use std::time::{Duration, Instant};

use arboard::LinuxClipboardKind;
use aura_core::desktop::TargetWindow;
use aura_core::error::{Error, ErrorCode, Result};
use x11rb::connection::Connection;
use x11rb::errors::ReplyError;
use x11rb::protocol::xproto::{self, ConnectionExt as _};
use x11rb::rust_connection::RustConnection;

/// The longest time for a window to come to the front.
const FOCUS_TIME: Duration = Duration::from_secs(2);
/// The longest list of windows that is read, in entries.
const MAX_WINDOWS: u32 = 4_096;

x11rb::atom_manager! {
    /// The names that window managers and windows agree on.
    Atoms: AtomsCookie {
        CLIPBOARD,
        UTF8_STRING,
        _NET_ACTIVE_WINDOW,
        _NET_CLIENT_LIST_STACKING,
        _NET_SUPPORTING_WM_CHECK,
        _NET_WM_NAME,
        _NET_WM_PID,
        _NET_WM_STATE,
        _NET_WM_STATE_HIDDEN,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DESKTOP,
        _NET_WM_WINDOW_TYPE_DOCK,
    }
}

/// A connection to the display.
pub(super) struct Windows {
    pub(super) server: RustConnection,
    pub(super) root: xproto::Window,
    atoms: Atoms,
}

/// Whether this is a Wayland session.
pub(super) fn is_wayland() -> bool {
    std::env::var_os("WAYLAND_DISPLAY").is_some_and(|value| !value.is_empty())
}

impl Windows {
    /// Connects to the X server.
    ///
    /// # Errors
    /// Without a display.
    pub(super) fn connect() -> Result<Self> {
        let (server, screen) = x11rb::connect(None).map_err(failed)?;
        let root = server.setup().roots[screen].root;
        let atoms = Atoms::new(&server).map_err(failed)?.reply().map_err(failed)?;
        Ok(Self { server, root, atoms })
    }

    /// The window that gets the keys; if that is one of AURA's own, the highest other one.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn target(&self) -> Result<TargetWindow> {
        let active = self.active().map_err(failed)?.filter(|window| self.is_of_another_program(*window));
        let window = match active {
            Some(window) => window,
            None => self
                .stacked()
                .map_err(failed)?
                .into_iter()
                .rev()
                .find(|window| self.may_have_focus(*window))
                .ok_or_else(|| {
                    Error::new(
                        ErrorCode::NotFound,
                        "No window of another program is open. Open the one that you mean, then ask again.",
                    )
                })?,
        };
        Ok(TargetWindow::new(window, &self.title(window)))
    }

    /// Brings a window to the front, so that it gets the keys.
    ///
    /// # Errors
    /// When it is gone, or another one keeps the focus.
    pub(super) fn focus(&self, window: &TargetWindow) -> Result<()> {
        let exists = self.server.get_window_attributes(window.id).map_err(failed)?.reply().is_ok();
        if !exists {
            return Err(Error::new(ErrorCode::Desktop, "The window is closed. Nothing was done in it."));
        }
        if self.active().map_err(failed)? == Some(window.id) {
            return Ok(());
        }
        if self.has_manager().map_err(failed)? {
            // From a pager, as a direct request of the person.
            let message = xproto::ClientMessageEvent::new(
                32,
                window.id,
                self.atoms._NET_ACTIVE_WINDOW,
                [2, x11rb::CURRENT_TIME, 0, 0, 0],
            );
            let mask = xproto::EventMask::SUBSTRUCTURE_REDIRECT | xproto::EventMask::SUBSTRUCTURE_NOTIFY;
            self.server.send_event(false, self.root, mask, message).map_err(failed)?.check().map_err(failed)?;
        } else {
            let request = self.server.set_input_focus(xproto::InputFocus::PARENT, window.id, x11rb::CURRENT_TIME);
            request.map_err(failed)?.check().map_err(failed)?;
        }
        let deadline = Instant::now() + FOCUS_TIME;
        while Instant::now() < deadline {
            if self.active().map_err(failed)? == Some(window.id) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let message = "The window did not come to the front, so nothing was done in it. Click into it, then ask again.";
        Err(Error::new(ErrorCode::Desktop, message))
    }

    /// The window of the program that offers a text; `None` when none does.
    pub(super) fn owner(&self, of: LinuxClipboardKind) -> Result<Option<xproto::Window>> {
        let owner = self.server.get_selection_owner(self.atom(of)).map_err(failed)?.reply().map_err(failed)?.owner;
        Ok((owner != x11rb::NONE).then_some(owner))
    }

    /// The name of what is offered on the X server.
    pub(super) fn atom(&self, of: LinuxClipboardKind) -> xproto::Atom {
        match of {
            LinuxClipboardKind::Clipboard => self.atoms.CLIPBOARD,
            LinuxClipboardKind::Primary => xproto::AtomEnum::PRIMARY.into(),
            LinuxClipboardKind::Secondary => xproto::AtomEnum::SECONDARY.into(),
        }
    }

    /// Whether two windows are on the same connection to the X server.
    pub(super) fn are_of_one_program(&self, one: xproto::Window, other: xproto::Window) -> bool {
        (one ^ other) & !self.server.setup().resource_id_mask == 0
    }

    /// Whether a window pastes the clipboard in place of a text that is selected in it. GTK deselects that text as soon as another program
    /// offers a selection, and would paste beside it. False for terminals and Vim, which paste the selection.
    pub(super) fn replaces_its_selection(&self, window: &TargetWindow) -> Result<bool> {
        let is_its_own =
            self.owner(LinuxClipboardKind::Primary)?.is_some_and(|owner| self.are_of_one_program(owner, window.id));
        // Of a program that cannot be looked into, nothing is assumed.
        let may_be_terminal = || self.process(window).is_none_or(has_terminal);
        Ok(is_its_own && !self.is_vim(window) && !may_be_terminal())
    }

    /// Whether a window is Vim's.
    fn is_vim(&self, window: &TargetWindow) -> bool {
        let class = self.text(window.id, xproto::AtomEnum::WM_CLASS.into(), xproto::AtomEnum::STRING.into());
        class.unwrap_or_default().split('\0').any(|name| name.eq_ignore_ascii_case("gvim"))
    }

    fn has_manager(&self) -> Result<bool, ReplyError> {
        Ok(!self.numbers(self.root, self.atoms._NET_SUPPORTING_WM_CHECK, 1)?.is_empty())
    }

    /// The window that has the focus.
    fn active(&self) -> Result<Option<xproto::Window>, ReplyError> {
        if self.has_manager()? {
            let active = self.numbers(self.root, self.atoms._NET_ACTIVE_WINDOW, 1)?;
            return Ok(active.into_iter().find(|window| *window != x11rb::NONE));
        }
        let focus = self.server.get_input_focus()?.reply()?.focus;
        // 0 and 1 stand for no window, and for the one under the pointer.
        Ok((focus > 1 && focus != self.root).then_some(focus))
    }

    /// The windows that a window manager knows, the lowest first.
    fn stacked(&self) -> Result<Vec<xproto::Window>, ReplyError> {
        self.numbers(self.root, self.atoms._NET_CLIENT_LIST_STACKING, MAX_WINDOWS)
    }

    /// The process ID that a window's program gives itself.
    pub(super) fn process(&self, window: &TargetWindow) -> Option<u32> {
        self.numbers(window.id, self.atoms._NET_WM_PID, 1).ok()?.first().copied()
    }

    /// False for a window that is closed, too: a window manager may name it a moment longer.
    fn is_of_another_program(&self, window: xproto::Window) -> bool {
        let process = self.numbers(window, self.atoms._NET_WM_PID, 1);
        process.is_ok_and(|process| process.first() != Some(&std::process::id()))
    }

    /// Whether a window is one of another program, and neither minimised nor a part of the desktop.
    fn may_have_focus(&self, window: xproto::Window) -> bool {
        let states = self.numbers(window, self.atoms._NET_WM_STATE, 64).unwrap_or_default();
        let kinds = self.numbers(window, self.atoms._NET_WM_WINDOW_TYPE, 64).unwrap_or_default();
        let is_part_of_desktop = kinds
            .iter()
            .any(|kind| [self.atoms._NET_WM_WINDOW_TYPE_DESKTOP, self.atoms._NET_WM_WINDOW_TYPE_DOCK].contains(kind));
        self.is_of_another_program(window) && !is_part_of_desktop && !states.contains(&self.atoms._NET_WM_STATE_HIDDEN)
    }

    fn title(&self, window: xproto::Window) -> String {
        self.text(window, self.atoms._NET_WM_NAME, self.atoms.UTF8_STRING)
            .or_else(|| self.text(window, xproto::AtomEnum::WM_NAME.into(), xproto::AtomEnum::ANY.into()))
            .unwrap_or_default()
    }

    /// The text of a property, cut after a kilobyte; `None` when the window does not have it.
    fn text(&self, window: xproto::Window, property: xproto::Atom, kind: xproto::Atom) -> Option<String> {
        let request = self.server.get_property(false, window, property, kind, 0, 256).ok()?;
        let value = request.reply().ok()?.value;
        (!value.is_empty()).then(|| String::from_utf8_lossy(&value).into_owned())
    }

    /// The 32-bit numbers of a property; none when the window does not have it.
    fn numbers(&self, window: xproto::Window, property: xproto::Atom, count: u32) -> Result<Vec<u32>, ReplyError> {
        let request = self.server.get_property(false, window, property, xproto::AtomEnum::ANY, 0, count)?;
        let reply = request.reply()?;
        Ok(reply.value32().map(Iterator::collect).unwrap_or_default())
    }
}

/// Whether a process runs other programs in a terminal of its own; true when that cannot be seen.
fn has_terminal(process: u32) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return true };
    let is_terminal = |file: std::fs::DirEntry| std::fs::read_link(file.path()).is_ok_and(|to| to.ends_with("ptmx"));
    files.flatten().any(is_terminal)
}

/// The display failed.
pub(super) fn failed(cause: impl std::fmt::Display) -> Error {
    let message = "AURA cannot reach the display to act in other programs. Check that your desktop session works, then try again.";
    Error::new(ErrorCode::Desktop, message).because(cause)
}
