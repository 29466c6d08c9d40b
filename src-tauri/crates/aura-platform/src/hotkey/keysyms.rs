//! The keysyms of keys, as keyboard layouts and desktops name them.

use xkeysym::{Keysym, RawKeysym, key};

use super::{Key, Shortcut};

/// The keysyms by which a keyboard layout may name a key. Some characters have an older keysym besides their Unicode one.
pub(super) fn keysyms(of: Key) -> [Option<RawKeysym>; 2] {
    let keysym = match of {
        Key::Char(char) => return [Some(Keysym::from_char(char).raw()), Some(0x0100_0000 | u32::from(char))],
        Key::Function(number) => key::F1 + u32::from(number) - 1,
        Key::Named(name) => match name {
            "Space" => key::space,
            "Tab" => key::Tab,
            "Enter" => key::Return,
            "Escape" => key::Escape,
            "Backspace" => key::BackSpace,
            "Insert" => key::Insert,
            "Delete" => key::Delete,
            "Home" => key::Home,
            "End" => key::End,
            "PageUp" => key::Page_Up,
            "PageDown" => key::Page_Down,
            "Up" => key::Up,
            "Down" => key::Down,
            "Left" => key::Left,
            "Right" => key::Right,
            "Pause" => key::Pause,
            "ScrollLock" => key::Scroll_Lock,
            "PrintScreen" => key::Print,
            "Menu" => key::Menu,
            _ => return [None, None],
        },
    };
    [Some(keysym), None]
}

impl Shortcut {
    /// The shortcut in the format of the "shortcuts" specification of freedesktop.org, such as `CTRL+SHIFT+space`; `None` for a key without
    /// a name.
    pub(super) fn trigger(&self) -> Option<String> {
        let keysym = keysyms(self.key)[0]?;
        let name = Keysym::from(keysym).name()?;
        let modifiers = [(self.ctrl, "CTRL"), (self.alt, "ALT"), (self.shift, "SHIFT"), (self.logo, "LOGO")];
        let mut parts: Vec<&str> =
            modifiers.into_iter().filter_map(|(is_held, name)| is_held.then_some(name)).collect();
        parts.push(name.strip_prefix("XK_").unwrap_or(name));
        Some(parts.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortcut_is_written_as_desktops_write_it() {
        for (shortcut, trigger) in [
            ("Ctrl+Shift+Space", "CTRL+SHIFT+space"),
            ("Alt+F9", "ALT+F9"),
            ("Super+A", "LOGO+a"),
            ("Ctrl+Enter", "CTRL+Return"),
            ("Ctrl+;", "CTRL+semicolon"),
            ("Ctrl+1", "CTRL+1"),
            ("Ctrl+Ö", "CTRL+odiaeresis"),
        ] {
            assert_eq!(shortcut.parse::<Shortcut>().unwrap().trigger().as_deref(), Some(trigger), "{shortcut}");
        }
    }
}
