//! Reads a `.env` file: `NAME=value` lines, as shells and other programs write them. No value is expanded: a foreign file must not
//! be able to copy the key in another variable into one of its own.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longer files are not read.
const LIMIT: u64 = 1024 * 1024;

/// A `.env` file. It may belong to another program, so lines that cannot be read are skipped with a warning.
#[derive(Default)]
pub(crate) struct EnvFile {
    /// The variables in the order of the file.
    pub(crate) variables: Vec<(String, String)>,
    /// Why the file, or a part of it, was skipped. No sentence contains a line of the file, because a line may hold a key.
    pub(crate) problems: Vec<String>,
}

impl EnvFile {
    /// Reads a file. A missing one is empty.
    pub(crate) fn read(path: &Path) -> Self {
        // A pipe would block, and a folder (as in some Python projects) is no file.
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Self::default(),
            Err(_) => return Self::refused("The file .env cannot be read. Its variables are not used."),
        };
        if !metadata.is_file() || metadata.len() > LIMIT {
            return Self::refused("The file .env cannot be read. Its variables are not used.");
        }
        let Ok(mut file) = File::open(path) else {
            return Self::refused("The file .env cannot be read. Its variables are not used.");
        };
        #[cfg(unix)]
        match file.metadata() {
            Ok(metadata) if is_safe(&metadata) => {}
            _ => {
                return Self::refused(
                    "The file .env belongs to another user, or others can write it. Its variables are not used. If it is yours, run \
                     `chmod go-w .env`.",
                );
            }
        }
        let mut text = String::new();
        match file.by_ref().take(LIMIT).read_to_string(&mut text) {
            Ok(_) => Self::parse(&text),
            Err(_) => Self::refused("The file .env cannot be read. Its variables are not used."),
        }
    }

    fn refused(problem: &str) -> Self {
        Self { variables: Vec::new(), problems: vec![problem.to_owned()] }
    }

    fn parse(text: &str) -> Self {
        let (mut variables, mut skipped) = (Vec::new(), 0);
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        while !rest.is_empty() {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                rest = after;
                continue;
            }
            match variable(rest) {
                Some((name, value, after)) => {
                    variables.push((name, value));
                    rest = after;
                }
                None => {
                    skipped += 1;
                    rest = after;
                }
            }
        }
        let problem = match skipped {
            0 => None,
            1 => Some(
                "Skipped a line of the file .env that is not NAME=value. Correct it if it is meant for AURA."
                    .to_owned(),
            ),
            _ => Some(format!(
                "Skipped {skipped} lines of the file .env that are not NAME=value. Correct them if they are meant for AURA."
            )),
        };
        Self { variables, problems: problem.into_iter().collect() }
    }
}

/// Whether nobody but this user, and root, can have written the file.
#[cfg(unix)]
fn is_safe(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_own = [rustix::process::geteuid().as_raw(), 0].contains(&metadata.uid());
    is_own && metadata.mode() & 0o022 == 0
}

/// The variable at the beginning of the text, and the text after it. A quoted value may have several lines.
fn variable(text: &str) -> Option<(String, String, &str)> {
    let text = text.trim_start();
    let text = text.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(text);
    let (name, rest) = text.split_once('=')?;
    let name = name.trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    if !is_name {
        return None;
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    let (value, rest) = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&rest[1..], quote)?,
        _ => {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let comment = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
            let value = if line.starts_with('#') { "" } else { line[..comment].trim() };
            // `NAME = a b` is another format, or a mistake.
            return (!value.contains([' ', '\t'])).then(|| (name.to_owned(), value.to_owned(), after));
        }
    };
    // After the closing quote there may be a comment only.
    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
    let line = line.trim();
    (line.is_empty() || line.starts_with('#')).then(|| (name.to_owned(), value, after))
}

/// The value up to the closing quote, and the text after it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Some((value, &text[at + c.len_utf8()..])),
            '\\' if quote == '"' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> EnvFile {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(".env");
        std::fs::write(&path, content).expect("the folder can be written");
        EnvFile::read(&path)
    }

    #[test]
    fn values_are_read_as_shells_write_them() {
        let text = "# A comment\nGROQ_API_KEY=abc\r\nexport LOG_LEVEL='debug'\n A = b # why\nB=\"a \\\"b\\\"\\nc\" # why\nC='$A \\n'\n\
                    D=\nE=a#b\nF=\"two\nlines\"\nG=${A}$(id)\nH=last";
        let file = read(text.as_bytes());
        let expected = [
            ("GROQ_API_KEY", "abc"),
            ("LOG_LEVEL", "debug"),
            ("A", "b"),
            ("B", "a \"b\"\nc"),
            ("C", "$A \\n"),
            ("D", ""),
            ("E", "a#b"),
            ("F", "two\nlines"),
            ("G", "${A}$(id)"),
            ("H", "last"),
        ];
        assert_eq!(file.variables, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(file.problems, Vec::<String>::new());
    }

    #[test]
    fn malformed_lines_and_unreadable_files_are_skipped_with_a_warning() {
        let file = read(b"GROQ_API_KEY=abc\nthis is = = no variable\nB=c\n");
        assert_eq!(file.variables.len(), 2);
        assert!(file.problems[0].starts_with("Skipped a line") && !file.problems[0].contains("no variable"));
        assert!(read(b"A=\"never closed\nGROQ_API_KEY=abc\n").variables.iter().any(|(name, _)| name == "GROQ_API_KEY"));
        assert!(read(b"GROQ_API_KEY=abc\n\xff\xfe=\xff\n").problems[0].contains("cannot be read"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(EnvFile::read(&folder.path().join("missing")).problems.is_empty(), "a missing file is no problem");
        assert!(EnvFile::read(folder.path()).problems[0].contains("cannot be read"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(".env");
        std::fs::write(&path, "GROQ_API_KEY=abc\n").expect("the folder can be written");
        for (mode, refused) in [(0o600, false), (0o644, false), (0o664, true), (0o646, true), (0o666, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("the file is ours");
            let file = EnvFile::read(&path);
            assert_eq!((file.variables.is_empty(), file.problems.len()), (refused, usize::from(refused)), "{mode:o}");
        }
        // Giving a file away needs root.
        if std::os::unix::fs::chown(&path, Some(65_534), None).is_ok() {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("root may");
            let file = EnvFile::read(&path);
            assert!(file.variables.is_empty() && file.problems[0].contains("another user"), "{:?}", file.problems);
        }
    }
}
