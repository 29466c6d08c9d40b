//! Look: the picture for a question. It is attached, or of the screen.
//!
//! The screen is captured at press when it is sent with every question, and with this one because the user said so. When it is sent only
//! if the question is about it, the model decides: it is offered the tool [`LookAtScreen`], and nothing is captured before it calls that.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aura_providers::{MediaType, Service};
use bytes::Bytes;

use super::prepare::Prepared;
use super::request::{Attachment, check_picture, check_picture_size};
use super::tools::{Call, Tool, ToolResult};
use super::turn::Turn;
use crate::blocking::blocking;
use crate::config::ScreenPolicy;
use crate::error::{Error, Result};
use crate::files::private_file;
use crate::ports::Screenshot;
use crate::record::{NoticeKind, SentPicture, Stage};
use crate::words::plain_words;

/// Phrases that refer to the screen, in the languages of the interface, for the one case in which no model can be asked: the question
/// goes to a model on this computer, or to the built-in answer, which cannot call tools. Without these, nobody who keeps everything on
/// the computer could ask about the screen by voice. They match whole words, and only what can mean nothing else.
const SCREEN_PHRASES: [&str; 9] = [
    "screenshot",
    "my screen",
    "the screen",
    "this screen",
    "on screen",
    "bildschirm",
    "mi pantalla",
    "la pantalla",
    "esta pantalla",
];

impl Turn {
    /// Whether the screen is captured at press: it is sent with this question, whatever it is.
    pub(super) fn looks_at_press(&self) -> bool {
        let always = self.config.settings.screen.share == ScreenPolicy::Always;
        self.request.image.is_none() && self.request.purpose.is_answered() && self.request.screen.unwrap_or(always)
    }

    /// Whether the screen may be captured once the question turns out to be about it.
    pub(super) fn may_look_when_asked(&self) -> bool {
        let when_asked = self.config.settings.screen.share == ScreenPolicy::WhenAsked;
        when_asked && self.request.image.is_none() && self.request.screen.is_none()
    }

    /// The picture to send with the question, where that is known before the model is asked; `None` for a question without one.
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
            self.send_picture(&picture, SentPicture::attached(picture.len()));
            return Ok(Some(picture));
        }
        if self.looks_at_press() {
            let _stage = self.enter(Stage::Looking);
            let screenshot = prepared.screenshot().await;
            return Ok(screenshot.and_then(|screenshot| self.send_screenshot(screenshot).ok()));
        }
        if self.may_look_when_asked() && mentions_screen(question) && self.has_only_phrases().await {
            let _stage = self.enter(Stage::Looking);
            return Ok(self.capture().await.ok());
        }
        Ok(None)
    }

    /// Whether only [`SCREEN_PHRASES`] can tell that a question is about the screen: there is a model that sees, but the one that is asked
    /// first cannot call tools.
    async fn has_only_phrases(&self) -> bool {
        match self.plan(Service::Llm) {
            Ok(plan) => !self.context.router.calls_tools(&plan).await && self.can_see().await,
            Err(_) => false,
        }
    }

    /// Whether there is a route that can answer a question with a picture, as far as is known.
    pub(super) async fn can_see(&self) -> bool {
        match self.plan(Service::Vlm) {
            Ok(plan) => self.context.router.sees(&plan).await,
            Err(_) => false,
        }
    }

    /// Captures the screen, and records, reports and returns the picture.
    ///
    /// # Errors
    /// When the screen cannot be captured; this is reported, too.
    async fn capture(&self) -> Result<Bytes> {
        self.send_screenshot(self.context.ports.screen.capture(&self.config.settings.screen.target).await)
    }

    fn send_screenshot(&self, captured: Result<Screenshot>) -> Result<Bytes> {
        let screenshot = captured.inspect_err(|error| self.notify_error(NoticeKind::NoScreen, error))?;
        let sent = SentPicture {
            width: screenshot.width,
            height: screenshot.height,
            bytes: u32::try_from(screenshot.jpeg.len()).unwrap_or(u32::MAX),
        };
        self.send_picture(&screenshot.jpeg, sent);
        Ok(screenshot.jpeg)
    }

    /// Saves a picture that came without a file beside the recordings, so that the question can be asked again with it. A turn that
    /// leaves no files keeps none.
    async fn keep_picture(&self, picture: &Bytes) {
        let Some(folder) = self.context.recordings.clone() else { return };
        let extension = if MediaType::of(picture) == Some(MediaType::Png) { "png" } else { "jpg" };
        let path = folder.join(format!("{}-picture.{extension}", self.id));
        let (to, content) = (path.clone(), picture.clone());
        let write = move || write_private(&to, &content).map_err(|cause| Error::storage("save the picture", cause));
        match blocking(write).await.flatten() {
            Ok(()) => self.edit(|record| record.picture = Some(path.clone())),
            Err(error) => self.notify_error(NoticeKind::RecordingNotSaved, &error),
        }
    }
}

/// The tool with which the model looks at the screen. It is captured once in a turn at most, whether that succeeds or not: on some
/// systems, every capture asks the user.
#[derive(Default)]
pub(super) struct LookAtScreen {
    has_tried: AtomicBool,
}

#[async_trait]
impl Tool for LookAtScreen {
    fn name(&self) -> &str {
        "look_at_screen"
    }

    fn description(&self) -> String {
        "Takes a picture of the person's screen as it is now and shows it to you. You cannot see the screen otherwise. Call it when the \
         answer depends on what is on the screen: when the person mentions it, or points at something that is not part of the \
         conversation, such as \"this error\", \"this page\", \"this window\" or \"here\". Never guess what is on the screen. Do not \
         call it for any other question."
            .into()
    }

    async fn run(&self, turn: &Turn, _: Call) -> Result<ToolResult> {
        if self.has_tried.swap(true, Ordering::Relaxed) {
            let text = match turn.has_sent_picture() {
                true => "You have looked already: the picture is attached to the person's question.",
                false => "The screen cannot be captured. Answer without it.",
            };
            return Ok(ToolResult::said(text));
        }
        let _stage = turn.enter(Stage::Looking);
        let picture = turn.capture().await?;
        let text =
            "The picture that is attached to the person's question now shows their screen as it is at this moment.";
        Ok(ToolResult { pictures: vec![picture], ..ToolResult::said(text) })
    }
}

/// Whether the question contains one of the [`SCREEN_PHRASES`].
fn mentions_screen(question: &str) -> bool {
    let text = format!(" {} ", plain_words(question));
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
    fn only_a_question_that_names_the_screen_is_recognised_without_a_model() {
        for question in [
            "What does the error on my screen mean?",
            "Take a screenshot and tell me what is wrong.",
            "Was steht auf dem Bildschirm?",
            "¿Qué pone en la pantalla?",
        ] {
            assert!(mentions_screen(question), "{question}");
        }
        for question in ["Who wrote the screenplay of Alien?", "Which screens are good?", "Please open the window."] {
            assert!(!mentions_screen(question), "{question}");
        }
    }
}
