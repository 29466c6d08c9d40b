//! Look: chooses the picture that is sent with the question. A screenshot was taken at press; this step decides whether it is sent.

use std::io::Write;

use aura_providers::MediaType;
use bytes::Bytes;

use super::prepare::Prepared;
use super::request::{Attachment, Question, check_picture, check_picture_size};
use super::turn::Turn;
use crate::config::ScreenPolicy;
use crate::error::{Error, Result};
use crate::private_file::private_file;
use crate::record::{NoticeKind, SentPicture, Stage};

/// Phrases that refer to the screen, in the languages of the interface. A question that contains one of them is sent with a
/// screenshot. Phrases match whole words in this order. Ambiguous words such as "window", "page" or "see" count only where they
/// point at something: "open the window" must not send a screenshot.
const SCREEN_PHRASES: &[&str] = &[
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
    /// Whether this turn may need a screenshot.
    pub(super) fn may_look(&self) -> bool {
        match (self.request.screen, self.config.settings.screen.share) {
            _ if self.request.image.is_some() => false,
            (Some(wanted), _) => wanted,
            (None, ScreenPolicy::Never) => false,
            (None, ScreenPolicy::Always) => true,
            // A typed question is known now; a spoken one is not.
            (None, ScreenPolicy::WhenAsked) => match &self.request.question {
                Question::Text(text) => mentions_screen(text),
                _ => true,
            },
        }
    }

    /// Chooses the picture to send with the question; `None` for a question without one.
    ///
    /// # Errors
    /// When an attached picture cannot be read, is too large, or is neither JPEG nor PNG.
    pub(super) async fn look(&self, prepared: &Prepared, question: &str) -> Result<Option<Bytes>> {
        if let Some(image) = &self.request.image {
            let _stage = self.enter(Stage::Looking);
            let picture = match image {
                Attachment::File(path) => read_picture(path).await?,
                Attachment::Bytes(picture) => {
                    self.keep_picture(picture).await;
                    picture.clone()
                }
            };
            self.set_sent_picture(SentPicture::attached(picture.len()));
            return Ok(Some(picture));
        }
        let share = self.config.settings.screen.share;
        let is_wanted = self.request.screen == Some(true) || share == ScreenPolicy::Always || mentions_screen(question);
        if !is_wanted || !self.may_look() {
            return Ok(None);
        }
        let _stage = self.enter(Stage::Looking);
        match prepared.screenshot().await {
            Ok(screenshot) => {
                self.set_sent_picture(SentPicture {
                    width: screenshot.width,
                    height: screenshot.height,
                    bytes: u32::try_from(screenshot.jpeg.len()).unwrap_or(u32::MAX),
                });
                Ok(Some(screenshot.jpeg))
            }
            Err(error) => {
                self.notify_error(NoticeKind::NoScreen, &error);
                Ok(None)
            }
        }
    }

    /// Saves a picture that came without a file beside the recordings, so that the question can be asked again with it. A turn that
    /// leaves no files keeps none.
    async fn keep_picture(&self, picture: &Bytes) {
        let Some(folder) = self.context.recordings.clone() else { return };
        let extension = if MediaType::of(picture) == Some(MediaType::Png) { "png" } else { "jpg" };
        let path = folder.join(format!("{}-picture.{extension}", self.id));
        let (to, content) = (path.clone(), picture.clone());
        let write = move || write_private(&to, &content).map_err(|cause| Error::storage("save the picture", cause));
        match tokio::task::spawn_blocking(write).await.map_err(Error::internal).flatten() {
            Ok(()) => self.edit(|record| record.picture = Some(path.clone())),
            Err(error) => self.notify_error(NoticeKind::RecordingNotSaved, &error),
        }
    }
}

/// Whether the question contains one of the [`SCREEN_PHRASES`].
fn mentions_screen(question: &str) -> bool {
    let words: Vec<String> =
        question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let text = format!(" {} ", words.join(" "));
    SCREEN_PHRASES.iter().any(|phrase| text.contains(&format!(" {phrase} ")))
}

/// Reads an attached picture.
async fn read_picture(path: &std::path::Path) -> Result<Bytes> {
    let shown = format!("The picture {}", path.display());
    let failed = |cause: std::io::Error| Error::invalid(format!("{shown} cannot be read.")).because(cause);
    check_picture_size(tokio::fs::metadata(path).await.map_err(failed)?.len(), &shown)?;
    let file = tokio::fs::read(path).await.map_err(failed)?;
    check_picture(&file, &shown)?;
    Ok(file.into())
}

/// Writes a new file that only the current user can read.
fn write_private(path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = private_file().create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_points_at_the_screen_is_recognised() {
        for question in [
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
            assert!(mentions_screen(question), "{question}");
        }
    }

    #[test]
    fn a_question_about_something_else_sends_no_screenshot() {
        for question in [
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
            assert!(!mentions_screen(question), "{question}");
        }
    }
}
