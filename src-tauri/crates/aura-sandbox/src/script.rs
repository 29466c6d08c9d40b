//! Scripted replies: ordered rules for what the models answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{Provider, Service};

/// Ordered rules for replies. The first rule that matches a request provides its reply. Without a match, the sandbox
/// quotes the user's message or the text in the image; a question about the screen calls the tool `look_at_screen` first, where
/// the request offers it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Rules, tried in order.
    pub rules: Vec<Rule>,
}

impl Script {
    /// A script that replies `text` to every text request.
    pub fn always(text: impl Into<String>) -> Self {
        Self { rules: vec![Rule::reply(text)] }
    }
}

/// A condition and the reply for the requests that meet it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Requests that the rule applies to.
    pub when: RuleCondition,
    /// Reply to those requests.
    pub reply: ScriptedReply,
    /// Number of requests the rule applies to; no limit if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

impl Rule {
    /// A rule that replies `text` to every text request.
    pub fn reply(text: impl Into<String>) -> Self {
        Self { reply: ScriptedReply { text: text.into(), ..ScriptedReply::default() }, ..Self::default() }
    }

    /// A rule that replies with a call of this tool, once for each question that contains `question`, if the tool is offered.
    pub fn calling_when_asked(question: impl Into<String>, tool: impl Into<String>) -> Self {
        let tool = tool.into();
        let may_call = Some(tool.clone());
        Self {
            when: RuleCondition { contains: Some(question.into()), may_call, ..RuleCondition::default() },
            reply: ScriptedReply {
                tool_calls: vec![ToolCall { name: tool, arguments: no_arguments() }],
                ..ScriptedReply::default()
            },
            times: None,
        }
    }

    /// A rule that replies to one text request with these tool calls. Later requests fall to the next rule.
    pub fn calling(calls: Vec<ToolCall>) -> Self {
        Self {
            reply: ScriptedReply { tool_calls: calls, ..ScriptedReply::default() },
            times: Some(1),
            ..Self::default()
        }
    }
}

/// Condition of a rule. A request must meet every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleCondition {
    /// The request is for this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The request is for this service. Without it, the rule applies to `llm` and `vlm`; only a rule with `stt`
    /// replaces a transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// The request is for this model id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The user's last message contains this text. Case is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The request offers this tool, and its result is not among the messages after the user's last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_call: Option<String>,
}

/// What a [`RuleCondition`] is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScriptedRequest<'a> {
    pub(crate) provider: Provider,
    pub(crate) service: Service,
    pub(crate) model: &'a str,
    pub(crate) user_text: &'a str,
    /// The tools that the request offers and whose results are not there yet.
    pub(crate) tools: &'a [&'a str],
}

impl RuleCondition {
    fn matches(&self, request: ScriptedRequest<'_>) -> bool {
        let ScriptedRequest { provider, service, model, user_text, tools } = request;
        let service_holds = match self.service {
            Some(wanted) => wanted == service,
            None => matches!(service, Service::Llm | Service::Vlm),
        };
        service_holds
            && self.provider.is_none_or(|wanted| wanted == provider)
            && self.model.as_deref().is_none_or(|wanted| wanted == model)
            && self.contains.as_deref().is_none_or(|text| user_text.to_lowercase().contains(&text.to_lowercase()))
            && self.may_call.as_deref().is_none_or(|tool| tools.contains(&tool))
    }
}

/// Reply of a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedReply {
    /// Text of the reply. Placeholders: `{heard}` for the user's last message or, in a transcript, for the recognised
    /// text; `{screen_text}` for the text that tesseract reads in the image; `{image_size}` for its width and height;
    /// `{model}` for the model id.
    pub text: String,
    /// Reasoning text of a reasoning model, sent before the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Tool calls, sent after the text. Calls to tools that the request does not offer are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Whether calls to tools that the request does not offer are sent too, as some models do.
    pub calls_unknown_tools: bool,
    /// Milliseconds until the first content. Replaces the configured delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// Milliseconds between chunks. Replaces the configured delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_ms: Option<u64>,
    /// Words in each chunk of a streamed reply; 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_words: Option<usize>,
    /// Finish reason in the provider's own spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// Token counts to report instead of estimates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Name of the function.
    pub name: String,
    /// Arguments, a JSON object; empty if absent.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Token counts of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens of the completion, without reasoning.
    pub completion: u64,
    /// Tokens of the reasoning.
    pub reasoning: u64,
}

/// A script in use. Each use of a rule takes one off its `times`.
#[derive(Debug, Default)]
pub(crate) struct ScriptState(Script);

impl ScriptState {
    pub(crate) fn new(script: Script) -> Self {
        Self(script)
    }

    pub(crate) fn script(&self) -> Script {
        self.0.clone()
    }

    /// Reply of the first rule that matches the request. Takes one off the rule's `times`.
    pub(crate) fn reply(&mut self, request: ScriptedRequest<'_>) -> Option<ScriptedReply> {
        let mut rules = self.0.rules.iter_mut();
        let rule = rules.find(|rule| rule.times != Some(0) && rule.when.matches(request))?;
        if let Some(left) = &mut rule.times {
            *left -= 1;
        }
        Some(rule.reply.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_match_in_order_and_expire_after_their_count() {
        let text = r#"{"rules": [
            {"when": {"contains": "WEATHER"}, "reply": {"text": "Rain."}, "times": 1},
            {"when": {"service": "stt"}, "reply": {"text": "heard"}},
            {"when": {"contains": "time", "may_call": "clock"}, "reply": {"text": "Let me see."}},
            {"when": {"may_call": "calendar"}, "reply": {"text": "Not offered."}},
            {"when": {"provider": "gemini"}, "reply": {"text": "Gemini."}}
        ]}"#;
        let mut state = ScriptState::new(serde_json::from_str(text).unwrap());
        let mut next = |provider, service, user_text| {
            let reply = state.reply(ScriptedRequest { provider, service, model: "m", user_text, tools: &["clock"] });
            reply.map(|reply| reply.text)
        };
        let weather = "what is the weather";
        assert_eq!(next(Provider::Gemini, Service::Llm, weather).as_deref(), Some("Rain."));
        assert_eq!(next(Provider::Gemini, Service::Llm, weather).as_deref(), Some("Gemini."));
        assert_eq!(next(Provider::Groq, Service::Llm, weather), None);
        assert_eq!(next(Provider::Groq, Service::Llm, "what time is it").as_deref(), Some("Let me see."));
        assert_eq!(next(Provider::Groq, Service::Stt, "").as_deref(), Some("heard"));
        assert_eq!(next(Provider::Groq, Service::Tts, ""), None);
    }
}
