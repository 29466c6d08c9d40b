//! The destination of an answer while it is written: the record, the windows, and the voice.

use aura_router::Sink;
use tokio::sync::mpsc;

use super::sentences::SentenceSplitter;
use super::turn::Turn;
use crate::event::Event;

/// Records and sends the answer as it arrives, and splits it into sentences to be spoken.
pub(super) struct AnswerSink<'a> {
    turn: &'a Turn,
    sentences: SentenceSplitter,
    to_speak: mpsc::Sender<String>,
    /// Whether the model did something else since the last text.
    is_paused: bool,
}

impl Sink<String> for AnswerSink<'_> {
    async fn send(&mut self, mut text: String) {
        if std::mem::take(&mut self.is_paused) && self.turn.has_answer() {
            text.insert_str(0, "\n\n");
        }
        self.turn.edit(|record| record.answer.push_str(&text));
        let sentences = self.sentences.push(&text);
        if !sentences.is_empty() {
            self.turn.save_soon();
        }
        for sentence in sentences {
            // The channel is closed when the answer is not spoken.
            let _ = self.to_speak.send(sentence).await;
        }
        self.turn.context.events.send_content(Event::Text { turn: self.turn.id.clone(), delta: text }).await;
    }
}

impl<'a> AnswerSink<'a> {
    pub(super) fn new(turn: &'a Turn, to_speak: mpsc::Sender<String>) -> Self {
        let sentences = SentenceSplitter::new(turn.language().as_deref().unwrap_or("en"));
        Self { turn, sentences, to_speak, is_paused: false }
    }

    /// Sends the text so far to be spoken. What follows is a paragraph of its own.
    pub(super) async fn pause(&mut self) {
        self.is_paused = true;
        for sentence in self.sentences.finish() {
            let _ = self.to_speak.send(sentence).await;
        }
    }

    /// Says a sentence that is no part of the answer.
    pub(super) async fn say(&mut self, sentence: String) {
        self.pause().await;
        let _ = self.to_speak.send(sentence).await;
    }

    pub(super) async fn finish(mut self) {
        self.pause().await;
    }
}
