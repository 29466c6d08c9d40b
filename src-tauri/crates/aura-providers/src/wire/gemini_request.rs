//! Encodes the request of Gemini's `generateContent`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::catalog;
use crate::media::image_mime;
use crate::types::{
    ChatRequest, ContentPart, ImageDetail, Message, ResponseFormat, Role, SafetyLevel, ServiceTier, Tool, ToolCall,
    ToolChoice,
};

/// The harm categories whose threshold can be set.
const CATEGORIES: [&str; 4] = [
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
];

/// The thought signature for a tool call that another provider's model made. Google documents it for that purpose.
const FOREIGN_SIGNATURE: &str = "skip_thought_signature_validator";

/// The body of a chat request. `params` is added to `generationConfig`: the reasoning effort, from the catalog or the caller.
pub(crate) fn request(request: &ChatRequest, params: Option<&Map<String, Value>>) -> Value {
    let threshold = threshold(request.safety);
    let safety: Vec<Value> =
        CATEGORIES.iter().map(|category| json!({ "category": category, "threshold": threshold })).collect();
    let mut config = json!({});
    if let Some(most) = request.max_tokens {
        config["maxOutputTokens"] = json!(most);
    }
    sample(&mut config, request);
    if let Some(resolution) = resolution(request.detail) {
        config["mediaResolution"] = json!(resolution);
    }
    match &request.format {
        ResponseFormat::Text => {}
        ResponseFormat::Json => config["responseMimeType"] = json!("application/json"),
        ResponseFormat::Schema { schema, .. } => {
            config["responseMimeType"] = json!("application/json");
            config["responseJsonSchema"] = schema.clone();
        }
    }
    configure(&mut config, params);
    let mut body =
        json!({ "contents": contents(&request.messages), "generationConfig": config, "safetySettings": safety });
    let system = system(request);
    if !system.is_empty() {
        body["systemInstruction"] = json!({ "parts": [{ "text": system }] });
    }
    if !request.tools.is_empty() {
        let declarations: Vec<Value> = request.tools.iter().map(declaration).collect();
        body["tools"] = json!([{ "functionDeclarations": declarations }]);
        if let Some(calling) = calling(&request.tool_choice) {
            body["toolConfig"] = json!({ "functionCallingConfig": calling });
        }
    }
    if let Some(tier) = tier(request.tier) {
        body["serviceTier"] = json!(tier);
    }
    merge(&mut body, request.extra.get("gemini"));
    body
}

/// Adds the caller's extra fields. Fields of an object are merged into an existing object such as `generationConfig`.
fn merge(body: &mut Value, extra: Option<&Map<String, Value>>) {
    for (name, value) in extra.into_iter().flatten() {
        match (&mut body[name], value) {
            (Value::Object(existing), Value::Object(added)) => existing.extend(added.clone()),
            (place, value) => *place = value.clone(),
        }
    }
}

/// The blocking threshold. By default only very probable harm is blocked: a screen is full of words that look harmful.
fn threshold(safety: Option<SafetyLevel>) -> &'static str {
    match safety {
        Some(SafetyLevel::Off) => "OFF",
        None | Some(SafetyLevel::Low) => "BLOCK_ONLY_HIGH",
        Some(SafetyLevel::Medium) => "BLOCK_MEDIUM_AND_ABOVE",
        Some(SafetyLevel::High) => "BLOCK_LOW_AND_ABOVE",
    }
}

fn resolution(detail: Option<ImageDetail>) -> Option<&'static str> {
    match detail? {
        ImageDetail::Auto => None,
        ImageDetail::Low => Some("MEDIA_RESOLUTION_LOW"),
        ImageDetail::High => Some("MEDIA_RESOLUTION_HIGH"),
    }
}

fn tier(tier: Option<ServiceTier>) -> Option<&'static str> {
    match tier? {
        ServiceTier::Auto => None,
        ServiceTier::Standard => Some("standard"),
        ServiceTier::Flex => Some("flex"),
        ServiceTier::Priority => Some("priority"),
    }
}

/// The system instruction. Gemini accepts no system messages inside a conversation, so they are added here.
fn system(request: &ChatRequest) -> String {
    let messages = request.messages.iter().filter(|message| message.role == Role::System);
    let mut all = vec![request.system.clone()];
    all.extend(messages.map(|message| message.text().into_owned()));
    all.retain(|text| !text.is_empty());
    all.join("\n\n")
}

/// The conversation. The results of tool calls that were made together go into one turn.
fn contents(messages: &[Message]) -> Vec<Value> {
    let mut contents: Vec<Value> = Vec::with_capacity(messages.len());
    let mut after_result = false;
    for message in messages.iter().filter(|message| message.role != Role::System) {
        let is_result = message.role == Role::Tool;
        let parts = if is_result { vec![result(messages, message)] } else { self::parts(message) };
        if parts.is_empty() {
            continue; // Gemini refuses a turn without parts
        }
        match contents.last_mut().and_then(|last| last["parts"].as_array_mut()) {
            Some(last) if is_result && after_result => last.extend(parts),
            _ => {
                let role = if message.role == Role::Assistant { "model" } else { "user" };
                contents.push(json!({ "role": role, "parts": parts }));
            }
        }
        after_result = is_result;
    }
    contents
}

/// The parts of a message. Of one text and one image, the image goes first, as Google recommends.
fn parts(message: &Message) -> Vec<Value> {
    let mut parts: Vec<Value> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            ContentPart::Text(text) if text.is_empty() => None,
            ContentPart::Text(text) => Some(json!({ "text": text })),
            ContentPart::Image(image) => Some(inline(image_mime(image), image)),
        })
        .collect();
    if let [ContentPart::Text(_), ContentPart::Image(_)] = message.parts.as_slice() {
        parts.reverse();
    }
    parts.extend(message.tool_calls.iter().enumerate().map(|(at, call)| function_call(call, at == 0)));
    parts
}

fn function_call(call: &ToolCall, first: bool) -> Value {
    let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    let mut part = json!({ "functionCall": { "id": call.id, "name": call.name, "args": args } });
    // Of tool calls made together, only the first one carries a signature.
    if let Some(signature) = call.signature.as_deref().or(first.then_some(FOREIGN_SIGNATURE)) {
        part["thoughtSignature"] = json!(signature);
    }
    part
}

/// The result of a tool call. Gemini requires the tool's name, which is in the message with the call.
fn result(messages: &[Message], message: &Message) -> Value {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    let called = messages.iter().flat_map(|message| &message.tool_calls).find(|call| call.id == id);
    let text = message.text();
    let response = match serde_json::from_str(&text) {
        Ok(Value::Object(fields)) => Value::Object(fields),
        _ => json!({ "output": text }),
    };
    let name = called.map_or(id, |call| call.name.as_str());
    json!({ "functionResponse": { "id": id, "name": name, "response": response } })
}

/// The declaration of a tool.
fn declaration(tool: &Tool) -> Value {
    let mut declaration = json!({ "name": tool.name });
    if let Some(description) = &tool.description {
        declaration["description"] = json!(description);
    }
    if let Some(parameters) = &tool.parameters {
        declaration["parametersJsonSchema"] = parameters.clone();
    }
    declaration
}

fn calling(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::Never => Some(json!({ "mode": "NONE" })),
        ToolChoice::Required => Some(json!({ "mode": "ANY" })),
        ToolChoice::Named(name) => Some(json!({ "mode": "ANY", "allowedFunctionNames": [name] })),
    }
}

/// Adds the sampling options.
fn sample(config: &mut Value, request: &ChatRequest) {
    let sampling = &request.sampling;
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config[name] = value;
        }
    };
    // Google documents that models from generation 3 on ignore these three, and that later ones will refuse them.
    let model = catalog::bare_id(&request.model);
    let is_accepted = model.starts_with("gemini-1") || model.starts_with("gemini-2");
    set("temperature", sampling.temperature.filter(|_| is_accepted).map(Value::from));
    set("topP", sampling.top_p.filter(|_| is_accepted).map(Value::from));
    set("topK", request.top_k.filter(|_| is_accepted).map(Value::from));
    set("stopSequences", (!sampling.stop.is_empty()).then(|| json!(sampling.stop)));
    set("seed", sampling.seed.map(Value::from));
    set("frequencyPenalty", sampling.frequency_penalty.map(Value::from));
    set("presencePenalty", sampling.presence_penalty.map(Value::from));
}

/// Adds the parameters of the catalog.
pub(super) fn configure(config: &mut Value, params: Option<&Map<String, Value>>) {
    for (name, value) in params.into_iter().flatten() {
        config[name] = value.clone();
    }
}

/// A part with inline data.
pub(super) fn inline(mime: &str, bytes: &[u8]) -> Value {
    json!({ "inlineData": { "mimeType": mime, "data": STANDARD.encode(bytes) } })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::types::Sampling;
    use crate::wire::recorded;

    fn chat_request() -> ChatRequest {
        ChatRequest {
            system: "You are AURA.".into(),
            messages: vec![
                Message::new(Role::User, "What is on this screen?"),
                Message::new(Role::Assistant, "A settings window."),
                Message::new(Role::User, "Which tab is open?"),
            ],
            max_tokens: Some(1024),
            ..ChatRequest::default()
        }
    }

    #[test]
    fn the_request_is_the_recorded_one() {
        let params = json!({ "thinkingConfig": { "thinkingLevel": "low", "includeThoughts": false } });
        let image = Bytes::from_static(b"\xff\xd8\xff\xe0\x00\x10JFIF");
        let mut chat_request = chat_request();
        chat_request.messages[0] = Message::new(Role::User, "What is on this screen?").with_image(Some(image));
        assert_eq!(request(&chat_request, params.as_object()), recorded::json("gemini_generate_request.json"));
    }

    #[test]
    fn tools_and_their_results_are_the_recorded_ones() {
        let call = |id: &str, name: &str, signature: Option<&str>| ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: r#"{"name":"Notes"}"#.into(),
            signature: signature.map(Into::into),
        };
        let result = |id: &str, text: &str| Message { tool_call_id: Some(id.into()), ..Message::new(Role::Tool, text) };
        let calls = vec![call("call_1", "open_app", Some("b3BhcXVl")), call("call_2", "focus_app", None)];
        let foreign = vec![call("call_3", "open_app", None)];
        let chat_request = ChatRequest {
            messages: vec![
                Message::new(Role::System, "Use the tools."),
                Message::new(Role::User, "Open Notes."),
                Message { tool_calls: calls, parts: Vec::new(), ..Message::new(Role::Assistant, "") },
                result("call_1", r#"{"opened":true}"#),
                result("call_2", "done"),
                Message::new(Role::Assistant, "It is open."),
                Message::new(Role::User, "Again."),
                Message { tool_calls: foreign, ..Message::new(Role::Assistant, "Once more.") },
                result("call_3", "[1]"),
            ],
            tools: vec![Tool {
                name: "open_app".into(),
                description: Some("Opens an application.".into()),
                parameters: Some(json!({
                    "type": "object",
                    "properties": { "name": { "type": "string" } },
                    "required": ["name"],
                    "additionalProperties": false,
                })),
                strict: Some(true),
            }],
            tool_choice: ToolChoice::Named("open_app".into()),
            ..chat_request()
        };
        assert_eq!(request(&chat_request, None), recorded::json("gemini_generate_request_tools.json"));
        let calling =
            |tool_choice| request(&ChatRequest { tool_choice, ..chat_request.clone() }, None)["toolConfig"].clone();
        assert_eq!(calling(ToolChoice::Auto), Value::Null);
        assert_eq!(calling(ToolChoice::Required)["functionCallingConfig"], json!({ "mode": "ANY" }));
        assert_eq!(calling(ToolChoice::Never)["functionCallingConfig"], json!({ "mode": "NONE" }));
    }

    #[test]
    fn options_are_sent_to_models_that_accept_them() {
        let sampling = Sampling {
            temperature: Some(0.7),
            top_p: Some(0.9),
            stop: vec!["END".into()],
            seed: Some(7),
            frequency_penalty: Some(0.5),
            presence_penalty: Some(-0.5),
        };
        let schema = json!({ "type": "object" });
        let format = ResponseFormat::Schema { name: "reply".into(), schema: schema.clone(), strict: None };
        let config = |model: &str| {
            let chat_request = ChatRequest {
                model: model.into(),
                sampling: sampling.clone(),
                format: format.clone(),
                max_tokens: None,
                ..chat_request()
            };
            request(&chat_request, None)["generationConfig"].clone()
        };
        let mut expected = json!({
            "temperature": 0.7, "topP": 0.9, "stopSequences": ["END"], "seed": 7, "frequencyPenalty": 0.5,
            "presencePenalty": -0.5, "responseMimeType": "application/json", "responseJsonSchema": schema,
        });
        assert_eq!(config("gemini-2.5-flash-lite"), expected);
        let fields = expected.as_object_mut().unwrap();
        fields.remove("temperature");
        fields.remove("topP");
        assert_eq!(config("models/gemini-3.5-flash-lite"), expected);
        assert_eq!(config("gemini-flash-latest"), expected);
    }
}
