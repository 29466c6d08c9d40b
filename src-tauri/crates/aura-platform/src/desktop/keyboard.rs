//! Keys on X11, by the extension XTEST: other programs get them as if they came from the keyboard.

use std::time::{Duration, Instant};

use aura_core::desktop::{DesktopKey, KeyCombination};
use aura_core::error::{Error, ErrorCode, Result};
use tokio_util::sync::CancellationToken;
use x11rb::connection::Connection;
use x11rb::protocol::xkb::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{self, ConnectionExt as _};
use x11rb::protocol::xtest::ConnectionExt as _;
use xkeysym::{Keysym, RawKeysym, key};

use super::windows::{Windows, failed};

/// The longest time until the person's own modifier keys are up.
const RELEASE_TIME: Duration = Duration::from_secs(3);
/// The pause after each character, for programs that are slow to read.
pub(super) const PAUSE: Duration = Duration::from_millis(2);

/// The keyboard in its present layout.
pub(super) struct Keyboard<'a> {
    windows: &'a Windows,
    first: xproto::Keycode,
    /// The keysyms of each keycode, one column for each level of each layout.
    keysyms: Vec<RawKeysym>,
    per_key: usize,
    /// The first column of the layout that is in use.
    column: usize,
}

/// A key to press, and whether Shift is held.
type Stroke = (xproto::Keycode, bool);

impl<'a> Keyboard<'a> {
    /// Reads the layout.
    ///
    /// # Errors
    /// When the display has no XTEST or cannot be reached.
    pub(super) fn new(windows: &'a Windows) -> Result<Self> {
        let server = &windows.server;
        server.xtest_get_version(2, 2).map_err(failed)?.reply().map_err(failed)?;
        server.xkb_use_extension(1, 0).map_err(failed)?.reply().map_err(failed)?;
        let group = server.xkb_get_state(xkb::ID::USE_CORE_KBD.into()).map_err(failed)?.reply().map_err(failed)?.group;
        let (first, last) = (server.setup().min_keycode, server.setup().max_keycode);
        let map = server.get_keyboard_mapping(first, last - first + 1).map_err(failed)?.reply().map_err(failed)?;
        let per_key = usize::from(map.keysyms_per_keycode).max(1);
        // The core protocol gives two columns to each of the first two layouts.
        let column = if u8::from(group) == 1 { 2 } else { 0 };
        Ok(Self { windows, first, keysyms: map.keysyms, per_key, column })
    }

    /// Types a text. False, and nothing is typed, when the layout has no key for some character, or Caps Lock is on.
    ///
    /// # Errors
    /// When a modifier key is held, or the display fails. A part may have been typed then.
    pub(super) fn type_text(&self, text: &str, stop: &CancellationToken) -> Result<bool> {
        let Some(strokes) = text.chars().map(|c| self.stroke(c)).collect::<Option<Vec<Stroke>>>() else {
            return Ok(false);
        };
        let shift = self.modifier(key::Shift_L)?;
        self.wait_for_modifiers()?;
        if self.modifiers()? & u16::from(xproto::KeyButMask::LOCK) != 0 {
            return Ok(false);
        }
        for (keycode, is_shifted) in strokes {
            if stop.is_cancelled() {
                break;
            }
            let held: &[xproto::Keycode] = if is_shifted { &[shift] } else { &[] };
            self.strike(held, keycode)?;
            std::thread::sleep(PAUSE);
        }
        Ok(true)
    }

    /// Presses a combination of keys.
    ///
    /// # Errors
    /// When the keyboard has no such key, a modifier key is held, or the display fails.
    pub(super) fn press(&self, keys: &KeyCombination) -> Result<()> {
        let missing =
            || Error::new(ErrorCode::Desktop, format!("The keyboard has no key for {keys}. Nothing was pressed."));
        let keycode = keysyms(keys.key).into_iter().find_map(|keysym| self.key(keysym, 0)).ok_or_else(missing)?;
        let held = modifiers(keys).map(|keysym| self.modifier(keysym)).collect::<Result<Vec<_>>>()?;
        self.wait_for_modifiers()?;
        self.strike(&held, keycode)
    }

    /// Presses and releases a key while others are held. All are released whatever fails.
    fn strike(&self, held: &[xproto::Keycode], keycode: xproto::Keycode) -> Result<()> {
        let presses = held.iter().chain([&keycode]).map(|key| (xproto::KEY_PRESS_EVENT, *key));
        let releases = [&keycode].into_iter().chain(held.iter().rev()).map(|key| (xproto::KEY_RELEASE_EVENT, *key));
        let mut result = Ok(());
        for (event, key) in presses.chain(releases) {
            let sent = self.windows.server.xtest_fake_input(event, key, 0, x11rb::NONE, 0, 0, 0).map_err(failed);
            result = result.and(sent.map(drop));
        }
        // An exchange, so that a slow server is not flooded.
        result.and(self.windows.server.get_input_focus().map_err(failed)?.reply().map_err(failed).map(drop))
    }

    /// The key, and whether it needs Shift, that types a character in the layout in use.
    fn stroke(&self, c: char) -> Option<Stroke> {
        characters(c).into_iter().find_map(|keysym| {
            let plain = self.key(keysym, 0).map(|keycode| (keycode, false));
            plain.or_else(|| self.key(keysym, 1).map(|keycode| (keycode, true)))
        })
    }

    /// The key with this keysym on a level of the layout in use: 0 without and 1 with Shift.
    fn key(&self, keysym: RawKeysym, level: usize) -> Option<xproto::Keycode> {
        let keys = self.keysyms.chunks(self.per_key).zip(self.first..=xproto::Keycode::MAX);
        let column = self.column + level;
        let mut found = keys.filter(|(syms, _)| {
            // A key without a second layout has its first one there, too.
            let at = syms.get(column).filter(|sym| **sym != 0).or_else(|| syms.get(level));
            at == Some(&keysym)
        });
        found.next().map(|(_, keycode)| keycode)
    }

    fn modifier(&self, keysym: RawKeysym) -> Result<xproto::Keycode> {
        let missing = || Error::new(ErrorCode::Desktop, "The keyboard has no such modifier key. Nothing was pressed.");
        self.key(keysym, 0).ok_or_else(missing)
    }

    /// Waits until the person holds no modifier key, such as those of the push-to-talk shortcut.
    fn wait_for_modifiers(&self) -> Result<()> {
        use xproto::KeyButMask;
        let held = [KeyButMask::SHIFT, KeyButMask::CONTROL, KeyButMask::MOD1, KeyButMask::MOD4];
        let held = held.into_iter().fold(0, |all, one| all | u16::from(one));
        let deadline = Instant::now() + RELEASE_TIME;
        while self.modifiers()? & held != 0 {
            if Instant::now() > deadline {
                let message =
                    "A key such as Ctrl or Shift is held down, so nothing was typed. Let it go, then ask again.";
                return Err(Error::new(ErrorCode::Desktop, message));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn modifiers(&self) -> Result<u16> {
        let pointer = self.windows.server.query_pointer(self.windows.root).map_err(failed)?.reply().map_err(failed)?;
        Ok(pointer.mask.into())
    }
}

/// The keysyms of the modifiers of a combination.
pub(super) fn modifiers(keys: &KeyCombination) -> impl Iterator<Item = RawKeysym> {
    let all =
        [(keys.ctrl, key::Control_L), (keys.alt, key::Alt_L), (keys.shift, key::Shift_L), (keys.logo, key::Super_L)];
    all.into_iter().filter(|(is_held, _)| *is_held).map(|(_, keysym)| keysym)
}

/// The keysyms by which a layout may name the key of a character: some have an older one besides their Unicode one.
pub(super) fn characters(c: char) -> [RawKeysym; 2] {
    match c {
        '\n' => return [key::Return; 2],
        '\t' => return [key::Tab; 2],
        _ => {}
    }
    [Keysym::from_char(c).raw(), 0x0100_0000 | u32::from(c)]
}

/// The keysyms by which a layout may name a key.
pub(super) fn keysyms(of: DesktopKey) -> Vec<RawKeysym> {
    let keysym = match of {
        DesktopKey::Character(c) => return characters(c).to_vec(),
        DesktopKey::Function(number) => key::F1 + u32::from(number) - 1,
        DesktopKey::Named(name) => match name {
            "Enter" => key::Return,
            "Tab" => key::Tab,
            "Escape" => key::Escape,
            "Space" => key::space,
            "Backspace" => key::BackSpace,
            "Delete" => key::Delete,
            "Insert" => key::Insert,
            "Home" => key::Home,
            "End" => key::End,
            "PageUp" => key::Page_Up,
            "PageDown" => key::Page_Down,
            "Left" => key::Left,
            "Right" => key::Right,
            "Up" => key::Up,
            "Down" => key::Down,
            _ => return Vec::new(),
        },
    };
    vec![keysym]
}
