//! Reads the text in images with tesseract.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Offline, answer, args};
use crate::types::{ChatStream, Failure, FailureKind};
use crate::wire::transcription::language_code;

/// The longest text of an answer that will be spoken, in characters.
const MAX_TEXT: usize = 600;

/// tesseract's name of English, which it reads when it is told nothing.
const ENGLISH: &str = "eng";

/// tesseract's name of the data for a language.
fn data_name(language: &str) -> Option<&'static str> {
    let names = [
        ("ar", "ara"),
        ("bg", "bul"),
        ("ca", "cat"),
        ("cs", "ces"),
        ("da", "dan"),
        ("de", "deu"),
        ("el", "ell"),
        ("en", ENGLISH),
        ("es", "spa"),
        ("fi", "fin"),
        ("fr", "fra"),
        ("he", "heb"),
        ("hi", "hin"),
        ("hr", "hrv"),
        ("hu", "hun"),
        ("id", "ind"),
        ("it", "ita"),
        ("ja", "jpn"),
        ("ko", "kor"),
        ("nl", "nld"),
        ("no", "nor"),
        ("pl", "pol"),
        ("pt", "por"),
        ("ro", "ron"),
        ("ru", "rus"),
        ("sk", "slk"),
        ("sv", "swe"),
        ("tr", "tur"),
        ("uk", "ukr"),
        ("vi", "vie"),
        ("zh", "chi_sim"),
    ];
    let code = language_code(Some(language))?;
    names.into_iter().find(|(known, _)| *known == code).map(|(_, name)| name)
}

pub(super) fn program(offline: &Offline) -> Option<PathBuf> {
    offline.programs.find("tesseract")
}

/// Reads the text in the images. `language` is the one of the question, in which the screen probably is.
pub(super) async fn read(offline: &Offline, images: Vec<Bytes>, language: Option<&str>) -> Result<ChatStream, Failure> {
    let Some(program) = program(offline) else {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "No program on this computer can read text in images. Install tesseract.",
        ));
    };
    let mut arguments = args(["stdin", "stdout"]);
    if let Some(code) = language.and_then(data_name).filter(|code| *code != ENGLISH) {
        let listed = offline.run(program.clone(), args(["--list-langs"]), Bytes::new()).await?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let has = |name: &str| listed.lines().any(|line| line.trim() == name);
        if has(code) {
            // Programs are often in English, whatever the language of their user.
            let names = if has(ENGLISH) { format!("{code}+{ENGLISH}") } else { code.to_owned() };
            arguments.extend(args(["-l", &names]));
        }
    }
    let mut found = String::new();
    for image in images {
        let output = offline.run(program.clone(), arguments.clone(), image).await?;
        found.push_str(&String::from_utf8_lossy(&output.stdout));
        found.push('\n');
    }
    Ok(answer::stream(&answer_text(&found), "tesseract"))
}

fn answer_text(found: &str) -> String {
    let words: Vec<&str> = found.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).collect();
    let text = words.join(" ");
    if text.is_empty() {
        "I can read no text on the screen.".to_owned()
    } else if text.chars().count() > MAX_TEXT {
        format!("The screen says: {}… and more.", text.chars().take(MAX_TEXT).collect::<String>())
    } else {
        format!("The screen says: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_text_that_was_found() {
        assert_eq!(answer_text("Save\n\n | changes? \x0c"), "The screen says: Save changes?");
        assert_eq!(answer_text(" \n — | \n"), "I can read no text on the screen.");
        assert!(answer_text(&"word ".repeat(500)).ends_with("… and more."));
    }
}
