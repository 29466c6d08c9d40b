//! The microphone and the voice for another program: what is said is only transcribed, and a text is only spoken.

use serde::{Deserialize, Serialize};

use super::types::Nothing;
use crate::assistant::Assistant;
use crate::error::{Error, ErrorCode, Result};
use crate::purpose::Purpose;
use crate::turn::{Question, Speech, SpokenText, TurnRequest};

/// The longest text that is said, in bytes.
const MAX_TEXT: usize = 16 << 10;

/// What was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Heard {
    /// The words; empty when nobody spoke.
    pub text: String,
}

/// Request of `say`: a text to be spoken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Say {
    /// The text: plain, at most 16 KiB.
    pub text: String,
    /// ISO 639-1 code of its language; absent: that of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub language: Option<String>,
}

/// Records until the person has said something, and returns it. Nothing is answered. Stops what AURA says.
///
/// # Errors
/// When the microphone or the recognition fails, or the person stops it.
pub async fn hear(assistant: &Assistant, _: Nothing) -> Result<Heard> {
    let request = TurnRequest {
        purpose: Purpose::Transcribe,
        screen: Some(false),
        speech: Speech::None,
        ..TurnRequest::new(Question::Microphone, assistant.session())
    };
    let record = assistant.run(request).await?;
    match record.error {
        None => Ok(Heard { text: record.transcript }),
        Some(error) if error.code == ErrorCode::NothingHeard => Ok(Heard::default()),
        Some(error) => Err(error),
    }
}

/// Says a text. Returns when it was said. Stops what AURA does.
///
/// # Errors
/// When the text is empty or too long, answers are muted, or the speaker or the voice fails.
pub async fn say(assistant: &Assistant, request: Say) -> Result<Nothing> {
    let text = request.text.trim();
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(Error::invalid("The text must have 1 to 16384 bytes. Nothing was said."));
    }
    let settings = &assistant.config().settings;
    if settings.speaking.muted {
        return Err(Error::new(ErrorCode::NoSpeaker, "AURA is muted, so nothing was said. Unmute it under Speaking."));
    }
    let language = request.language.unwrap_or_else(|| settings.language().unwrap_or("en").to_owned());
    let said = SpokenText { text: text.to_owned(), language };
    let record = assistant.run(TurnRequest::new(Question::SayOnly(said), assistant.session())).await?;
    record.error.map_or(Ok(Nothing {}), Err)
}
