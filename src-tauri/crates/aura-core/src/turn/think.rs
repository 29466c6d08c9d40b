//! Think: writes the answer from the question, the earlier turns of the session, and the picture.

use aura_providers::{ChatRequest, Message, Role, Service};
use aura_router::{ChatResponse, Sink};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::acting;
use super::answer_sink::AnswerSink;
use super::language;
use super::turn::Turn;
use crate::error::Result;
use crate::intent;
use crate::record::{Notice, NoticeKind, Stage};

/// The longest answer in tokens: about four minutes of speech. Reasoning models spend a part of it on text that is not spoken.
pub(super) const MAX_ANSWER_TOKENS: u32 = 2_048;

/// The system prompt.
const INSTRUCTIONS: &str = "You are AURA, a voice assistant on the person's computer. Your answer is read aloud: answer in the language of \
the question, in one to four short plain sentences unless more is asked for, without headings, tables or emoji. Put code and \
commands into code blocks; they are shown on the screen and not spoken. If a picture is attached it is the person's screen: say what \
matters for the question, and quote text exactly. If you do not know something, say so.";

impl Turn {
    /// Writes the answer and sends its sentences to be spoken.
    ///
    /// # Errors
    /// When there is no route, or every route failed.
    pub(super) async fn think(
        &self,
        question: &str,
        picture: Option<Bytes>,
        to_speak: mpsc::Sender<String>,
    ) -> Result<()> {
        let service = if picture.is_some() { Service::Vlm } else { Service::Llm };
        let stage = self.enter(Stage::Thinking);
        let plan = self.plan(service)?;
        let own = self.config.settings.instructions.trim();
        let planning = if self.request.plans { intent::INSTRUCTIONS } else { "" };
        let spoken = language::instruction(self.recognised().as_deref());
        let persona = self.persona.as_ref().map_or("", |persona| persona.instructions.trim());
        let tools = self.offered_tools(&plan).await;
        if picture.is_some() {
            self.note_foreign();
        }
        self.set_offered(tools.names());
        let (acting, fence) = match tools.is_empty() {
            true => ("", String::new()),
            false => (if tools.acts() { acting::INSTRUCTIONS } else { "" }, self.fence_instructions()),
        };
        let system = [INSTRUCTIONS, &spoken, planning, acting, &fence, own, persona]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n\n");
        let question = match &self.request.context {
            Some(context) => format!("{question}\n\nWhere the question was asked:\n{context}"),
            None => question.to_owned(),
        };
        let described = tools.text();
        let mut messages = self.memory(&plan, &[&system, &described, &question], picture.is_some()).await;
        messages.push(Message::new(Role::User, question).with_image(picture));
        let planning = self.request.plans.then(intent::tool);
        let request = ChatRequest {
            system,
            messages,
            tools: tools.definitions().chain(planning).collect(),
            tools_optional: true,
            max_tokens: Some(MAX_ANSWER_TOKENS),
            language: self.language(),
            ..ChatRequest::default()
        };
        let mut sink = AnswerSink::new(self, to_speak);
        let routed = self.answer_with_tools(plan, request, &tools, &mut sink).await;
        // An answer that is a plan without text is put into words.
        if let Ok(routed) = &routed
            && routed.value.text.trim().is_empty()
            && let Some(planned) = intent::plan(&routed.value.tool_calls)
        {
            sink.send(planned.summary()).await;
        }
        sink.finish().await;
        let routed = routed?;
        stage.answered_by(&routed.route);
        self.note_truncation(&routed.value);
        self.set_tool_calls(routed.value.tool_calls);
        Ok(())
    }

    /// Tells that an answer was cut off, if it was.
    pub(super) fn note_truncation(&self, answer: &ChatResponse) {
        if answer.truncated {
            let message = "The answer reached its length limit and was cut off.";
            self.notify(Notice::new(NoticeKind::AnswerTruncated, message));
        }
    }
}
