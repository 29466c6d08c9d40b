//! Look: the picture that goes with the question. It was taken at press; here it is decided whether it is sent.

use bytes::Bytes;

use super::Attached;
use super::answer::Prepared;
use super::trace::Turn;
use crate::config::Share;
use crate::error::{Error, Result};
use crate::record::{Seen, Stage};

/// The largest picture file that is taken: 20 MB.
const LARGEST_PICTURE: u64 = 20 * 1024 * 1024;

/// What is said of the screen, in the languages the interface will have: a question with one of these asks to look at it. Whole words,
/// in this order. Words that are said of other things as well, such as "window", "page" or "see", count only where they point at
/// something: whoever says "open the window" sends no picture away.
const OF_THE_SCREEN: &[&str] = &[
    "screenshot",
    "my screen",
    "the screen",
    "this screen",
    "on screen",
    "onscreen",
    "my desktop",
    "my display",
    "the display",
    "my monitor",
    "this window",
    "that window",
    "the active window",
    "the current window",
    "this page",
    "this website",
    "this tab",
    "this picture",
    "this image",
    "this dialog",
    "this document",
    "this error",
    "what do you see",
    "what can you see",
    "what am i looking at",
    "i am looking at",
    "i m looking at",
    "shown here",
    "bildschirm",
    "bildschirmfoto",
    "meinem monitor",
    "dem monitor",
    "dieses fenster",
    "diesem fenster",
    "dieser seite",
    "diese seite",
    "dieses bild",
    "diesem bild",
    "dieser dialog",
    "diesem dialog",
    "dieses dokument",
    "diesem dokument",
    "dieser fehler",
    "diese fehlermeldung",
    "was siehst du",
    "was sehe ich",
    "hier angezeigt",
    "hier zu sehen",
];

impl Turn {
    /// Whether a picture of the screen may be needed for this turn.
    pub(super) fn may_look(&self) -> bool {
        match (self.request.screen, self.config.settings.screen.share) {
            _ if self.request.image.is_some() => false,
            (Some(wanted), _) => wanted,
            (None, Share::Never) => false,
            (None, Share::Always) => true,
            // What is typed is known at once; what will be said is not.
            (None, Share::WhenAsked) => match &self.request.question {
                super::Question::Text(text) => speaks_of_the_screen(text),
                _ => true,
            },
        }
    }

    /// The picture that is sent with this question.
    pub(super) async fn look(&self, prepared: &Prepared, question: &str) -> Result<Option<Bytes>> {
        if let Some(image) = &self.request.image {
            let _stage = self.enter(Stage::Looking);
            let picture = match image {
                Attached::File(path) => read_picture(path).await?,
                Attached::Bytes(picture) => picture.clone(),
            };
            self.saw(Seen::attached(picture.len()));
            return Ok(Some(picture));
        }
        let share = self.config.settings.screen.share;
        let asked = self.request.screen == Some(true) || share == Share::Always || speaks_of_the_screen(question);
        if !asked || !self.may_look() {
            return Ok(None);
        }
        let _stage = self.enter(Stage::Looking);
        match prepared.screenshot().await {
            Ok(shot) => {
                self.saw(Seen {
                    width: shot.width,
                    height: shot.height,
                    bytes: u32::try_from(shot.jpeg.len()).unwrap_or(u32::MAX),
                });
                Ok(Some(shot.jpeg))
            }
            Err(error) => {
                self.tell_error("no_screen", &error);
                Ok(None)
            }
        }
    }
}

fn speaks_of_the_screen(question: &str) -> bool {
    let words: Vec<String> =
        question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let said = format!(" {} ", words.join(" "));
    OF_THE_SCREEN.iter().any(|phrase| said.contains(&format!(" {phrase} ")))
}

async fn read_picture(path: &std::path::Path) -> Result<Bytes> {
    let shown = path.display();
    let failed = |cause: std::io::Error| Error::invalid(format!("The picture {shown} cannot be read.")).because(cause);
    if tokio::fs::metadata(path).await.map_err(failed)?.len() > LARGEST_PICTURE {
        return Err(Error::invalid(format!("The picture {shown} is larger than 20 MB.")));
    }
    let file = tokio::fs::read(path).await.map_err(failed)?;
    let known = file.starts_with(&[0xFF, 0xD8, 0xFF]) || file.starts_with(b"\x89PNG\r\n\x1a\n");
    if known { Ok(file.into()) } else { Err(Error::invalid(format!("The picture {shown} is neither JPEG nor PNG."))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_points_at_the_screen_asks_to_look_at_it() {
        for asks in [
            "What does the error on my screen mean?",
            "Take a screenshot and tell me what is wrong.",
            "What does this window say?",
            "Summarise this page, please.",
            "What do you see here?",
            "I'm looking at a table. What is its sum?",
            "Was steht auf dem Bildschirm?",
            "Worum geht es auf dieser Seite?",
            "Was siehst du?",
        ] {
            assert!(speaks_of_the_screen(asks), "{asks}");
        }
    }

    #[test]
    fn who_does_not_sends_no_picture_away() {
        for asks in [
            "Who wrote the screenplay of Alien?",
            "Please open the window.",
            "I see. And what about tomorrow?",
            "How many pages does a page-turner have, and what is a front page?",
            "I am looking for a good book.",
            "Which monitor should I buy?",
            "Draw me a picture in words.",
            "Mach bitte das Fenster auf.",
            "Auf welcher Seite steht der FC Bayern?",
            "Ich sehe das Bild an der Wand nicht.",
        ] {
            assert!(!speaks_of_the_screen(asks), "{asks}");
        }
    }
}
