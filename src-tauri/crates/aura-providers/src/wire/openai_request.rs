//! Encodes the request of a chat completion in OpenAI's format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::media;
use crate::types::{
    ChatRequest, ContentPart, ImageDetail, Message, ResponseFormat, Role, ServiceTier, Tool, ToolCall, ToolChoice,
};

/// The differences between servers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestDialect<'a> {
    /// `max_completion_tokens`, or `max_tokens` for servers that ignore the new name.
    pub(crate) max_tokens_field: &'a str,
    /// Whether usage must be requested.
    pub(crate) stream_options: bool,
    /// Whether it accepts `frequency_penalty` and `presence_penalty`. Groq documents that it does not.
    pub(crate) penalties: bool,
    /// Whether it reports log probabilities. Groq documents that it refuses to.
    pub(crate) logprobs: bool,
    /// Whether it accepts `top_k`, which is not part of OpenAI's API.
    pub(crate) top_k: bool,
    /// Its names of the service tiers; `None` when it has none.
    pub(crate) tiers: Option<TierNames>,
    /// The smallest useful token limit; a smaller one is raised.
    pub(crate) min_max_tokens: u32,
    /// The name of the connection, under which the caller's extra fields are kept.
    pub(crate) name: &'a str,
    /// Further fields: the reasoning effort, from the catalog or the caller.
    pub(crate) params: Option<&'a Map<String, Value>>,
}

/// The names of the service tiers in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TierNames {
    /// `auto`, `default`, `flex`, `priority`.
    Openai,
    /// `auto`, `on_demand`, `flex`, `performance`.
    Groq,
}

impl TierNames {
    fn name(self, tier: ServiceTier) -> &'static str {
        match (tier, self) {
            (ServiceTier::Auto, _) => "auto",
            (ServiceTier::Flex, _) => "flex",
            (ServiceTier::Standard, Self::Openai) => "default",
            (ServiceTier::Standard, Self::Groq) => "on_demand",
            (ServiceTier::Priority, Self::Openai) => "priority",
            (ServiceTier::Priority, Self::Groq) => "performance",
        }
    }
}

/// The body of `POST chat/completions`. Fields without a value are omitted, because some servers refuse null.
pub(crate) fn request(request: &ChatRequest, dialect: RequestDialect<'_>) -> Value {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(json!({ "role": "system", "content": request.system }));
    }
    messages.extend(request.messages.iter().map(|each| message(each, request.detail)));
    let mut body = json!({ "model": request.model, "messages": messages, "stream": true });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    set(dialect.max_tokens_field, request.max_tokens.map(|tokens| tokens.max(dialect.min_max_tokens).into()));
    set("stream_options", dialect.stream_options.then(|| json!({ "include_usage": true })));
    let sampling = &request.sampling;
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("stop", (!sampling.stop.is_empty()).then(|| json!(sampling.stop)));
    set("top_k", request.top_k.filter(|_| dialect.top_k).map(Value::from));
    let logprobs = request.logprobs.filter(|_| dialect.logprobs);
    set("logprobs", logprobs.map(|_| true.into()));
    set("top_logprobs", logprobs.filter(|alternatives| *alternatives > 0).map(Value::from));
    set("seed", sampling.seed.map(Value::from));
    set("user", request.user.as_deref().map(Value::from));
    set("service_tier", request.tier.zip(dialect.tiers).map(|(tier, tiers)| tiers.name(tier).into()));
    set("frequency_penalty", sampling.frequency_penalty.filter(|_| dialect.penalties).map(Value::from));
    set("presence_penalty", sampling.presence_penalty.filter(|_| dialect.penalties).map(Value::from));
    set("response_format", response_format(&request.format));
    if !request.tools.is_empty() {
        set("tools", Some(request.tools.iter().map(tool).collect()));
        set("tool_choice", tool_choice(&request.tool_choice));
        set("parallel_tool_calls", request.parallel_tool_calls.map(Value::from));
    }
    let extra = request.extra.get(dialect.name);
    for (name, value) in dialect.params.into_iter().flatten().chain(extra.into_iter().flatten()) {
        body[name] = value.clone();
    }
    body
}

fn message(message: &Message, detail: Option<ImageDetail>) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut out = json!({ "role": role });
    // Not every server accepts a list of parts for a message with text only.
    if message.images().next().is_none() {
        let text = message.text();
        if !text.is_empty() || message.tool_calls.is_empty() {
            out["content"] = json!(text);
        }
    } else {
        out["content"] = message.parts.iter().map(|each| part(each, detail)).collect();
    }
    if !message.tool_calls.is_empty() {
        out["tool_calls"] = message.tool_calls.iter().map(tool_call).collect();
    }
    if let Some(call) = &message.tool_call_id {
        out["tool_call_id"] = json!(call);
    }
    out
}

fn part(part: &ContentPart, detail: Option<ImageDetail>) -> Value {
    let image = match part {
        ContentPart::Text(text) => return json!({ "type": "text", "text": text }),
        ContentPart::Image(image) => image,
    };
    let mut image_url = json!({ "url": data_url(image) });
    if let Some(detail) = detail {
        image_url["detail"] = json!(match detail {
            ImageDetail::Auto => "auto",
            ImageDetail::Low => "low",
            ImageDetail::High => "high",
        });
    }
    json!({ "type": "image_url", "image_url": image_url })
}

/// An image as a data URL, which every server accepts; most local servers refuse web URLs.
fn data_url(image: &Bytes) -> String {
    format!("data:{};base64,{}", media::image_mime(image), STANDARD.encode(image))
}

fn tool_call(call: &ToolCall) -> Value {
    // The signature is Gemini's and is not sent, because other servers refuse unknown fields.
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } })
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({ "name": tool.name });
    if let Some(description) = &tool.description {
        function["description"] = json!(description);
    }
    if let Some(parameters) = &tool.parameters {
        function["parameters"] = parameters.clone();
    }
    if let Some(strict) = tool.strict {
        function["strict"] = json!(strict);
    }
    json!({ "type": "function", "function": function })
}

fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::Never => Some(json!("none")),
        ToolChoice::Required => Some(json!("required")),
        ToolChoice::Named(name) => Some(json!({ "type": "function", "function": { "name": name } })),
    }
}

fn response_format(format: &ResponseFormat) -> Option<Value> {
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::Json => Some(json!({ "type": "json_object" })),
        ResponseFormat::Schema { name, schema, strict } => {
            let mut schema = json!({ "name": name, "schema": schema });
            if let Some(strict) = strict {
                schema["strict"] = json!(strict);
            }
            Some(json!({ "type": "json_schema", "json_schema": schema }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Sampling;
    use crate::wire::recorded;

    const GROQ: RequestDialect<'_> = RequestDialect {
        max_tokens_field: "max_completion_tokens",
        stream_options: false,
        penalties: false,
        logprobs: false,
        top_k: false,
        tiers: Some(TierNames::Groq),
        min_max_tokens: 0,
        name: "groq",
        params: None,
    };

    fn question() -> ChatRequest {
        ChatRequest {
            model: "openai/gpt-oss-20b".into(),
            system: "You are AURA.".into(),
            messages: vec![Message::new(Role::User, "Say hello.")],
            max_tokens: Some(256),
            ..ChatRequest::default()
        }
    }

    #[test]
    fn the_request_is_the_recorded_one() {
        let params = json!({ "reasoning_effort": "low", "include_reasoning": false });
        let mut expected = recorded::json("groq_chat_request.json");
        let fields = expected.as_object_mut().unwrap();
        // Not sent: the provider's defaults apply.
        fields.remove("temperature");
        fields.remove("service_tier");
        assert_eq!(request(&question(), RequestDialect { params: params.as_object(), ..GROQ }), expected);
    }

    #[test]
    fn the_request_with_an_image_is_the_recorded_one() {
        let image = Bytes::from_static(b"\xff\xd8\xff\xe0\x00\x10JFIF");
        let chat_request = ChatRequest {
            model: "qwen/qwen3.8-27b".into(),
            messages: vec![Message::new(Role::User, "What is on this screen?").with_image(Some(image))],
            max_tokens: Some(512),
            ..ChatRequest::default()
        };
        let params = json!({ "reasoning_effort": "none" });
        let expected = recorded::json("groq_chat_request_vision.json");
        assert_eq!(request(&chat_request, RequestDialect { params: params.as_object(), ..GROQ }), expected);
    }

    #[test]
    fn images_stay_in_their_messages() {
        let mut chat_request = question();
        chat_request.messages.push(Message::new(Role::Assistant, "Hello."));
        let mut both = Message::new(Role::User, "This:").with_image(Some(Bytes::from_static(b"\x89PNG")));
        both.parts.push(ContentPart::Text("and this:".into()));
        chat_request.messages.push(both.with_image(Some(Bytes::from_static(b"RIFF\0\0\0\0WEBP"))));
        chat_request.max_tokens = None;
        let dialect = RequestDialect { stream_options: true, ..GROQ };
        let body = request(&chat_request, dialect);
        assert_eq!(body["messages"][1]["content"], "Say hello.");
        let parts = &body["messages"][3]["content"];
        assert_eq!(parts[1]["image_url"]["url"], "data:image/png;base64,iVBORw==");
        assert_eq!(parts[2]["text"], "and this:");
        assert_eq!(parts[3]["image_url"]["url"], "data:image/webp;base64,UklGRgAAAABXRUJQ");
        assert_eq!(body["stream_options"], json!({ "include_usage": true }));
        assert!(body.get("max_completion_tokens").is_none(), "without a limit there is no field");
    }

    #[test]
    fn tools_and_their_results_are_the_recorded_ones() {
        let call = ToolCall {
            id: "call_1".into(),
            name: "open_app".into(),
            arguments: r#"{"name":"Notes"}"#.into(),
            signature: Some("for Gemini alone".into()),
        };
        let called = Message { tool_calls: vec![call], parts: Vec::new(), ..Message::new(Role::Assistant, "") };
        let result = Message { tool_call_id: Some("call_1".into()), ..Message::new(Role::Tool, "{\"opened\":true}") };
        let chat_request = ChatRequest {
            messages: vec![
                Message::new(Role::System, "Use the tools."),
                Message::new(Role::User, "Open Notes."),
                called,
                result,
            ],
            tools: vec![Tool {
                name: "open_app".into(),
                description: Some("Opens an application.".into()),
                parameters: Some(json!({
                    "type": "object",
                    "properties": { "name": { "type": "string" } },
                    "required": ["name"],
                })),
                strict: None,
            }],
            tool_choice: ToolChoice::Named("open_app".into()),
            parallel_tool_calls: Some(false),
            ..question()
        };
        assert_eq!(request(&chat_request, GROQ), recorded::json("groq_chat_request_tools.json"));
        let choice =
            |tool_choice| request(&ChatRequest { tool_choice, ..chat_request.clone() }, GROQ)["tool_choice"].clone();
        assert_eq!(choice(ToolChoice::Auto), Value::Null);
        assert_eq!(choice(ToolChoice::Required), "required");
        assert_eq!(choice(ToolChoice::Never), "none");
    }

    #[test]
    fn options_are_sent_unless_the_server_does_not_accept_them() {
        let sampling = Sampling {
            temperature: Some(0.7),
            top_p: Some(0.9),
            stop: vec!["END".into()],
            seed: Some(7),
            frequency_penalty: Some(0.5),
            presence_penalty: Some(-0.5),
        };
        let schema = json!({ "type": "object", "properties": { "answer": { "type": "string" } } });
        let format = ResponseFormat::Schema { name: "reply".into(), schema: schema.clone(), strict: Some(true) };
        let chat_request = ChatRequest { sampling, format, ..question() };
        let body = request(&chat_request, RequestDialect { penalties: true, ..GROQ });
        assert!(body["logprobs"].is_null());
        let with_logprobs = ChatRequest { logprobs: Some(2), ..chat_request.clone() };
        let body_with_logprobs = request(&with_logprobs, RequestDialect { logprobs: true, ..GROQ });
        assert_eq!((&body_with_logprobs["logprobs"], &body_with_logprobs["top_logprobs"]), (&json!(true), &json!(2)));
        assert!(request(&with_logprobs, GROQ)["logprobs"].is_null(), "Groq refuses them");
        let expected = json!({
            "temperature": 0.7, "top_p": 0.9, "stop": ["END"], "seed": 7,
            "frequency_penalty": 0.5, "presence_penalty": -0.5,
            "response_format":
                { "type": "json_schema", "json_schema": { "name": "reply", "schema": schema, "strict": true } },
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&body[name], value, "{name}");
        }
        let groq = request(&chat_request, GROQ);
        assert!(groq.get("frequency_penalty").is_none() && groq.get("presence_penalty").is_none());
        let plain = request(&question(), GROQ);
        assert_eq!(plain.as_object().unwrap().len(), 4, "only requested fields: {plain}");
        let json = ChatRequest { format: ResponseFormat::Json, ..question() };
        assert_eq!(request(&json, GROQ)["response_format"], json!({ "type": "json_object" }));
    }
}
