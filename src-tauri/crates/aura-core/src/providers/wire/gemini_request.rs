//! The request of Gemini's `generateContent`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::openai_request::image_type;
use crate::catalog;
use crate::providers::{
    AnswerFormat, ChatRequest, Detail, Message, Part, Role, Safety, Tier, Tool, ToolCall, ToolChoice,
};

/// The categories that can be set. Only what is surely harmful is blocked: a desktop is full of words that look so.
const CATEGORIES: [&str; 4] = [
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
];

/// Stands for the signature of a call that another provider's model made. Google documents it for exactly that.
const FOREIGN_CALL: &str = "skip_thought_signature_validator";

/// The body of a question. `params` goes into `generationConfig`: how much the model should think, from the catalog.
pub(in crate::providers) fn request(request: &ChatRequest, params: Option<&Map<String, Value>>) -> Value {
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
        AnswerFormat::Text => {}
        AnswerFormat::Json => config["responseMimeType"] = json!("application/json"),
        AnswerFormat::Schema { schema, .. } => {
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

/// Adds the caller's own fields. Those of an object are added to it: `generationConfig` stays what it is otherwise.
fn merge(body: &mut Value, own: Option<&Map<String, Value>>) {
    for (name, value) in own.into_iter().flatten() {
        match (&mut body[name], value) {
            (Value::Object(there), Value::Object(more)) => there.extend(more.clone()),
            (place, value) => *place = value.clone(),
        }
    }
}

fn threshold(safety: Option<Safety>) -> &'static str {
    match safety {
        Some(Safety::Off) => "OFF",
        None | Some(Safety::Low) => "BLOCK_ONLY_HIGH",
        Some(Safety::Medium) => "BLOCK_MEDIUM_AND_ABOVE",
        Some(Safety::High) => "BLOCK_LOW_AND_ABOVE",
    }
}

fn resolution(detail: Option<Detail>) -> Option<&'static str> {
    match detail? {
        Detail::Auto => None,
        Detail::Low => Some("MEDIA_RESOLUTION_LOW"),
        Detail::High => Some("MEDIA_RESOLUTION_HIGH"),
    }
}

fn tier(tier: Option<Tier>) -> Option<&'static str> {
    match tier? {
        Tier::Auto => None,
        Tier::Standard => Some("standard"),
        Tier::Flex => Some("flex"),
        Tier::Priority => Some("priority"),
    }
}

/// What it is told before the conversation. Gemini knows no such words in the middle of one: they come here as well.
fn system(request: &ChatRequest) -> String {
    let told = request.messages.iter().filter(|message| message.role == Role::System);
    let mut all = vec![request.system.clone()];
    all.extend(told.map(|message| message.text().into_owned()));
    all.retain(|text| !text.is_empty());
    all.join("\n\n")
}

/// The conversation as turns of two. The results of calls that were made together belong into one turn.
fn contents(messages: &[Message]) -> Vec<Value> {
    let mut contents: Vec<Value> = Vec::with_capacity(messages.len());
    let mut after_result = false;
    for message in messages.iter().filter(|message| message.role != Role::System) {
        let is_result = message.role == Role::Tool;
        let parts = if is_result { vec![result(messages, message)] } else { said(message) };
        if parts.is_empty() {
            continue; // Gemini takes no turn without a part
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

/// The parts of a message: its pictures first, as Google advises for one picture and a question, unless words come in between.
fn said(message: &Message) -> Vec<Value> {
    let mut parts: Vec<Value> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) if text.is_empty() => None,
            Part::Text(text) => Some(json!({ "text": text })),
            Part::Image(image) => Some(inline(image_type(image), image)),
        })
        .collect();
    if let [Part::Text(_), Part::Image(_)] = message.parts.as_slice() {
        parts.reverse();
    }
    parts.extend(message.calls.iter().enumerate().map(|(at, call)| function_call(call, at == 0)));
    parts
}

fn function_call(call: &ToolCall, first: bool) -> Value {
    let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    let mut part = json!({ "functionCall": { "id": call.id, "name": call.name, "args": args } });
    // Of calls made together only the first is signed.
    if let Some(signature) = call.signature.as_deref().or(first.then_some(FOREIGN_CALL)) {
        part["thoughtSignature"] = json!(signature);
    }
    part
}

/// The result of a call. Gemini wants the tool's name as well, which is told where it was called.
fn result(messages: &[Message], message: &Message) -> Value {
    let id = message.answers.as_deref().unwrap_or_default();
    let called = messages.iter().flat_map(|message| &message.calls).find(|call| call.id == id);
    let text = message.text();
    let response = match serde_json::from_str(&text) {
        Ok(Value::Object(fields)) => Value::Object(fields),
        _ => json!({ "output": text }),
    };
    let name = called.map_or(id, |call| call.name.as_str());
    json!({ "functionResponse": { "id": id, "name": name, "response": response } })
}

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

fn sample(config: &mut Value, request: &ChatRequest) {
    let sampling = &request.sampling;
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config[name] = value;
        }
    };
    // Google documents that models from the third generation on ignore these three, and that later ones will refuse them.
    let model = catalog::plain(&request.model);
    let takes = model.starts_with("gemini-1") || model.starts_with("gemini-2");
    set("temperature", sampling.temperature.filter(|_| takes).map(Value::from));
    set("topP", sampling.top_p.filter(|_| takes).map(Value::from));
    set("topK", request.top_k.filter(|_| takes).map(Value::from));
    set("stopSequences", (!sampling.stop.is_empty()).then(|| json!(sampling.stop)));
    set("seed", sampling.seed.map(Value::from));
    set("frequencyPenalty", sampling.frequency_penalty.map(Value::from));
    set("presencePenalty", sampling.presence_penalty.map(Value::from));
}

/// Adds the catalog's parameters.
pub(super) fn configure(config: &mut Value, params: Option<&Map<String, Value>>) {
    for (name, value) in params.into_iter().flatten() {
        config[name] = value.clone();
    }
}

/// Data in a part.
pub(super) fn inline(mime: &str, bytes: &[u8]) -> Value {
    json!({ "inlineData": { "mimeType": mime, "data": STANDARD.encode(bytes) } })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::providers::Sampling;
    use crate::providers::wire::recorded;

    fn asked() -> ChatRequest {
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
        let mut asked = asked();
        asked.messages[0] = Message::new(Role::User, "What is on this screen?").showing(Some(image));
        assert_eq!(request(&asked, params.as_object()), recorded::json("gemini_generate_request.json"));
    }

    #[test]
    fn tools_and_their_results_are_the_recorded_ones() {
        let call = |id: &str, name: &str, signature: Option<&str>| ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: r#"{"name":"Notes"}"#.into(),
            signature: signature.map(Into::into),
        };
        let result = |id: &str, text: &str| Message { answers: Some(id.into()), ..Message::new(Role::Tool, text) };
        let calls = vec![call("call_1", "open_app", Some("b3BhcXVl")), call("call_2", "focus_app", None)];
        let foreign = vec![call("call_3", "open_app", None)];
        let asked = ChatRequest {
            messages: vec![
                Message::new(Role::System, "Use the tools."),
                Message::new(Role::User, "Open Notes."),
                Message { calls, parts: Vec::new(), ..Message::new(Role::Assistant, "") },
                result("call_1", r#"{"opened":true}"#),
                result("call_2", "done"),
                Message::new(Role::Assistant, "It is open."),
                Message::new(Role::User, "Again."),
                Message { calls: foreign, ..Message::new(Role::Assistant, "Once more.") },
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
            ..asked()
        };
        assert_eq!(request(&asked, None), recorded::json("gemini_generate_request_tools.json"));
        let calling = |tool_choice| request(&ChatRequest { tool_choice, ..asked.clone() }, None)["toolConfig"].clone();
        assert_eq!(calling(ToolChoice::Auto), Value::Null);
        assert_eq!(calling(ToolChoice::Required)["functionCallingConfig"], json!({ "mode": "ANY" }));
        assert_eq!(calling(ToolChoice::Never)["functionCallingConfig"], json!({ "mode": "NONE" }));
    }

    #[test]
    fn options_are_sent_to_the_models_that_take_them() {
        let sampling = Sampling {
            temperature: Some(0.7),
            top_p: Some(0.9),
            stop: vec!["END".into()],
            seed: Some(7),
            frequency_penalty: Some(0.5),
            presence_penalty: Some(-0.5),
        };
        let schema = json!({ "type": "object" });
        let format = AnswerFormat::Schema { name: "reply".into(), schema: schema.clone(), strict: None };
        let config = |model: &str| {
            let asked = ChatRequest {
                model: model.into(),
                sampling: sampling.clone(),
                format: format.clone(),
                max_tokens: None,
                ..asked()
            };
            request(&asked, None)["generationConfig"].clone()
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
