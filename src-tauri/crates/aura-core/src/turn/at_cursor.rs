//! At the cursor: what was said, or the answer to it, is typed where the cursor is. The shortcut for it is the person's consent.

use aura_providers::{ChatRequest, Message, Role, Service};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::answer_sink::AnswerSink;
use super::think::MAX_ANSWER_TOKENS;
use super::turn::Turn;
use crate::desktop::TargetWindow;
use crate::error::{Error, ErrorCode, Result};
use crate::purpose::Purpose;
use crate::record::Stage;

/// The longest selected text that is changed, in characters. Its change has to fit into an answer.
const MAX_SELECTION: usize = 6_000;

/// The system prompt for an answer that is typed.
const ANSWER: &str = "You are AURA, a voice assistant. Your answer is typed where the cursor of the person is, in their own document or message. \
Give only the text that belongs there, in the language of the question: no introduction, no comment, no quotation marks around it, and no \
Markdown unless the person asks for it.";
/// The system prompt for a change of the selected text.
const EDIT: &str = "You are AURA, a voice assistant. The person has selected a text and said how it shall be changed. Give only the changed \
text, which is put in the place of the selected one: no introduction, no comment, no quotation marks around it. Keep its language, its \
format and everything that the person did not ask to change.";

/// The place of the cursor when the shortcut was pressed.
pub(super) struct Place {
    window: TargetWindow,
    /// The selected text, for [`Purpose::EditSelection`].
    selection: String,
}

impl Turn {
    /// Finds the place of the cursor, while the person speaks; `None` for a turn that types nothing.
    pub(super) fn find_place(&self) -> Option<AbortOnDropHandle<Result<Place>>> {
        let purpose = self.request.purpose;
        purpose.types().then(|| {
            let desktop = self.context.ports.desktop.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                let window = desktop.target_window().await?;
                let selection = match purpose {
                    Purpose::EditSelection => check_selection(desktop.selection().await?)?,
                    _ => String::new(),
                };
                Ok(Place { window, selection })
            }))
        })
    }

    /// Types what was said, or the answer to it, at the cursor.
    ///
    /// # Errors
    /// When nothing is selected that could be changed, the answer could not be written, or the desktop does not let AURA type.
    pub(super) async fn write_at_cursor(&self, place: AbortOnDropHandle<Result<Place>>, said: &str) -> Result<()> {
        let Place { window, selection } = place.await.unwrap_or_else(|cause| Err(Error::internal(cause)))?;
        let text = match self.request.purpose {
            Purpose::AnswerHere => self.compose(ANSWER, said.to_owned(), false).await?,
            Purpose::EditSelection => {
                self.note_foreign();
                let question = format!("{said}\n\nThe selected text:\n{}", self.fenced(&selection));
                self.compose(&format!("{EDIT}\n\n{}", self.fence_instructions()), question, true).await?
            }
            _ => said.to_owned(),
        };
        if text.trim().is_empty() {
            return Err(Error::new(
                ErrorCode::NothingHeard,
                "The answer is empty, so nothing was typed. Say it again.",
            ));
        }
        self.type_at_cursor(text, window).await
    }

    /// Writes a text that is typed and not spoken.
    async fn compose(&self, instructions: &str, question: String, is_alone: bool) -> Result<String> {
        let stage = self.enter(Stage::Thinking);
        let plan = self.plan(Service::Llm)?;
        let own = self.config.settings.instructions.trim();
        let system = if own.is_empty() { instructions.to_owned() } else { format!("{instructions}\n\n{own}") };
        let mut messages = match is_alone {
            true => Vec::new(),
            false => self.memory(&plan, &[&system, &question], false).await,
        };
        messages.push(Message::new(Role::User, question));
        let request = ChatRequest {
            system,
            messages,
            max_tokens: Some(MAX_ANSWER_TOKENS),
            language: self.language(),
            ..ChatRequest::default()
        };
        // Nobody takes the sentences: it is not spoken.
        let (sentences, _) = mpsc::channel(1);
        let mut sink = AnswerSink::new(self, sentences);
        let routed = self.context.router.chat(&plan, &request, self, &mut sink).await?;
        stage.answered_by(&routed.route);
        self.note_truncation(&routed.value);
        Ok(routed.value.text.trim().to_owned())
    }
}

/// The selected text, if it can be changed.
///
/// # Errors
/// When nothing is selected, or too much.
fn check_selection(selection: Option<String>) -> Result<String> {
    let Some(text) = selection.filter(|text| !text.trim().is_empty()) else {
        return Err(Error::new(
            ErrorCode::NotFound,
            "No text is selected. Select what you want to change, then say how.",
        ));
    };
    if text.chars().count() > MAX_SELECTION {
        return Err(Error::invalid(format!(
            "The selected text has more than {MAX_SELECTION} characters. Select less of it, then say how to change it."
        )));
    }
    Ok(text)
}
