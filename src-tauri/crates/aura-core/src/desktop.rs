//! The desktop port: what AURA can do in the programs of the person. Whoever uses it has the person's consent already.

mod controls;

use std::fmt::{self, Write as _};
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};

pub use controls::{Control, Element, ElementState, WindowContents};

/// What [`Desktop::open`] opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OpenTarget {
    /// An installed application.
    Application {
        /// The ID by which the operating system starts it, such as `org.gnome.TextEditor`.
        id: String,
        /// Its name to show to the person.
        name: String,
    },
    /// A file or a folder, in the program that the system has for it.
    File {
        /// The absolute path.
        path: String,
    },
    /// A web page or a mail address, in the program that the system has for it.
    Address {
        /// The address, with `http`, `https` or `mailto`.
        url: String,
    },
}

/// A window of another program, which gets the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TargetWindow {
    /// The window's ID in the operating system. On Wayland, where windows of other programs have none, the ID of its process; 0 where that is
    /// not known.
    pub id: u32,
    /// Its title, at most 80 characters, without control characters. Empty where it has none, or none is known.
    pub title: String,
}

impl TargetWindow {
    /// A window with what can be shown of its title. The title is the other program's: it may say anything.
    pub fn new(id: u32, title: &str) -> Self {
        let title = title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect::<String>();
        Self { id, title: title.trim().to_owned() }
    }
}

/// What is done with sound and media players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum MediaCommand {
    /// Goes on playing.
    Play,
    /// Pauses.
    Pause,
    /// Goes to the next title.
    Next,
    /// Goes to the title before.
    Previous,
    /// Sets how loud the computer is.
    Volume {
        /// 0 to 100.
        percent: u32,
    },
}

/// A combination of keys, such as `Ctrl+Shift+T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCombination {
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Alt is held.
    pub alt: bool,
    /// Whether Shift is held.
    pub shift: bool,
    /// Whether the logo key (Windows, Super, Command) is held.
    pub logo: bool,
    /// The key that is pressed.
    pub key: DesktopKey,
}

/// A key of a [`KeyCombination`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DesktopKey {
    /// The key that writes this character without Shift: a lower-case letter, a digit or a sign.
    Character(char),
    /// A key by its name, one of [`KEY_NAMES`].
    Named(&'static str),
    /// A function key: 1 to 24.
    Function(u8),
}

/// The names of keys that write no character.
pub const KEY_NAMES: [&str; 15] = [
    "Enter",
    "Tab",
    "Escape",
    "Space",
    "Backspace",
    "Delete",
    "Insert",
    "Home",
    "End",
    "PageUp",
    "PageDown",
    "Left",
    "Right",
    "Up",
    "Down",
];

impl FromStr for KeyCombination {
    type Err = Error;

    /// Reads a combination as people write it: `Ctrl+S`, `ctrl-shift-t`, `Strg+C`, `Cmd+Space`, `F5`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "`{}` is not a key combination. Write it like Ctrl+S, Alt+Tab or F5.",
                text.chars().take(40).collect::<String>()
            ))
        };
        let text = text.trim();
        // The last sign may itself be the key: `Ctrl++`, `Ctrl+-`.
        let mut letters = text.chars();
        let last = letters.next_back().ok_or_else(wrong)?;
        let is_sign = matches!(last, '+' | '-');
        let (modifiers, key) = match is_sign {
            true => (letters.as_str(), last.to_string()),
            false => match text.rfind(['+', '-']) {
                Some(at) => (&text[..=at], text[at + 1..].trim().to_owned()),
                None => ("", text.to_owned()),
            },
        };
        let modifiers = modifiers.trim_end_matches(['+', '-', ' ']);
        let key = DesktopKey::named(&key).ok_or_else(wrong)?;
        let mut combination = Self { ctrl: false, alt: false, shift: false, logo: false, key };
        for modifier in modifiers.split(['+', '-']).map(str::trim).filter(|_| !modifiers.is_empty()) {
            let held = match modifier.to_lowercase().as_str() {
                "ctrl" | "control" | "strg" => &mut combination.ctrl,
                "alt" | "option" => &mut combination.alt,
                "shift" | "umschalt" => &mut combination.shift,
                "super" | "win" | "windows" | "cmd" | "command" | "meta" | "logo" => &mut combination.logo,
                _ => return Err(wrong()),
            };
            *held = true;
        }
        Ok(combination)
    }
}

impl DesktopKey {
    fn named(name: &str) -> Option<Self> {
        let mut letters = name.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            let one = single(letter.to_lowercase())?;
            return (!one.is_control() && !one.is_whitespace()).then_some(Self::Character(one));
        }
        let plain = name.to_lowercase().replace([' ', '_'], "");
        if let Some(number) = plain.strip_prefix('f').and_then(|number| number.parse().ok()) {
            return (1..=24).contains(&number).then_some(Self::Function(number));
        }
        let plain = match plain.as_str() {
            "return" => "enter",
            "esc" => "escape",
            "del" => "delete",
            "pgup" => "pageup",
            "pgdn" | "pgdown" => "pagedown",
            "arrowleft" => "left",
            "arrowright" => "right",
            "arrowup" => "up",
            "arrowdown" => "down",
            other => other,
        };
        KEY_NAMES.into_iter().find(|known| known.to_lowercase() == plain).map(Self::Named)
    }
}

impl fmt::Display for KeyCombination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = [(self.ctrl, "Ctrl"), (self.alt, "Alt"), (self.shift, "Shift"), (self.logo, "Super")];
        for (_, name) in held.into_iter().filter(|(is_held, _)| *is_held) {
            write!(f, "{name}+")?;
        }
        match self.key {
            // As it is printed on the key, unless that would be read as another one, such as that of `ß`.
            DesktopKey::Character(letter) => {
                let upper = single(letter.to_uppercase()).filter(|upper| single(upper.to_lowercase()) == Some(letter));
                f.write_char(upper.unwrap_or(letter))
            }
            DesktopKey::Named(name) => f.write_str(name),
            DesktopKey::Function(number) => write!(f, "F{number}"),
        }
    }
}

/// The only item.
fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

/// The programs of the person's desktop. Dropping a future stops what it does.
#[async_trait]
pub trait Desktop: Send + Sync {
    /// Whether there is a desktop at all.
    fn is_available(&self) -> bool {
        true
    }

    /// Finds an installed application by its name as the person says it.
    ///
    /// # Errors
    /// With [`ErrorCode::NotFound`] when there is none, or several.
    async fn find_application(&self, name: &str) -> Result<OpenTarget>;

    /// Opens something, and leaves it alone afterwards.
    ///
    /// # Errors
    /// When it does not exist, or no program opens it.
    async fn open(&self, target: &OpenTarget) -> Result<()>;

    /// The text on the clipboard; `None` when it holds none.
    ///
    /// # Errors
    /// When the desktop does not let AURA read it.
    async fn clipboard(&self) -> Result<Option<String>>;

    /// Puts a text on the clipboard. It stays there until another program replaces it, or AURA ends.
    ///
    /// # Errors
    /// When the desktop does not let AURA set it.
    async fn set_clipboard(&self, text: &str) -> Result<()>;

    /// The text that is selected now; `None` when nothing is.
    ///
    /// # Errors
    /// When the desktop does not let AURA read it.
    async fn selection(&self) -> Result<Option<String>>;

    /// The window that gets the keys. If it is one of AURA's own, the one that had the focus before.
    ///
    /// # Errors
    /// With [`ErrorCode::NotFound`] when no other window is open, or when the desktop does not tell.
    async fn target_window(&self) -> Result<TargetWindow>;

    /// Types a text into a window, which gets the focus first. A long one, or one that the keyboard has no keys for, is pasted if that
    /// loses nothing. A line break at its end presses Enter in either case.
    ///
    /// # Errors
    /// When the window is gone or gets no focus, or the desktop does not let AURA type. A part may have been typed.
    async fn type_text(&self, text: &str, window: &TargetWindow) -> Result<()>;

    /// Pastes a text into a window, which gets the focus first. The clipboard is afterwards as it was, and clipboard managers are asked
    /// not to remember the text.
    ///
    /// # Errors
    /// As those of [`Desktop::type_text`].
    async fn paste_text(&self, text: &str, window: &TargetWindow) -> Result<()>;

    /// Presses a combination of keys in a window, which gets the focus first.
    ///
    /// # Errors
    /// As those of [`Desktop::type_text`], or when the keyboard has no such key.
    async fn press(&self, keys: &KeyCombination, window: &TargetWindow) -> Result<()>;

    /// The window in front, to read it and use its controls. It may be one that cannot be typed into.
    ///
    /// # Errors
    /// As those of [`Desktop::target_window`].
    async fn front_window(&self) -> Result<TargetWindow> {
        self.target_window().await
    }

    /// What a window shows, by the descriptions that its program has for screen readers.
    ///
    /// # Errors
    /// When the window is gone, or its program describes nothing.
    async fn read_window(&self, window: &TargetWindow) -> Result<WindowContents>;

    /// Uses a control of a window: presses it or, if text is written into it, puts the cursor into it.
    ///
    /// # Errors
    /// When it is no longer there, or its program does not let AURA do it.
    async fn use_control(&self, control: &Control, window: &TargetWindow) -> Result<()>;

    /// Controls media players, or the volume.
    ///
    /// # Errors
    /// When no player runs, or the volume cannot be set.
    async fn media(&self, command: MediaCommand) -> Result<()>;

    /// How loud the computer is, in percent.
    ///
    /// # Errors
    /// When the desktop does not tell.
    async fn volume(&self) -> Result<u32>;
}

/// A host without a desktop.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDesktop;

fn no_desktop<T>() -> Result<T> {
    Err(Error::new(ErrorCode::Desktop, "This program has no desktop to act on. Use the desktop app."))
}

#[async_trait]
impl Desktop for NoDesktop {
    fn is_available(&self) -> bool {
        false
    }

    async fn find_application(&self, _name: &str) -> Result<OpenTarget> {
        no_desktop()
    }

    async fn open(&self, _target: &OpenTarget) -> Result<()> {
        no_desktop()
    }

    async fn clipboard(&self) -> Result<Option<String>> {
        no_desktop()
    }

    async fn set_clipboard(&self, _text: &str) -> Result<()> {
        no_desktop()
    }

    async fn selection(&self) -> Result<Option<String>> {
        no_desktop()
    }

    async fn target_window(&self) -> Result<TargetWindow> {
        no_desktop()
    }

    async fn type_text(&self, _text: &str, _window: &TargetWindow) -> Result<()> {
        no_desktop()
    }

    async fn paste_text(&self, _text: &str, _window: &TargetWindow) -> Result<()> {
        no_desktop()
    }

    async fn press(&self, _keys: &KeyCombination, _window: &TargetWindow) -> Result<()> {
        no_desktop()
    }

    async fn read_window(&self, _window: &TargetWindow) -> Result<WindowContents> {
        no_desktop()
    }

    async fn use_control(&self, _control: &Control, _window: &TargetWindow) -> Result<()> {
        no_desktop()
    }

    async fn media(&self, _command: MediaCommand) -> Result<()> {
        no_desktop()
    }

    async fn volume(&self) -> Result<u32> {
        no_desktop()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn combinations_are_read_as_people_write_them() {
        for (written, read) in [
            ("Ctrl+S", "Ctrl+S"),
            ("ctrl-shift-t", "Ctrl+Shift+T"),
            ("Strg + C", "Ctrl+C"),
            ("Cmd+Space", "Super+Space"),
            ("F5", "F5"),
            ("alt+f4", "Alt+F4"),
            ("esc", "Escape"),
            ("Ctrl++", "Ctrl++"),
            ("Ctrl+-", "Ctrl+-"),
            ("Page Down", "PageDown"),
            ("arrow_down", "Down"),
            ("f", "F"),
            ("ü", "Ü"),
        ] {
            assert_eq!(written.parse::<KeyCombination>().unwrap().to_string(), read, "{written}");
        }
        for wrong in ["", "Ctrl", "Hyper+X", "Ctrl+Foo", "F25", "Ctrl+S then Ctrl+Q", "a b", "\n"] {
            assert!(wrong.parse::<KeyCombination>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_of_a_combination_reads_as_the_same_one(text in ".{0,24}") {
            if let Ok(combination) = text.parse::<KeyCombination>() {
                prop_assert_eq!(combination.to_string().parse::<KeyCombination>().unwrap(), combination);
            }
        }
    }
}
