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

/// Words that speak of the screen, in the languages the interface will have. Compared with whole words.
const OF_THE_SCREEN: &[&str] = &[
    "screen",
    "screenshot",
    "window",
    "desktop",
    "display",
    "monitor",
    "page",
    "picture",
    "image",
    "dialog",
    "looking",
    "see",
    "shown",
    "bildschirm",
    "fenster",
    "seite",
    "bild",
    "siehst",
    "angezeigt",
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
            self.saw(Seen { width: 0, height: 0, bytes: u32::try_from(picture.len()).unwrap_or(u32::MAX) });
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
    question.split(|c: char| !c.is_alphanumeric()).any(|word| OF_THE_SCREEN.contains(&word.to_lowercase().as_str()))
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
    fn whole_words_speak_of_the_screen() {
        assert!(speaks_of_the_screen("What does the error on my screen mean?"));
        assert!(speaks_of_the_screen("Was steht auf dem Bildschirm?"));
        assert!(!speaks_of_the_screen("Who wrote the screenplay of Alien?"));
    }
}
