//! AURA as the owner of X11's selections, from which other programs paste: CLIPBOARD, and PRIMARY for what is selected.

use std::time::{Duration, Instant};

use arboard::LinuxClipboardKind;
use aura_core::desktop::TargetWindow;
use aura_core::error::Result;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{self, ConnectionExt as _};
use x11rb::wrapper::ConnectionExt as _;

use super::windows::{Windows, failed};

/// How long the text is offered on after a window has fetched it: some fetch it again in another format.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a busy program has to fetch the text. It would paste what is offered afterwards.
const FETCH_TIME: Duration = Duration::from_secs(5);
/// The pause between two looks for requests.
const PAUSE: Duration = Duration::from_millis(1);

x11rb::atom_manager! {
    /// The formats of a text.
    Formats: FormatsCookie {
        // Latin-1.
        STRING,
        TARGETS,
        TEXT,
        UTF8_STRING,
        PLAIN: b"text/plain",
        PLAIN_UTF8: b"text/plain;charset=utf-8",
        PLAIN_UTF8_CAPITALS: b"text/plain;charset=UTF-8",
        // Asks clipboard managers to forget the text.
        HINT: b"x-kde-passwordManagerHint",
    }
}

/// Owns selections with a text until this is dropped, or another program takes them.
pub(super) struct SelectionOwner<'a> {
    windows: &'a Windows,
    window: xproto::Window,
    formats: Formats,
    text: &'a str,
    /// The text in Latin-1, for old programs; `None` if it cannot be written so.
    latin: Option<Vec<u8>>,
}

impl<'a> SelectionOwner<'a> {
    /// Takes these selections, with a text.
    ///
    /// # Errors
    /// When the display fails.
    pub(super) fn begin(windows: &'a Windows, kinds: &[LinuxClipboardKind], text: &'a str) -> Result<Self> {
        let server = &windows.server;
        let formats = Formats::new(server).map_err(failed)?.reply().map_err(failed)?;
        let window = server.generate_id().map_err(failed)?;
        let (class, attributes) = (xproto::WindowClass::INPUT_ONLY, xproto::CreateWindowAux::new());
        server.create_window(0, window, windows.root, 0, 0, 1, 1, 0, class, 0, &attributes).map_err(failed)?;
        let latin = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let owner = Self { windows, window, formats, text, latin };
        for kind in kinds {
            let request = server.set_selection_owner(window, windows.atom(*kind), x11rb::CURRENT_TIME);
            request.map_err(failed)?.check().map_err(failed)?;
        }
        Ok(owner)
    }

    /// Serves requests for the text, until the target window had the time to fetch it.
    ///
    /// # Errors
    /// When the display fails.
    pub(super) fn serve(&self, target: &TargetWindow) -> Result<()> {
        let mut end = Instant::now() + FETCH_TIME;
        while Instant::now() < end {
            match self.windows.server.poll_for_event().map_err(failed)? {
                Some(Event::SelectionRequest(request)) => {
                    let has_text = self.answer(&request)?;
                    if has_text && self.windows.are_of_one_program(request.requestor, target.id) {
                        end = Instant::now() + AGAIN;
                    }
                }
                // Such as an error because a window that asked is gone.
                Some(_) => {}
                None => std::thread::sleep(PAUSE),
            }
        }
        Ok(())
    }

    /// Whether the selection is still AURA's.
    pub(super) fn is_owner(&self, of: LinuxClipboardKind) -> Result<bool> {
        Ok(self.windows.owner(of)? == Some(self.window))
    }

    /// The formats that every text has.
    fn unicode(&self) -> [xproto::Atom; 5] {
        let Formats { UTF8_STRING, PLAIN_UTF8, PLAIN_UTF8_CAPITALS, PLAIN, TEXT, .. } = self.formats;
        [UTF8_STRING, PLAIN_UTF8, PLAIN_UTF8_CAPITALS, PLAIN, TEXT]
    }

    /// The text in a format, with the name of that; `None` when it does not exist.
    fn in_format(&self, format: xproto::Atom) -> Option<(xproto::Atom, &[u8])> {
        if format == self.formats.STRING {
            return Some((format, self.latin.as_deref()?));
        }
        // `TEXT` leaves the format to the one who offers.
        let name = if format == self.formats.TEXT { self.formats.UTF8_STRING } else { format };
        self.unicode().contains(&format).then_some((name, self.text.as_bytes()))
    }

    /// Answers a request; returns whether it was one for the text.
    fn answer(&self, request: &xproto::SelectionRequestEvent) -> Result<bool> {
        let (server, formats) = (&self.windows.server, &self.formats);
        // Programs of old leave the property to the one who offers.
        let property = if request.property == x11rb::NONE { request.target } else { request.property };
        let text = self.in_format(request.target);
        let has_text = text.is_some();
        let put = if let Some((name, bytes)) = text {
            Some(server.change_property8(xproto::PropMode::REPLACE, request.requestor, property, name, bytes))
        } else if request.target == formats.HINT {
            Some(server.change_property8(
                xproto::PropMode::REPLACE,
                request.requestor,
                property,
                formats.HINT,
                b"secret",
            ))
        } else if request.target == formats.TARGETS {
            let mut all = [&self.unicode()[..], &[formats.TARGETS, formats.HINT]].concat();
            all.extend(self.latin.is_some().then_some(formats.STRING));
            let kind = xproto::AtomEnum::ATOM;
            Some(server.change_property32(xproto::PropMode::REPLACE, request.requestor, property, kind, &all))
        } else {
            None
        };
        let is_put = put.transpose().map_err(failed)?.is_some();
        let notice = xproto::SelectionNotifyEvent {
            response_type: xproto::SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: if is_put { property } else { x11rb::NONE },
        };
        server.send_event(false, request.requestor, xproto::EventMask::NO_EVENT, notice).map_err(failed)?;
        server.flush().map_err(failed)?;
        Ok(has_text)
    }
}

impl Drop for SelectionOwner<'_> {
    fn drop(&mut self) {
        // What fails here ends with the connection.
        let _ = self.windows.server.destroy_window(self.window);
        let _ = self.windows.server.flush();
    }
}
