//! What the models answer: ordered rules that a test gives, and an honest default without them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds::{Provider, Service};

/// Ordered rules; the first that matches a request answers it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The rules.
    pub rules: Vec<Rule>,
}

impl Script {
    /// A script whose every text answer is `text`.
    pub fn always(text: impl Into<String>) -> Self {
        Self { rules: vec![Rule::reply(text)] }
    }
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Which requests it answers.
    pub when: When,
    /// What it answers.
    pub reply: Reply,
    /// For how many requests; always when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

impl Rule {
    /// Answers every text request with `text`.
    pub fn reply(text: impl Into<String>) -> Self {
        Self { reply: Reply { text: text.into(), ..Reply::default() }, ..Self::default() }
    }

    /// Answers every text request that offers these tools with calls to them, once; then the next rule holds.
    pub fn calling(calls: Vec<ToolCall>) -> Self {
        Self { reply: Reply { tool_calls: calls, ..Reply::default() }, times: Some(1), ..Self::default() }
    }
}

/// Which requests a rule answers: all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Sent to this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// For this service. A rule that names none answers `llm` and `vlm`; a transcript is only replaced by a
    /// rule that says `stt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// For this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The user's last message contains this, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

impl When {
    fn holds(&self, provider: Provider, service: Service, model: &str, heard: &str) -> bool {
        let service_holds = match self.service {
            Some(wanted) => wanted == service,
            None => matches!(service, Service::Llm | Service::Vlm),
        };
        service_holds
            && self.provider.is_none_or(|wanted| wanted == provider)
            && self.model.as_deref().is_none_or(|wanted| wanted == model)
            && self.contains.as_deref().is_none_or(|text| heard.to_lowercase().contains(&text.to_lowercase()))
    }
}

/// What a rule answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// The answer. `{heard}` is the user's last message, `{screen_text}` what tesseract reads in the image,
    /// `{image_size}` its width and height, `{model}` the model's id.
    pub text: String,
    /// What a reasoning model thinks first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Calls to the request's tools, after the text if there is one. Tools that a request does not offer are not called: it is
    /// answered with the text alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Milliseconds before the first content, in place of the sandbox's own delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// Milliseconds between pieces, in place of the sandbox's own delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_ms: Option<u64>,
    /// Words in a piece of a streamed answer; 1 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_words: Option<usize>,
    /// The finish reason, in the provider's own spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// The tokens to report, in place of an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// A call to a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The function.
    pub name: String,
    /// Its arguments, an object.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Tokens of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens that were read.
    pub prompt: u64,
    /// Tokens that were written, without reasoning.
    pub completion: u64,
    /// Tokens that were thought.
    pub reasoning: u64,
}

/// A script with its counters.
#[derive(Debug, Default)]
pub(crate) struct Running(Script);

impl Running {
    pub(crate) fn new(script: Script) -> Self {
        Self(script)
    }

    pub(crate) fn script(&self) -> Script {
        self.0.clone()
    }

    /// The reply of the first rule that holds, counting it down.
    pub(crate) fn reply(&mut self, provider: Provider, service: Service, model: &str, heard: &str) -> Option<Reply> {
        let rule = self
            .0
            .rules
            .iter_mut()
            .find(|rule| rule.times != Some(0) && rule.when.holds(provider, service, model, heard))?;
        if let Some(left) = &mut rule.times {
            *left -= 1;
        }
        Some(rule.reply.clone())
    }
}

/// Cuts a text into pieces of `words` words; joined again they are the same text.
pub(crate) fn pieces(text: &str, words: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut piece = String::new();
    let mut count = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        piece.push_str(word);
        count += 1;
        if count >= words.max(1) {
            out.push(std::mem::take(&mut piece));
            count = 0;
        }
    }
    if !piece.is_empty() {
        out.push(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_tried_in_order_and_run_out() {
        let text = r#"{"rules": [
            {"when": {"contains": "WEATHER"}, "reply": {"text": "Rain."}, "times": 1},
            {"when": {"service": "stt"}, "reply": {"text": "heard"}},
            {"when": {"provider": "gemini"}, "reply": {"text": "Gemini."}}
        ]}"#;
        let mut running = Running::new(serde_json::from_str(text).unwrap());
        let mut ask = |provider, service, heard| running.reply(provider, service, "m", heard).map(|reply| reply.text);
        let weather = "what is the weather";
        assert_eq!(ask(Provider::Gemini, Service::Llm, weather).as_deref(), Some("Rain."));
        assert_eq!(ask(Provider::Gemini, Service::Llm, weather).as_deref(), Some("Gemini."));
        assert_eq!(ask(Provider::Groq, Service::Llm, weather), None);
        assert_eq!(ask(Provider::Groq, Service::Stt, "").as_deref(), Some("heard"));
        assert_eq!(ask(Provider::Groq, Service::Tts, ""), None);
    }

    #[test]
    fn pieces_join_to_the_same_text() {
        let text = "One, two  three\nfour — café";
        assert_eq!(pieces(text, 1).concat(), text);
        assert_eq!(pieces(text, 2).len(), 4);
        assert!(pieces("", 1).is_empty());
    }
}
