//! The request of a chat completion in OpenAI's dialect.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::providers::{AnswerFormat, ChatRequest, Detail, Message, Part, Role, Tier, Tool, ToolCall, ToolChoice};

/// What differs from server to server.
#[derive(Debug, Clone, Copy)]
pub(in crate::providers) struct Shape<'a> {
    /// `max_completion_tokens`, or `max_tokens` for servers that ignore the new name.
    pub(in crate::providers) max_tokens_field: &'a str,
    /// Whether usage must be asked for.
    pub(in crate::providers) stream_options: bool,
    /// Whether it takes `frequency_penalty` and `presence_penalty`. Groq documents that it does not.
    pub(in crate::providers) penalties: bool,
    /// Whether it takes `top_k`, which is not OpenAI's.
    pub(in crate::providers) top_k: bool,
    /// What it calls the ways of being served; none: it sells none.
    pub(in crate::providers) tiers: Option<Tiers>,
    /// The least room for an answer, tokens.
    pub(in crate::providers) least_room: u32,
    /// Under which name the caller's own fields for it are kept.
    pub(in crate::providers) name: &'a str,
    /// More fields, from the catalog: how much the model should reason.
    pub(in crate::providers) params: Option<&'a Map<String, Value>>,
}

/// Whose words for the ways of being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::providers) enum Tiers {
    /// `auto`, `default`, `flex`, `priority`.
    Openai,
    /// `auto`, `on_demand`, `flex`, `performance`.
    Groq,
}

impl Tiers {
    fn word(self, tier: Tier) -> &'static str {
        match (tier, self) {
            (Tier::Auto, _) => "auto",
            (Tier::Flex, _) => "flex",
            (Tier::Standard, Self::Openai) => "default",
            (Tier::Standard, Self::Groq) => "on_demand",
            (Tier::Priority, Self::Openai) => "priority",
            (Tier::Priority, Self::Groq) => "performance",
        }
    }
}

/// The body of `POST chat/completions`. Fields that would be null are left out: some servers refuse them.
pub(in crate::providers) fn request(request: &ChatRequest, shape: Shape<'_>) -> Value {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(json!({ "role": "system", "content": request.system }));
    }
    messages.extend(request.messages.iter().map(|said| message(said, request.detail)));
    let mut body = json!({ "model": request.model, "messages": messages, "stream": true });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    set(shape.max_tokens_field, request.max_tokens.map(|most| most.max(shape.least_room).into()));
    set("stream_options", shape.stream_options.then(|| json!({ "include_usage": true })));
    let sampling = &request.sampling;
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("stop", (!sampling.stop.is_empty()).then(|| json!(sampling.stop)));
    set("top_k", request.top_k.filter(|_| shape.top_k).map(Value::from));
    set("seed", sampling.seed.map(Value::from));
    set("user", request.user.as_deref().map(Value::from));
    set("service_tier", request.tier.zip(shape.tiers).map(|(tier, tiers)| tiers.word(tier).into()));
    set("frequency_penalty", sampling.frequency_penalty.filter(|_| shape.penalties).map(Value::from));
    set("presence_penalty", sampling.presence_penalty.filter(|_| shape.penalties).map(Value::from));
    set("response_format", response_format(&request.format));
    if !request.tools.is_empty() {
        set("tools", Some(request.tools.iter().map(tool).collect()));
        set("tool_choice", tool_choice(&request.tool_choice));
        set("parallel_tool_calls", request.parallel_calls.map(Value::from));
    }
    let own = request.extra.get(shape.name);
    for (name, value) in shape.params.into_iter().flatten().chain(own.into_iter().flatten()) {
        body[name] = value.clone();
    }
    body
}

fn message(message: &Message, detail: Option<Detail>) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut out = json!({ "role": role });
    // Not every server takes parts where there are only words.
    if message.images().next().is_none() {
        let text = message.text();
        if !text.is_empty() || message.calls.is_empty() {
            out["content"] = json!(text);
        }
    } else {
        out["content"] = message.parts.iter().map(|shown| part(shown, detail)).collect();
    }
    if !message.calls.is_empty() {
        out["tool_calls"] = message.calls.iter().map(tool_call).collect();
    }
    if let Some(call) = &message.answers {
        out["tool_call_id"] = json!(call);
    }
    out
}

fn part(part: &Part, detail: Option<Detail>) -> Value {
    let image = match part {
        Part::Text(text) => return json!({ "type": "text", "text": text }),
        Part::Image(image) => image,
    };
    let mut shown = json!({ "url": data_url(image) });
    if let Some(detail) = detail {
        shown["detail"] = json!(match detail {
            Detail::Auto => "auto",
            Detail::Low => "low",
            Detail::High => "high",
        });
    }
    json!({ "type": "image_url", "image_url": shown })
}

/// A picture as every server takes it; a web address is refused by most local ones.
fn data_url(image: &Bytes) -> String {
    format!("data:{};base64,{}", image_type(image), STANDARD.encode(image))
}

/// The media type of a picture.
pub(in crate::providers) fn image_type(image: &[u8]) -> &'static str {
    match image {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "image/jpeg",
    }
}

fn tool_call(call: &ToolCall) -> Value {
    // The signature stays here: it is Gemini's, and other servers refuse fields that they do not know.
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

fn response_format(format: &AnswerFormat) -> Option<Value> {
    match format {
        AnswerFormat::Text => None,
        AnswerFormat::Json => Some(json!({ "type": "json_object" })),
        AnswerFormat::Schema { name, schema, strict } => {
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
    use crate::providers::Sampling;
    use crate::providers::wire::recorded;

    const GROQ: Shape<'_> = Shape {
        max_tokens_field: "max_completion_tokens",
        stream_options: false,
        penalties: false,
        top_k: false,
        tiers: Some(Tiers::Groq),
        least_room: 0,
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
        // Not sent: the provider's own defaults are what AURA wants.
        fields.remove("temperature");
        fields.remove("service_tier");
        assert_eq!(request(&question(), Shape { params: params.as_object(), ..GROQ }), expected);
    }

    #[test]
    fn the_request_with_a_picture_is_the_recorded_one() {
        let image = Bytes::from_static(b"\xff\xd8\xff\xe0\x00\x10JFIF");
        let asked = ChatRequest {
            model: "qwen/qwen3.8-27b".into(),
            messages: vec![Message::new(Role::User, "What is on this screen?").showing(Some(image))],
            max_tokens: Some(512),
            ..ChatRequest::default()
        };
        let params = json!({ "reasoning_effort": "none" });
        let expected = recorded::json("groq_chat_request_vision.json");
        assert_eq!(request(&asked, Shape { params: params.as_object(), ..GROQ }), expected);
    }

    #[test]
    fn pictures_stay_where_they_were_shown() {
        let mut asked = question();
        asked.messages.push(Message::new(Role::Assistant, "Hello."));
        let mut both = Message::new(Role::User, "This:").showing(Some(Bytes::from_static(b"\x89PNG")));
        both.parts.push(Part::Text("and this:".into()));
        asked.messages.push(both.showing(Some(Bytes::from_static(b"RIFF\0\0\0\0WEBP"))));
        asked.max_tokens = None;
        let shape = Shape { stream_options: true, ..GROQ };
        let body = request(&asked, shape);
        assert_eq!(body["messages"][1]["content"], "Say hello.");
        let parts = &body["messages"][3]["content"];
        assert_eq!(parts[1]["image_url"]["url"], "data:image/png;base64,iVBORw==");
        assert_eq!(parts[2]["text"], "and this:");
        assert_eq!(parts[3]["image_url"]["url"], "data:image/webp;base64,UklGRgAAAABXRUJQ");
        assert_eq!(body["stream_options"], json!({ "include_usage": true }));
        assert!(body.get("max_completion_tokens").is_none(), "no limit is no field");
    }

    #[test]
    fn tools_and_their_results_are_the_recorded_ones() {
        let call = ToolCall {
            id: "call_1".into(),
            name: "open_app".into(),
            arguments: r#"{"name":"Notes"}"#.into(),
            signature: Some("for Gemini alone".into()),
        };
        let called = Message { calls: vec![call], parts: Vec::new(), ..Message::new(Role::Assistant, "") };
        let result = Message { answers: Some("call_1".into()), ..Message::new(Role::Tool, "{\"opened\":true}") };
        let asked = ChatRequest {
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
            parallel_calls: Some(false),
            ..question()
        };
        assert_eq!(request(&asked, GROQ), recorded::json("groq_chat_request_tools.json"));
        let choice = |tool_choice| request(&ChatRequest { tool_choice, ..asked.clone() }, GROQ)["tool_choice"].clone();
        assert_eq!(choice(ToolChoice::Auto), Value::Null);
        assert_eq!(choice(ToolChoice::Required), "required");
        assert_eq!(choice(ToolChoice::Never), "none");
    }

    #[test]
    fn options_are_sent_as_they_are_but_for_what_the_server_does_not_take() {
        let sampling = Sampling {
            temperature: Some(0.7),
            top_p: Some(0.9),
            stop: vec!["END".into()],
            seed: Some(7),
            frequency_penalty: Some(0.5),
            presence_penalty: Some(-0.5),
        };
        let schema = json!({ "type": "object", "properties": { "answer": { "type": "string" } } });
        let format = AnswerFormat::Schema { name: "reply".into(), schema: schema.clone(), strict: Some(true) };
        let asked = ChatRequest { sampling, format, ..question() };
        let body = request(&asked, Shape { penalties: true, ..GROQ });
        let expected = json!({
            "temperature": 0.7, "top_p": 0.9, "stop": ["END"], "seed": 7,
            "frequency_penalty": 0.5, "presence_penalty": -0.5,
            "response_format":
                { "type": "json_schema", "json_schema": { "name": "reply", "schema": schema, "strict": true } },
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&body[name], value, "{name}");
        }
        let groq = request(&asked, GROQ);
        assert!(groq.get("frequency_penalty").is_none() && groq.get("presence_penalty").is_none());
        let plain = request(&question(), GROQ);
        assert_eq!(plain.as_object().unwrap().len(), 4, "nothing that was not asked for: {plain}");
        let json = ChatRequest { format: AnswerFormat::Json, ..question() };
        assert_eq!(request(&json, GROQ)["response_format"], json!({ "type": "json_object" }));
    }
}
