//! Text with failover. An answer that breaks off is continued by the next route.

use aura_providers::{
    ChatEvent, ChatRequest, ChatStream, Failure, FailureDetail, FailureKind, FinishReason, Message, ResponseFormat,
    Role, ToolCall, Usage,
};
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::attempt::Observer;
use crate::continuation::{Continuation, WordBuffer, ends_sentence};
use crate::cost::LocalCount;
use crate::error::Result;
use crate::failover::{Call, CallOutcome, Failover};
use crate::outcome::{Routed, char_count, timed_out};
use crate::plan::RoutePlan;
use crate::router::Router;
use crate::sink::Sink;

/// The factor by which visible reasoning may extend the timeout of the first content.
const REASONING_FACTOR: u32 = 3;
/// The factor by which the token limit is raised after reasoning used it up.
const RAISED_TOKENS_FACTOR: u32 = 4;

/// A complete answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChatResponse {
    /// The whole text.
    pub text: String,
    /// The tools that the model wants to call.
    pub tool_calls: Vec<ToolCall>,
    /// The log probabilities of its tokens, each in OpenAI's format. Empty where the route does not report them, and for an answer that
    /// another route continued.
    pub logprobs: Vec<Value>,
    /// Whether the token limit cut the answer off.
    pub truncated: bool,
    /// Usage of the last route's call.
    pub usage: Usage,
}

impl Router {
    /// Answers a question. Text goes to `sink` as it arrives, in whole words.
    ///
    /// When a stream breaks off after content, the next route continues from there. JSON cannot be continued, so it is sent at once
    /// when it is complete. After an error, the text that `sink` received is incomplete.
    ///
    /// # Errors
    /// When every route failed, or one failed in a way that rules out the others; see [`retry_policy`](crate::retry_policy).
    pub async fn chat(
        &self,
        plan: &RoutePlan,
        request: &ChatRequest,
        observer: &dyn Observer,
        sink: &mut impl Sink<String>,
    ) -> Result<Routed<ChatResponse>> {
        self.chat_accepting(plan, request, &|_| true, observer, sink).await
    }

    /// Answers a question like [`Router::chat`], but checks tool calls. When an answer has no text and `accept` rejects its tool
    /// calls, it counts as empty, and the retry policy decides what comes next.
    ///
    /// # Errors
    /// When every route failed, or one failed in a way that rules out the others; see [`retry_policy`](crate::retry_policy).
    pub async fn chat_accepting(
        &self,
        plan: &RoutePlan,
        request: &ChatRequest,
        accept: &(dyn Fn(&[ToolCall]) -> bool + Sync),
        observer: &dyn Observer,
        sink: &mut impl Sink<String>,
    ) -> Result<Routed<ChatResponse>> {
        let has_optional_tools = request.tools_optional && !request.tools.is_empty();
        let mut failover = Failover::new(self, plan, observer).with_optional_tools(has_optional_tools);
        let texts = request.messages.iter().map(|message| char_count(&message.text()));
        let input_chars = char_count(&request.system) + texts.sum::<u32>();
        let is_json = request.format != ResponseFormat::Text;
        let mut answer = String::new();
        loop {
            let before = answer.clone();
            let start = |call: Call| start(call, request.clone(), before.clone()).boxed();
            let (started, in_flight) = failover.start(&start).await?;
            observer.first_content(&in_flight.route);
            let first_ms = Some(in_flight.ms());
            let result = if is_json {
                follow(&failover, started, &mut answer, &mut Discard).await
            } else {
                follow(&failover, started, &mut answer, sink).await
            };
            let measured =
                LocalCount { input_chars, output_chars: char_count(&answer[before.len()..]), ..LocalCount::default() };
            let outcome =
                |usage| CallOutcome { usage, measured, first_ms, has_content: !is_json && measured.output_chars > 0 };
            let (failure, usage) = match result {
                Err(failure) => (failure, Usage::default()),
                Ok(Ending { usage, calls, .. }) if answer.trim().is_empty() && !calls.is_empty() && !accept(&calls) => {
                    (Failure::new(FailureKind::Empty, "The model returned an unusable tool call."), usage)
                }
                Ok(Ending { usage, calls, .. })
                    if measured.output_chars == 0 && calls.is_empty() && !may_be_complete(&answer) =>
                {
                    (Failure::new(FailureKind::Empty, "The rest of the answer is missing."), usage)
                }
                Ok(Ending { finish, usage, calls: tool_calls, logprobs }) => {
                    failover.succeeded(&in_flight, outcome(usage.clone()));
                    if is_json {
                        sink.send(answer.clone()).await;
                    }
                    let truncated = finish == FinishReason::Length;
                    let logprobs = if before.is_empty() { logprobs } else { Vec::new() };
                    let value = ChatResponse { text: answer, tool_calls, logprobs, truncated, usage };
                    return Ok(Routed { value, route: in_flight.route });
                }
            };
            if is_json {
                answer.clear();
            }
            failover.failed(&in_flight, &failure, outcome(usage)).await?;
        }
    }
}

/// Drops text that is sent later, as a whole.
struct Discard;

impl Sink<String> for Discard {
    async fn send(&mut self, _: String) {}
}

/// An answer whose first content arrived.
struct StartedChat {
    first: String,
    stream: ChatStream,
}

/// Makes one call and waits for its first content. `answer` is the part of the answer that earlier routes gave.
async fn start(call: Call, request: ChatRequest, answer: String) -> Result<StartedChat, Failure> {
    let Some(chat) = &call.services.chat else {
        return Err(Failure::new(FailureKind::Unsupported, "This provider does not offer text."));
    };
    let factor = if call.raise_max_tokens { RAISED_TOKENS_FACTOR } else { 1 };
    let max_tokens = request.max_tokens.map(|limit| limit.saturating_mul(factor));
    let request = if call.without_optional_tools { request.without_tools() } else { request };
    let request = continue_from(ChatRequest { model: call.route.model.clone(), max_tokens, ..request }, &answer);
    let mut due = call.due();
    let last = (Instant::now() + call.first_token_timeout * REASONING_FACTOR).min(call.deadline);
    let mut stream = timeout_at(due, chat.chat(&request)).await.unwrap_or_else(|_| Err(timed_out("answer")))?;
    loop {
        match timeout_at(due, stream.next()).await.map_err(|_| timed_out("answer"))? {
            Some(Ok(ChatEvent::Text(text))) if !text.is_empty() => return Ok(StartedChat { first: text, stream }),
            Some(Ok(ChatEvent::Text(_) | ChatEvent::Thinking)) => due = call.due().min(last),
            // A tool call is content, too, even without text.
            Some(Ok(tool @ ChatEvent::ToolCall(_))) => {
                let stream = futures::stream::iter([Ok(tool)]).chain(stream).boxed();
                return Ok(StartedChat { first: String::new(), stream });
            }
            // Nothing to add: the answer so far was complete.
            Some(Ok(end @ ChatEvent::End { finish: FinishReason::Stop, .. })) if may_be_complete(&answer) => {
                return Ok(StartedChat { first: String::new(), stream: futures::stream::iter([Ok(end)]).boxed() });
            }
            Some(Ok(ChatEvent::End { finish, usage })) => {
                let exhausted = finish == FinishReason::Length;
                let detail = exhausted.then_some(FailureDetail::MaxTokensExhausted);
                let why = if exhausted { "Reasoning used up the token limit." } else { "The answer was empty." };
                return Err(Failure { detail, usage: Some(Box::new(usage)), ..Failure::new(FailureKind::Empty, why) });
            }
            Some(Ok(_)) => {}
            Some(Err(failure)) => return Err(failure),
            None => return Err(Failure::new(FailureKind::Empty, "The connection closed without an answer.")),
        }
    }
}

/// Extends a request so that it asks for the rest of an answer that broke off.
fn continue_from(mut request: ChatRequest, answer: &str) -> ChatRequest {
    if !answer.is_empty() {
        request.continues = true;
        // The instruction is a user message, because not every model continues its own last message.
        request.messages.push(Message::new(Role::Assistant, answer));
        request.messages.push(Message::new(
            Role::User,
            "Your answer was cut off by the connection. Continue exactly where it stops, without repeating or commenting.",
        ));
    }
    request
}

/// Whether the text so far may be the complete answer.
fn may_be_complete(answer: &str) -> bool {
    !answer.trim().is_empty() && ends_sentence(answer)
}

/// The end of an answer.
struct Ending {
    finish: FinishReason,
    usage: Usage,
    calls: Vec<ToolCall>,
    logprobs: Vec<Value>,
}

/// Sends an answer on as it arrives, in whole words and without repetitions of `answer`. Succeeds only when the provider marks the end.
async fn follow(
    failover: &Failover<'_>,
    started: StartedChat,
    answer: &mut String,
    sink: &mut impl Sink<String>,
) -> Result<Ending, Failure> {
    let StartedChat { first, mut stream } = started;
    let (mut calls, mut logprobs) = (Vec::new(), Vec::new());
    let (mut continuation, mut words) = (Continuation::new(answer), WordBuffer::default());
    append(words.take(&continuation.take(&first)), answer, sink).await;
    loop {
        match timeout_at(failover.next_due(), stream.next()).await {
            Err(_) => return Err(Failure::new(FailureKind::Interrupted, "The answer stalled.")),
            Ok(Some(Ok(ChatEvent::Text(text)))) => append(words.take(&continuation.take(&text)), answer, sink).await,
            Ok(Some(Ok(ChatEvent::ToolCall(call)))) => calls.push(call),
            Ok(Some(Ok(ChatEvent::Logprobs(tokens)))) => logprobs.extend(tokens),
            Ok(Some(Ok(ChatEvent::End { finish, usage }))) => {
                append(words.take(&continuation.finish()), answer, sink).await;
                append(words.finish(), answer, sink).await;
                return Ok(Ending { finish, usage, calls, logprobs });
            }
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(failure))) if failure.kind == FailureKind::Blocked => return Err(failure),
            Ok(Some(Err(failure))) => return Err(Failure { kind: FailureKind::Interrupted, ..failure }),
            Ok(None) => return Err(Failure::new(FailureKind::Interrupted, "The answer broke off.")),
        }
    }
}

/// Appends text to the answer and sends it.
async fn append(text: String, answer: &mut String, sink: &mut impl Sink<String>) {
    if !text.is_empty() {
        answer.push_str(&text);
        sink.send(text).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use aura_providers::{Chat, Services};

    use super::*;
    use crate::testing::{Ending, ScriptedChat, chat_plan, route, router};

    /// Reports reasoning once a second for this many seconds, and then answers with one word.
    struct SlowReasoner(usize);

    #[async_trait::async_trait]
    impl Chat for SlowReasoner {
        async fn chat(&self, _request: &ChatRequest) -> Result<ChatStream, Failure> {
            let reasoning = futures::stream::iter(0..self.0).then(async |_| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(ChatEvent::Thinking)
            });
            Ok(reasoning.chain(futures::stream::iter([Ok(ChatEvent::Text("Yes.".into()))])).boxed())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reasoning_extends_the_first_token_timeout_up_to_a_limit() {
        let first_content = async |seconds| {
            let mut services = Services::default();
            services.chat = Some(Arc::new(SlowReasoner(seconds)));
            let call = Call {
                services,
                route: route("x", "m"),
                is_local: false,
                first_token_timeout: Duration::from_secs(8),
                deadline: Instant::now() + Duration::from_secs(60),
                raise_max_tokens: false,
                without_optional_tools: false,
            };
            start(call, ChatRequest::default(), String::new()).await.map(|started| started.first)
        };
        assert_eq!(first_content(20).await.as_deref(), Ok("Yes."));
        assert_eq!(first_content(40).await.unwrap_err().kind, FailureKind::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_local_route_is_not_taken_from_the_routes_after_it() {
        let router = router();
        let scripted = |texts: &[&str], ending| -> Arc<dyn Chat> {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            Arc::new(ScriptedChat { texts, ending, read: Arc::default() })
        };
        let (answers, silent) = (scripted(&["Yes."], Ending::Complete), scripted(&[], Ending::Hang));
        let mut plan = chat_plan(&router, &answers);
        plan.candidates[0].services.chat = Some(silent);
        plan.candidates[0].is_local = true;
        let answer = router.chat(&plan, &ChatRequest::default(), &(), &mut Vec::new()).await;
        assert_eq!(answer.map(|routed| routed.value.text), Ok("Yes.".to_owned()));
    }
}
