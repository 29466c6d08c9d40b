//! What a spoken question is for.

use serde::{Deserialize, Serialize};

/// What becomes of a spoken question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It is answered: the answer is shown and spoken.
    #[default]
    Answer,
    /// What was said is typed where the cursor is.
    Dictate,
    /// The answer is typed where the cursor is.
    AnswerHere,
    /// The selected text is changed as was said.
    EditSelection,
    /// It is only transcribed.
    Transcribe,
    /// One that a later version of AURA wrote.
    #[serde(other)]
    Unknown,
}

impl Purpose {
    /// Whether it ends with a text at the cursor.
    pub(crate) fn types(self) -> bool {
        matches!(self, Self::Dictate | Self::AnswerHere | Self::EditSelection)
    }

    /// Whether earlier turns of the conversation are sent with it.
    pub(crate) fn has_memory(self) -> bool {
        matches!(self, Self::Answer | Self::AnswerHere)
    }

    /// Whether it is answered in the usual way.
    pub(crate) fn is_answered(&self) -> bool {
        *self == Self::Answer
    }
}
