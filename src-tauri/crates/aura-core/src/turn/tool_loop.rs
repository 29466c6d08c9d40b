//! The loop of an answer: ask, carry out what the model calls, and ask again with the results.
//!
//! The messages hold every call and its result, and a request is made with all of them. So a route that fails after a call leaves the
//! next one what was found, and no call is carried out twice. A picture is attached to the question itself, because no format takes
//! pictures in the result of a call from every model; from then on the routes are those of [`Service::Vlm`].

use std::sync::Arc;

use aura_providers::{ChatRequest, ContentPart, Message, Role, Service, ToolCall, ToolChoice};
use aura_router::{ChatResponse, RoutePlan, Routed};

use super::acting;
use super::answer_sink::AnswerSink;
use super::earlier_picture::EarlierPicture;
use super::look::LookAtScreen;
use super::tools::{Tool, ToolResult, Toolbox};
use super::turn::Turn;
use crate::error::Result;
use crate::intent;
use crate::record::Stage;

/// How often the calls of a model are carried out within a turn, before it has to answer.
const MAX_STEPS: usize = 5;
/// The same where the model can act: a plan, and a step or two for each part of it.
const MAX_STEPS_ACTING: usize = 12;
/// How many calls of one step are carried out. The model is told that the others were not.
const MAX_CALLS: usize = 8;

impl Turn {
    /// The tools for an answer by the routes of `plan`: to look, for a question that has no picture yet, and to act, where somebody is
    /// there to consent. None where the first route cannot call tools.
    pub(super) async fn offered_tools(&self, plan: &RoutePlan) -> Toolbox {
        let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
        if plan.service() == Service::Llm {
            if self.may_look_when_asked() {
                tools.push(Arc::new(LookAtScreen::default()));
            }
            if let Some(picture) = self.earlier_picture() {
                tools.push(Arc::new(EarlierPicture(picture)));
            }
            if !tools.is_empty() && !self.can_see().await {
                tools.clear();
            }
        }
        if self.may_ask() {
            let settings = &self.config.settings;
            if self.context.ports.desktop.is_available() {
                tools.extend(acting::tools(&settings.actions));
            }
            tools.extend(acting::mcp_tools(&self.context.mcp, settings));
        }
        match !tools.is_empty() && self.context.router.calls_tools(plan).await {
            true => Toolbox::new(tools),
            false => Toolbox::default(),
        }
    }

    /// Writes the answer to `request`, whose last message is the question. Its text goes to `sink`, what precedes a call included.
    ///
    /// # Errors
    /// When there is no route, or every route failed.
    pub(super) async fn answer_with_tools(
        &self,
        mut plan: RoutePlan,
        mut request: ChatRequest,
        tools: &Toolbox,
        sink: &mut AnswerSink<'_>,
    ) -> Result<Routed<ChatResponse>> {
        let question = request.messages.len().saturating_sub(1);
        let max_steps = if tools.acts() { MAX_STEPS_ACTING } else { MAX_STEPS };
        let mut step = 0;
        loop {
            let may_call = step < max_steps && !tools.is_empty();
            if step == max_steps {
                request.tool_choice = ToolChoice::Never;
            }
            // Without text, only a plan that can be parsed counts as an answer.
            let accept = |calls: &[ToolCall]| may_call || intent::plan(calls).is_some();
            let routed = self.context.router.chat_accepting(&plan, &request, &accept, self, sink).await?;
            let calls = &routed.value.tool_calls;
            if !may_call || calls.is_empty() || intent::plan(calls).is_some() {
                return Ok(routed);
            }
            sink.pause().await;
            request.messages.push(called(&routed.value));
            for (index, call) in calls.iter().enumerate() {
                let result = match index < MAX_CALLS {
                    true => self.call_tool(tools, call, sink).await,
                    false => ToolResult::said("Too many calls at once. This one was not carried out."),
                };
                request.messages.push(Message::tool_result(&call.id, result.text));
                if !result.pictures.is_empty() {
                    request.messages[question].parts.extend(result.pictures.into_iter().map(ContentPart::Image));
                    plan = self.plan(Service::Vlm)?;
                }
            }
            self.show(Stage::Thinking);
            step += 1;
        }
    }
}

/// The message in which the model made its calls.
fn called(response: &ChatResponse) -> Message {
    Message { tool_calls: response.tool_calls.clone(), ..Message::new(Role::Assistant, response.text.clone()) }
}
