//! Spoken commands: what AURA does by itself, without asking a model.

use tokio::sync::mpsc;

use super::prepare::Prepared;
use super::request::Question;
use super::turn::Turn;
use super::words::plain_words;
use crate::error::Result;
use crate::event::Event;
use crate::record::NoticeKind;

/// The command for a new conversation in one language.
#[derive(Debug, PartialEq)]
pub(super) struct NewConversation {
    /// ISO 639-1 code of the language.
    language: &'static str,
    /// Its forms, in lower case and without punctuation. Compared with a whole transcript, never with a part of it.
    said: &'static [&'static str],
    /// What AURA says when it has begun one.
    answer: &'static str,
}

const NEW_CONVERSATION: &[NewConversation] = &[
    NewConversation {
        language: "en",
        said: &["new conversation", "start a new conversation", "begin a new conversation", "new chat"],
        answer: "This is a new conversation.",
    },
    NewConversation {
        language: "de",
        said: &["neues gespräch", "ein neues gespräch", "beginne ein neues gespräch", "neue unterhaltung"],
        answer: "Das ist ein neues Gespräch.",
    },
    NewConversation {
        language: "es",
        said: &["nueva conversación", "nueva conversacion", "empieza una nueva conversación", "una nueva conversación"],
        answer: "Esta es una conversación nueva.",
    },
];

impl Turn {
    /// The command, if that is all that was said. A typed question and that of a caller of its own are none.
    pub(super) fn spoken_command(&self, transcript: &str) -> Option<&'static NewConversation> {
        let is_spoken = !matches!(self.request.question, Question::Text(_));
        if is_spoken && !self.is_detached() { command(transcript) } else { None }
    }

    /// Begins a new conversation, and says so. A failure to speak is only a notice.
    ///
    /// # Errors
    /// None yet: a step of a turn returns a result.
    pub(super) async fn obey(&self, command: &NewConversation, prepared: Prepared) -> Result<()> {
        self.context.session.begin_by_turn();
        self.say_at_once(command.answer.to_owned(), Some(command.language), prepared).await
    }

    /// Says something that no model wrote. A failure to speak is only a notice.
    ///
    /// # Errors
    /// None yet: a step of a turn returns a result.
    pub(super) async fn say_at_once(&self, answer: String, language: Option<&str>, prepared: Prepared) -> Result<()> {
        self.set_recognised(language.map(str::to_owned));
        self.edit(|record| record.answer.clone_from(&answer));
        self.context.events.send_content(Event::Text { turn: self.id.clone(), delta: answer.clone() }).await;
        let (sentences, to_speak) = mpsc::channel(1);
        let _ = sentences.send(answer).await;
        drop(sentences);
        if let Err(error) = self.speak(prepared.output(), to_speak).await {
            self.notify_error(NoticeKind::NotSpoken, &error);
        }
        Ok(())
    }
}

fn command(transcript: &str) -> Option<&'static NewConversation> {
    let said = plain_words(transcript);
    NEW_CONVERSATION.iter().find(|one| one.said.contains(&said.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_transcript_is_a_command() {
        for (transcript, language) in [
            ("New conversation.", Some("en")),
            (" \u{201c}New, conversation!\u{201d}", Some("en")),
            ("Neues Gespräch", Some("de")),
            ("¡Nueva conversación!", Some("es")),
            ("How do I start a new conversation with a stranger?", None),
            ("New conversation about trains", None),
            ("Was heißt neues Gespräch auf Englisch?", None),
            ("", None),
        ] {
            assert_eq!(command(transcript).map(|found| found.language), language, "{transcript}");
        }
    }

    #[test]
    fn every_form_of_the_table_is_a_command_of_its_language() {
        for one in NEW_CONVERSATION {
            for said in one.said {
                assert_eq!(command(said), Some(one), "{said}");
            }
        }
    }
}
