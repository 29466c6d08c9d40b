//! Installed applications on Linux, by their desktop entries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use aura_core::desktop::OpenTarget;
use aura_core::error::{Error, ErrorCode, Result};

use crate::opener::start as start_program;

/// The largest desktop entry that is read, in bytes.
const MAX_BYTES: u64 = 256 * 1024;
/// The deepest folder below `applications` that is read.
const MAX_DEPTH: usize = 3;
/// Names that an error lists.
const MAX_LISTED: usize = 5;

/// An application that can be started.
#[derive(Debug, Clone, PartialEq)]
struct Application {
    /// The entry's ID: its path below `applications`, with dashes and without the ending.
    id: String,
    name: String,
    /// Everything that it is called, in every language, in lower case.
    names: Vec<String>,
    /// The program and its arguments.
    command: Vec<String>,
}

/// Finds an application by its name as a person says it.
///
/// # Errors
/// When there is none, or several fit equally well.
pub(super) fn find(name: &str) -> Result<OpenTarget> {
    choose(name, &installed(&folders()))
        .map(|application| OpenTarget::Application { id: application.id.clone(), name: application.name.clone() })
}

/// Starts an application by its ID.
///
/// # Errors
/// When it is gone or does not start.
pub(super) fn start(id: &str) -> Result<()> {
    let installed = installed(&folders());
    let gone = || Error::new(ErrorCode::NotFound, format!("The application {id} is no longer installed."));
    let application = installed.into_iter().find(|application| application.id == id).ok_or_else(gone)?;
    let (program, arguments) = application.command.split_first().ok_or_else(gone)?;
    start_program(Command::new(program).args(arguments)).map_err(|cause| {
        Error::new(ErrorCode::Desktop, format!("{} could not be started.", application.name)).because(cause)
    })
}

/// The application that a name means.
fn choose<'a>(name: &str, installed: &'a [Application]) -> Result<&'a Application> {
    let wanted = name.trim().to_lowercase();
    let none = || Error::new(ErrorCode::NotFound, format!("There is no application named {name} on this computer."));
    if wanted.is_empty() {
        return Err(none());
    }
    let is_called = |application: &&Application| application.names.contains(&wanted);
    let by_words = |application: &&Application| {
        application.names.iter().any(|known| {
            let words = known.split(|c: char| !c.is_alphanumeric()).collect::<Vec<_>>();
            wanted.split_whitespace().all(|word| words.contains(&word))
        })
    };
    let mut found: Vec<&Application> = installed.iter().filter(is_called).collect();
    if found.is_empty() {
        found = installed.iter().filter(by_words).collect();
    }
    match found.as_slice() {
        [] => Err(none()),
        [one] => Ok(one),
        // One that is called so, rather than being one of its kind.
        several => {
            let mut exact = several.iter().filter(|application| application.name.to_lowercase() == wanted);
            if let (Some(one), None) = (exact.next(), exact.next()) {
                return Ok(one);
            }
            let names: Vec<&str> =
                several.iter().take(MAX_LISTED).map(|application| application.name.as_str()).collect();
            let message = format!("Several applications are called {name}: {}. Say which one.", names.join(", "));
            Err(Error::new(ErrorCode::NotFound, message))
        }
    }
}

/// The folders of desktop entries, the more important first.
fn folders() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = std::env::home_dir().unwrap_or_default();
    let own = variable("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    let shared = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let all = std::iter::once(own).chain(std::env::split_paths(&shared).collect::<Vec<_>>());
    all.filter(|folder| folder.is_absolute()).map(|folder| folder.join("applications")).collect()
}

/// The applications in these folders. An entry hides those with its ID in later folders.
fn installed(folders: &[PathBuf]) -> Vec<Application> {
    let mut entries: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in folders {
        let mut found = Vec::new();
        list(folder, folder, 0, &mut found);
        for (id, path) in found {
            entries.entry(id).or_insert(path);
        }
    }
    let read = |(id, path): (String, PathBuf)| {
        let is_small = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= MAX_BYTES);
        let text = is_small.then(|| std::fs::read(&path).ok()).flatten()?;
        parse(id, &String::from_utf8_lossy(&text))
    };
    entries.into_iter().filter_map(read).collect()
}

fn list(root: &Path, folder: &Path, depth: usize, found: &mut Vec<(String, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if depth < MAX_DEPTH {
                list(root, &path, depth + 1, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "desktop")
            && let Ok(relative) = path.strip_prefix(root)
        {
            let id = relative.with_extension("").to_string_lossy().replace('/', "-");
            found.push((id, path));
        }
    }
}

/// Reads a desktop entry; `None` for one that is hidden, no application, or only runs in a terminal.
fn parse(id: String, text: &str) -> Option<Application> {
    let mut values: BTreeMap<&str, &str> = BTreeMap::new();
    let mut is_entry = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_entry = line == "[Desktop Entry]";
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_entry && !line.starts_with('#')) {
            values.entry(key.trim_end()).or_insert(value.trim_start());
        }
    }
    let is_true = |key: &str| values.get(key).is_some_and(|value| *value == "true");
    if values.get("Type") != Some(&"Application") || is_true("Hidden") || is_true("NoDisplay") || is_true("Terminal") {
        return None;
    }
    let name = unescaped(values.get("Name")?);
    let command = command(&unescaped(values.get("Exec")?))?;
    let called = values.iter().filter(|(key, _)| {
        ["Name", "GenericName"].iter().any(|named| **key == *named || key.starts_with(&format!("{named}[")))
    });
    let program = Path::new(&command[0]).file_name().map(|name| name.to_string_lossy().to_lowercase());
    let mut names: Vec<String> = called.map(|(_, value)| unescaped(value).to_lowercase()).collect();
    names.push(id.to_lowercase());
    // `flatpak`, `env` or a shell say nothing about what they start.
    names.extend(program.filter(|program| !["env", "flatpak", "sh", "bash", "snap"].contains(&program.as_str())));
    Some(Application { id, name, names, command })
}

/// Resolves the escapes of a value.
fn unescaped(value: &str) -> String {
    let mut plain = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, (letter == '\\').then(|| letters.next()).flatten()) {
            ('\\', Some('s')) => plain.push(' '),
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some('t')) => plain.push('\t'),
            ('\\', Some('r')) => plain.push('\r'),
            ('\\', Some('\\')) => plain.push('\\'),
            ('\\', Some(other)) => plain.extend(['\\', other]),
            (letter, _) => plain.push(letter),
        }
    }
    plain
}

/// The program and its arguments, without the places for files and addresses. No shell sees them. `None` when a quotation mark is missing.
fn command(exec: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut letters = exec.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            continue;
        }
        let mut word = String::new();
        let mut is_code = false;
        let mut next = Some(letter);
        if letter == '"' {
            loop {
                match letters.next()? {
                    '"' => break,
                    '\\' => word.push(letters.next()?),
                    other => word.push(other),
                }
            }
        } else {
            while let Some(letter) = next.filter(|letter| !letter.is_whitespace()) {
                match letter {
                    '%' => match letters.next() {
                        Some('%') => word.push('%'),
                        _ => is_code = true,
                    },
                    other => word.push(other),
                }
                next = letters.next();
            }
        }
        if !(is_code && word.is_empty()) {
            words.push(word);
        }
    }
    (!words.is_empty() && !words[0].is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, text: &str) -> Option<Application> {
        parse(
            id.into(),
            &format!("[Desktop Entry]\nType=Application\n{text}\n[Desktop Action new]\nName=Never\nExec=never\n"),
        )
    }

    #[test]
    fn a_command_is_split_without_a_shell() {
        for (exec, words) in [
            ("gedit %U", Some(vec!["gedit"])),
            (
                "\"/opt/My App/run\" --new \"a \\\"b\\\" $HOME\" %f",
                Some(vec!["/opt/My App/run", "--new", "a \"b\" $HOME"]),
            ),
            ("env X=1 app --title=%c 100%%", Some(vec!["env", "X=1", "app", "--title=", "100%"])),
            ("", None),
            ("\"unfinished", None),
            ("%f", None),
        ] {
            let words = words.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(command(exec), words, "{exec}");
        }
    }

    #[test]
    fn an_application_is_found_by_any_of_its_names() {
        let editor =
            entry("org.gnome.TextEditor", "Name=Text Editor\nName[de]=Texteditor\nExec=gnome-text-editor %U").unwrap();
        let browser =
            entry("firefox", "Name=Firefox\nGenericName=Web Browser\nGenericName[de]=Webbrowser\nExec=firefox %u")
                .unwrap();
        let other = entry("chromium", "Name=Chromium\nGenericName=Web Browser\nExec=/usr/bin/chromium").unwrap();
        let all = [editor, browser, other];
        for (said, id) in [
            ("Firefox", "firefox"),
            ("firefox", "firefox"),
            ("Texteditor", "org.gnome.TextEditor"),
            ("gnome-text-editor", "org.gnome.TextEditor"),
            ("editor", "org.gnome.TextEditor"),
            ("Webbrowser", "firefox"),
        ] {
            assert_eq!(choose(said, &all).unwrap().id, id, "{said}");
        }
        assert!(choose("web browser", &all).unwrap_err().message.contains("Firefox, Chromium"));
        for said in ["WhatsApp", "", "fire"] {
            assert_eq!(choose(said, &all).unwrap_err().code, ErrorCode::NotFound, "{said}");
        }
    }

    #[test]
    fn hidden_entries_and_terminal_programs_are_left_out() {
        for text in [
            "Name=A\nExec=a\nNoDisplay=true",
            "Name=A\nExec=a\nHidden=true",
            "Name=A\nExec=a\nTerminal=true",
            "Name=A",
            "Exec=a",
        ] {
            assert_eq!(entry("a", text), None, "{text}");
        }
        let folder = tempfile::tempdir().unwrap();
        let (own, shared) = (folder.path().join("own"), folder.path().join("shared"));
        for (folder, name) in [(&own, "Mine"), (&shared, "Theirs")] {
            std::fs::create_dir_all(folder.join("kde")).unwrap();
            let text = format!("[Desktop Entry]\nType=Application\nName={name}\nExec=app");
            std::fs::write(folder.join("kde/app.desktop"), text).unwrap();
        }
        let found = installed(&[own, shared]);
        assert_eq!(
            found.iter().map(|it| (it.id.as_str(), it.name.as_str())).collect::<Vec<_>>(),
            [("kde-app", "Mine")]
        );
    }
}
