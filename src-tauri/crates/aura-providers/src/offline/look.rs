//! Reads the text in images with tesseract.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Offline, answer, args};
use crate::types::{ChatStream, Failure, FailureKind};

/// The longest text of an answer that will be spoken, in characters.
const MAX_TEXT: usize = 600;

pub(super) fn program(offline: &Offline) -> Option<PathBuf> {
    offline.programs.find("tesseract")
}

pub(super) async fn read(offline: &Offline, images: Vec<Bytes>) -> Result<ChatStream, Failure> {
    let Some(program) = program(offline) else {
        return Err(Failure::new(
            FailureKind::Unsupported,
            "No program on this computer can read text in images. Install tesseract.",
        ));
    };
    let mut found = String::new();
    for image in images {
        let output = offline.run(program.clone(), args(["stdin", "stdout"]), image).await?;
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
