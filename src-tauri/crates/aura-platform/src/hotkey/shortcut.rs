//! Shortcuts in their written form, such as `Ctrl+Shift+Space`.

use std::fmt;
use std::str::FromStr;

use aura_core::error::{Error, ErrorCode};

/// A key with the modifiers that are held with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shortcut {
    /// Control is held.
    pub ctrl: bool,
    /// Alt (Option on macOS) is held.
    pub alt: bool,
    /// Shift is held.
    pub shift: bool,
    /// Super (the Windows key, Command on macOS) is held.
    pub logo: bool,
    /// The key.
    pub key: Key,
}

/// A key that is not a modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A key that types a character: a lower-case letter, a digit or a punctuation mark without Shift.
    Char(char),
    /// F1 to F24.
    Function(u8),
    /// A key with a name.
    Named(&'static str),
}

/// Names of keys, and other spellings that are understood.
const NAMED: &[(&str, &[&str])] = &[
    ("Space", &["spacebar"]),
    ("Tab", &[]),
    ("Enter", &["return"]),
    ("Escape", &["esc"]),
    ("Backspace", &[]),
    ("Insert", &["ins"]),
    ("Delete", &["del"]),
    ("Home", &[]),
    ("End", &[]),
    ("PageUp", &["pgup"]),
    ("PageDown", &["pgdn", "pgdown"]),
    ("Up", &["arrowup"]),
    ("Down", &["arrowdown"]),
    ("Left", &["arrowleft"]),
    ("Right", &["arrowright"]),
    ("Pause", &["break"]),
    ("ScrollLock", &[]),
    ("PrintScreen", &["print", "prtsc"]),
    ("Menu", &["contextmenu"]),
];

/// Names of punctuation marks. `+` separates the parts of a shortcut, so the plus key needs one.
const SPELLED: &[(&str, char)] = &[
    ("plus", '+'),
    ("minus", '-'),
    ("comma", ','),
    ("period", '.'),
    ("slash", '/'),
    ("backslash", '\\'),
    ("semicolon", ';'),
    ("quote", '\''),
    ("backquote", '`'),
    ("equal", '='),
    ("bracketleft", '['),
    ("bracketright", ']'),
];

impl Key {
    fn parse(part: &str) -> Option<Self> {
        let lower = part.to_lowercase();
        let mut chars = lower.chars();
        if let (Some(one), None) = (chars.next(), chars.next()) {
            return (!one.is_whitespace() && !one.is_control()).then_some(Self::Char(one));
        }
        if let Some(number) = lower.strip_prefix('f').and_then(|digits| digits.parse().ok()) {
            return (1..=24).contains(&number).then_some(Self::Function(number));
        }
        // The names that browsers use: KeyA, Digit1.
        for prefix in ["key", "digit"] {
            if let Some(rest) = lower.strip_prefix(prefix).filter(|rest| rest.chars().count() == 1) {
                return rest.chars().next().map(Self::Char);
            }
        }
        if let Some((_, char)) = SPELLED.iter().find(|(name, _)| *name == lower) {
            return Some(Self::Char(*char));
        }
        NAMED
            .iter()
            .find(|(name, others)| name.eq_ignore_ascii_case(&lower) || others.contains(&lower.as_str()))
            .map(|(name, _)| Self::Named(name))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char('+') => f.write_str("Plus"),
            Self::Char(char) => write!(f, "{}", char.to_uppercase()),
            Self::Function(number) => write!(f, "F{number}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Shortcut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (is_held, name) in [(self.ctrl, "Ctrl"), (self.alt, "Alt"), (self.shift, "Shift"), (self.logo, "Super")] {
            if is_held {
                write!(f, "{name}+")?;
            }
        }
        self.key.fmt(f)
    }
}

impl FromStr for Shortcut {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |what: &str| {
            Error::new(
                ErrorCode::Shortcut,
                format!("“{text}” is not a valid shortcut: {what}. Examples: Ctrl+Shift+Space, Alt+F9, Super+A."),
            )
        };
        let (mut ctrl, mut alt, mut shift, mut logo, mut key) = (false, false, false, false, None);
        for part in text.split('+').map(str::trim) {
            let modifier = match part.to_lowercase().as_str() {
                "" => return Err(invalid("a part is missing")),
                "ctrl" | "control" | "commandorcontrol" | "cmdorctrl" => &mut ctrl,
                "alt" | "option" => &mut alt,
                "shift" => &mut shift,
                "super" | "meta" | "win" | "windows" | "cmd" | "command" => &mut logo,
                _ if key.is_some() => return Err(invalid("it has more than one key")),
                _ => {
                    key = Some(Key::parse(part).ok_or_else(|| invalid(&format!("“{part}” is not a key")))?);
                    continue;
                }
            };
            if std::mem::replace(modifier, true) {
                return Err(invalid(&format!("“{part}” occurs twice")));
            }
        }
        let key = key.ok_or_else(|| invalid("it needs a key in addition to the modifiers"))?;
        let is_typed = matches!(key, Key::Char(_) | Key::Named("Space" | "Tab" | "Enter" | "Backspace"));
        if is_typed && !(ctrl || alt || logo) {
            // No other program would receive this key.
            return Err(invalid("this key is needed for typing, so add Ctrl, Alt or Super"));
        }
        Ok(Self { ctrl, alt, shift, logo, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_written_in_one_form() {
        for (text, written) in [
            ("Ctrl+Shift+Space", "Ctrl+Shift+Space"),
            ("shift + control + spacebar", "Ctrl+Shift+Space"),
            ("Alt+F9", "Alt+F9"),
            ("F24", "F24"),
            ("Super+A", "Super+A"),
            ("cmd+KeyA", "Super+A"),
            ("CommandOrControl+Digit1", "Ctrl+1"),
            ("Ctrl+Plus", "Ctrl+Plus"),
            ("Alt+;", "Alt+;"),
            ("Ctrl+ö", "Ctrl+Ö"),
            ("ctrl+esc", "Ctrl+Escape"),
            ("Pause", "Pause"),
        ] {
            let shortcut: Shortcut = text.parse().unwrap();
            assert_eq!(shortcut.to_string(), written);
            assert_eq!(written.parse::<Shortcut>().unwrap(), shortcut);
        }
    }

    #[test]
    fn an_invalid_shortcut_is_explained() {
        for (text, says) in [
            ("", "missing"),
            ("Ctrl+", "missing"),
            ("Ctrl+Shift", "needs a key"),
            ("Ctrl+A+B", "more than one"),
            ("Ctrl+Ctrl+A", "twice"),
            ("Ctrl+Fnord", "not a key"),
            ("F25", "not a key"),
            ("Shift+A", "typing"),
            ("Space", "typing"),
        ] {
            let error = text.parse::<Shortcut>().unwrap_err();
            assert_eq!(error.code, ErrorCode::Shortcut);
            assert!(error.message.contains(says), "{text}: {}", error.message);
        }
    }
}
