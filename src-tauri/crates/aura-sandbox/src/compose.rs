//! From a question, in no provider's dialect, to the answer that the script or the default gives.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::call::Call;
use crate::faults::{FaultKind, FilterForm};
use crate::refusal::{Cause, Refusal};
use crate::script::{Reply, ToolCall, Usage, pieces};
use crate::vision::Picture;

/// A question, in no provider's dialect.
#[derive(Debug, Default)]
pub(crate) struct Question {
    /// The user's last message.
    pub(crate) heard: String,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) prompt_tokens: u64,
    pub(crate) tools: Vec<Tool>,
    /// A tool must be called: this one, or any when empty.
    pub(crate) must_call: Option<String>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stop: Vec<String>,
    /// The answer must be JSON.
    pub(crate) json: bool,
    /// The user asked the model to think, so a script's reasoning is used.
    pub(crate) reasoning: bool,
    /// The last message is the assistant's: the answer is to go on from there.
    pub(crate) prefilled: bool,
}

/// A function that the model may call.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) parameters: Value,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    Tool,
    Filtered,
    /// In the provider's own spelling.
    Other(String),
}

/// An answer, in no provider's dialect.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) pieces: Vec<String>,
    pub(crate) reasoning: Vec<String>,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
    first: Duration,
    step: Duration,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// When the piece with this number is due; reasoning comes first.
    pub(crate) fn due(&self, piece: usize) -> Duration {
        self.first + self.step * u32::try_from(piece).unwrap_or(u32::MAX)
    }

    /// When the last piece is due.
    pub(crate) fn complete(&self) -> Duration {
        self.due((self.reasoning.len() + self.pieces.len()).saturating_sub(1))
    }
}

/// Composes the answer to a question.
pub(crate) async fn compose(call: &Call, question: &Question) -> Result<Answer, Refusal> {
    call.entry.note(|record| {
        record.text = Some(question.heard.clone());
        record.images = question.pictures.iter().map(|picture| picture.record.clone()).collect();
    });
    if question.prefilled && call.fault() == Some(&FaultKind::RefusePrefill) {
        return Err(call.invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    let scripted = call.state.script().reply(call.provider, call.service, &call.model, &question.heard);
    let reply = match scripted {
        Some(reply) => reply,
        None => default_reply(call, question),
    };
    let text = fill(call, question, &reply.text).await?;
    let offered = |call: &&ToolCall| question.tools.iter().any(|tool| tool.name == call.name);
    let mut tool_calls: Vec<ToolCall> = reply.tool_calls.iter().filter(offered).cloned().collect();
    if tool_calls.is_empty() {
        tool_calls.extend(forced_call(question));
    }
    let delays = call.state.delays();
    let mut answer = Answer {
        pieces: Vec::new(),
        reasoning: Vec::new(),
        tool_calls,
        finish: Finish::Stop,
        usage: Usage::default(),
        first: Duration::from_millis(reply.first_ms.unwrap_or(delays.llm_first_ms)),
        step: Duration::from_millis(reply.chunk_ms.unwrap_or(delays.llm_chunk_ms)),
    };
    if question.reasoning {
        answer.reasoning = pieces(reply.reasoning.as_deref().unwrap_or_default(), 4);
    }
    let calls = !answer.tool_calls.is_empty();
    // A model that is made to call has nothing to say; one that calls by its script says what the script says.
    if !calls || !reply.tool_calls.is_empty() {
        write(&mut answer, question, text, &reply);
    }
    if calls {
        answer.finish = Finish::Tool;
    }
    spoil(call, &mut answer);
    answer.usage = reply.usage.unwrap_or(Usage {
        prompt: question.prompt_tokens,
        completion: (answer.pieces.len() as u64).max(1),
        reasoning: answer.reasoning.len() as u64,
    });
    // Reading the picture may have taken longer than the ordered delay.
    answer.first = answer.first.max(Instant::now().saturating_duration_since(call.ready));
    Ok(answer)
}

fn default_reply(call: &Call, question: &Question) -> Reply {
    let text = if question.pictures.is_empty() {
        "This is the sandbox. You said: {heard}"
    } else if call.state.programs.tesseract.is_some() {
        "The screen says: {screen_text}"
    } else {
        "This is the sandbox. The picture is {image_size}. You said: {heard}"
    };
    Reply { text: text.to_owned(), ..Reply::default() }
}

async fn fill(call: &Call, question: &Question, template: &str) -> Result<String, Refusal> {
    let mut text = template.replace("{model}", &call.model);
    let picture = question.pictures.last();
    if text.contains("{screen_text}") {
        let seen = match picture {
            Some(picture) => {
                picture.text(&call.state.programs).await.map_err(|error| call.refuse(&Cause::from(&error)))?
            }
            None => String::new(),
        };
        text = text.replace("{screen_text}", if seen.is_empty() { "(no text)" } else { &seen });
    }
    text = text.replace("{image_size}", &picture.map_or_else(|| "(no image)".to_owned(), Picture::size));
    // Last, so that a user who says "{screen_text}" is quoted and not obeyed.
    Ok(text.replace("{heard}", &question.heard))
}

/// Cuts the text into pieces, and ends it where the request says.
fn write(answer: &mut Answer, question: &Question, mut text: String, reply: &Reply) {
    if question.json && serde_json::from_str::<Value>(&text).is_err() {
        text = json!({"answer": text}).to_string();
    }
    if let Some(at) = question.stop.iter().filter_map(|stop| text.find(stop.as_str())).min() {
        text.truncate(at);
    }
    answer.pieces = pieces(&text, reply.chunk_words.unwrap_or(1));
    if let Some(most) = question.max_tokens {
        // Reasoning is paid first: a small limit can leave nothing for the answer.
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let room = most.saturating_sub(answer.reasoning.len());
        if answer.pieces.len() > room {
            answer.pieces.truncate(room);
            answer.finish = Finish::Length;
        }
        answer.reasoning.truncate(most);
    }
    if let Some(finish) = &reply.finish {
        answer.finish = Finish::Other(finish.clone());
    }
}

/// Applies the faults that change an answer's content.
fn spoil(call: &Call, answer: &mut Answer) {
    match call.fault() {
        Some(FaultKind::EmptyAnswer { finish }) => {
            answer.pieces.clear();
            answer.tool_calls.clear();
            answer.finish = finish.clone().map_or(Finish::Stop, Finish::Other);
        }
        Some(FaultKind::ContentFilter { form: FilterForm::Answer }) => {
            answer.pieces.truncate(1);
            answer.tool_calls.clear();
            answer.finish = Finish::Filtered;
        }
        _ => {}
    }
}

/// A call that the request insists on, with arguments made up from the tool's schema.
fn forced_call(question: &Question) -> Option<ToolCall> {
    let wanted = question.must_call.as_deref()?;
    let tool = question.tools.iter().find(|tool| wanted.is_empty() || tool.name == wanted)?;
    let mut arguments = Map::new();
    let properties = tool.parameters.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or("string").to_lowercase();
        let choice = schema.get("enum").and_then(|values| values.get(0)).cloned();
        let value = choice.unwrap_or_else(|| match kind.as_str() {
            "integer" | "number" => json!(1),
            "boolean" => json!(true),
            "array" => json!([]),
            "object" => json!({}),
            _ => json!(question.heard),
        });
        arguments.insert(name.clone(), value);
    }
    Some(ToolCall { name: tool.name.clone(), arguments: Value::Object(arguments) })
}

/// About four letters to a token.
pub(crate) fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}
