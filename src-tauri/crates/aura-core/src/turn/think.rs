//! Think: the question, what was said before and the picture become an answer, piece by piece.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::sentences::Sentences;
use super::trace::Turn;
use crate::error::Result;
use crate::event::Event;
use crate::intent;
use crate::ports::TurnFilter;
use crate::providers::{ChatRequest, Message, Role, Service, ToolCall};
use crate::record::Stage;

/// Turns of the session that are sent along.
const MEMORY: u32 = 8;
/// The longest answer, tokens: about four minutes of speech. Models that reason spend a part of it unheard.
const LONGEST_ANSWER: u32 = 2_048;

/// How AURA answers.
const INSTRUCTIONS: &str = "You are AURA, a voice assistant on the person's computer. Your answer is read aloud: answer in the language of \
the question, in one to four short plain sentences unless more is asked for, without headings, tables or emoji. Put code and \
commands into code blocks; they are shown on the screen and not spoken. If a picture is attached it is the person's screen: say what \
matters for the question, and quote text exactly. If you do not know something, say so.";

impl Turn {
    /// Writes the answer and hands its sentences on to be spoken.
    pub(super) async fn think(
        &self,
        question: &str,
        picture: Option<Bytes>,
        to_speak: mpsc::UnboundedSender<String>,
    ) -> Result<()> {
        let service = if picture.is_some() { Service::Vlm } else { Service::Llm };
        let stage = self.enter(Stage::Thinking);
        let plan = self.plan(service)?;
        let own = self.config.settings.instructions.trim();
        let planning = if self.request.plans { intent::INSTRUCTIONS } else { "" };
        let system =
            [INSTRUCTIONS, planning, own].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
        let question = match &self.request.context {
            Some(context) => format!("{question}\n\nWhere the question was asked:\n{context}"),
            None => question.to_owned(),
        };
        let mut messages = self.memory().await;
        messages.push(Message::new(Role::User, question).showing(picture));
        let tools = if self.request.plans { vec![intent::tool()] } else { Vec::new() };
        let request = ChatRequest {
            system,
            messages,
            tools,
            tools_optional: true,
            max_tokens: Some(LONGEST_ANSWER),
            ..ChatRequest::default()
        };
        let mut sentences = Sentences::new(self.config.settings.listening.language.as_deref().unwrap_or("en"));

        let mut on_text = |text: &str| {
            self.edit(|record| record.answer.push_str(text));
            self.room.events.send(Event::Text { turn: self.id.clone(), delta: text.to_owned() });
            for sentence in sentences.push(text) {
                // A closed channel only says that nothing is spoken.
                let _ = to_speak.send(sentence);
            }
        };
        // A plan that cannot be read, without a word beside it, is no answer.
        let of_use = |calls: &[ToolCall]| intent::plan(calls).is_some();
        let answered = self.room.router.chat_for(&plan, &request, &of_use, self, &mut on_text).await;
        // Who only plans may still have something to say about it.
        if let Ok(answered) = &answered
            && answered.value.text.trim().is_empty()
            && let Some(planned) = intent::plan(&answered.value.calls)
        {
            on_text(&planned.said());
        }
        for sentence in sentences.finish() {
            let _ = to_speak.send(sentence);
        }
        let answered = answered?;
        stage.by(&answered.route);
        self.wants(answered.value.calls);
        if answered.value.cut {
            self.tell("cut", "The answer reached its longest length and was cut.");
        }
        Ok(())
    }

    /// What was said before in this session: the answers as far as they were heard or read.
    async fn memory(&self) -> Vec<Message> {
        let session = Some(self.request.session.clone());
        let filter = TurnFilter { session, limit: MEMORY, ..TurnFilter::default() };
        let turns = self.room.ports.history.find(&filter).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the session's earlier turns could not be read");
            Vec::new()
        });
        let mut messages = Vec::new();
        for turn in turns.into_iter().rev().filter(|turn| !turn.transcript.is_empty()) {
            let heard = if turn.interrupted { format!("{} [interrupted]", turn.spoken) } else { turn.answer };
            if heard.trim().is_empty() {
                continue;
            }
            messages.push(Message::new(Role::User, turn.transcript));
            messages.push(Message::new(Role::Assistant, heard));
        }
        messages
    }
}
