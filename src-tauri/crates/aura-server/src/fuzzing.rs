//! Reads arbitrary bytes as requests for answers in every format of the local API, for the property tests and the fuzz targets.
//!
//! No reader may panic. Pictures, which have a limit of their own, are a part of the bytes, and need a model that sees.

use aura_providers::{ChatRequest, Service};

use crate::anthropic::MessagesBody;
use crate::openai::ChatBody;
use crate::openai::responses::{self, ResponsesBody};
use crate::token_count;

/// Reads a request for a chat completion.
pub fn chat_requests(bytes: &[u8]) {
    let Ok(body) = serde_json::from_slice::<ChatBody>(bytes) else { return };
    check(bytes, body.service(), body.image_length(), body.into_request().ok());
}

/// Reads a request for a response.
pub fn response_requests(bytes: &[u8]) {
    let Ok(body) = serde_json::from_slice::<ResponsesBody>(bytes) else { return };
    check(bytes, body.service(), body.image_length(), responses::converted(body).ok().map(|(_, request)| request));
}

/// Reads a request for a message.
pub fn message_requests(bytes: &[u8]) {
    let Ok(body) = serde_json::from_slice::<MessagesBody>(bytes) else { return };
    check(bytes, body.service(), body.image_length(), body.into_request().ok());
}

fn check(bytes: &[u8], service: Service, image_length: usize, request: Option<ChatRequest>) {
    assert!(image_length <= bytes.len(), "{image_length} bytes of pictures in {} bytes", bytes.len());
    let Some(request) = request else { return };
    if request.images().next().is_some() {
        assert_eq!(service, Service::Vlm, "a request with a picture needs a model that sees");
    }
    token_count::input_tokens(&request);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const PICTURE: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    fn all(bytes: &[u8]) {
        chat_requests(bytes);
        response_requests(bytes);
        message_requests(bytes);
    }

    /// A request that uses most of each format, whose parts have the names of all of them.
    fn whole() -> Value {
        let url = format!("data:image/png;base64,{PICTURE}");
        let source = json!({"type": "base64", "media_type": "image/png", "data": PICTURE});
        let conversation = json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": url}},
            ]},
            {"role": "user", "content": [{"type": "image", "source": source}]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "look", "input": {"x": 1}}]},
            {"role": "tool", "tool_call_id": "a", "content": "A dot."},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": source}]},
            ]},
        ]);
        json!({
            "model": "auto", "stream": true, "max_tokens": 100, "temperature": 0.5, "messages": conversation,
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": url}]},
                {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "a", "output": "A dot."},
            ],
            "tools": [{"type": "function", "name": "look", "function": {"name": "look"}, "parameters": {}}],
            "tool_choice": "auto", "reasoning": {"effort": "low"}, "thinking": {"type": "enabled", "budget_tokens": 2000},
            "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": {}}},
            "text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}, "fallbacks": ["groq", {"model": "gemini"}],
        })
    }

    /// Every value inside this one, as a path.
    fn places(value: &Value, path: String, out: &mut Vec<String>) {
        out.push(path.clone());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| places(item, format!("{path}/{index}"), out));
            }
            Value::Object(fields) => fields.iter().for_each(|(name, item)| places(item, format!("{path}/{name}"), out)),
            _ => {}
        }
    }

    /// The fuzz targets are outside the workspace, so the compiler does not check what they call.
    #[test]
    fn fuzz_targets_and_fuzzing_functions_match() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/fuzz_targets");
        let texts =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let ours = texts.filter(|text| !text.contains("use aura_providers::fuzzing;"));
        let called: BTreeSet<String> = ours
            .map(|text| {
                assert!(text.contains("use aura_server::fuzzing;"), "{text}");
                text.split("|bytes: &[u8]| ").nth(1).unwrap().trim_end_matches(");\n").to_owned()
            })
            .collect();
        let expected = ["chat", "response", "message"].map(|kind| format!("fuzzing::{kind}_requests(bytes)"));
        assert_eq!(called, expected.into());
        let _: [fn(&[u8]); 3] = [chat_requests, response_requests, message_requests];
    }

    #[test]
    fn bodies_with_one_wrong_value_are_read() {
        let whole = whole();
        let mut all_places = Vec::new();
        places(&whole, String::new(), &mut all_places);
        assert!(all_places.len() > 100);
        for wrong in
            [json!(null), json!(-1), json!(1e300), json!(""), json!([]), json!({}), json!([[]]), json!({"type": 1})]
        {
            for place in &all_places {
                let mut changed = whole.clone();
                *changed.pointer_mut(place).unwrap() = wrong.clone();
                all(changed.to_string().as_bytes());
            }
        }
    }

    #[test]
    fn a_picture_needs_a_model_that_sees() {
        let of = |name: &str, content: Value| json!({ name: [{"role": "user", "content": [content]}] }).to_string();
        let url = format!("data:image/png;base64,{PICTURE}");
        let source = json!({"type": "base64", "media_type": "image/png", "data": PICTURE});
        let chat = of("messages", json!({"type": "image_url", "image_url": {"url": url}}));
        let message = of("messages", json!({"type": "image", "source": source}));
        let response = of("input", json!({"type": "input_image", "image_url": url}));
        let bodies: (ChatBody, MessagesBody, ResponsesBody) = (
            serde_json::from_str(&chat).unwrap(),
            serde_json::from_str(&message).unwrap(),
            serde_json::from_str(&response).unwrap(),
        );
        assert!(
            [bodies.0.service(), bodies.1.service(), bodies.2.service()].iter().all(|needs| *needs == Service::Vlm)
        );
        let requests = [
            bodies.0.into_request().unwrap(),
            bodies.1.into_request().unwrap(),
            responses::converted(bodies.2).unwrap().1,
        ];
        assert!(requests.iter().all(|request| request.images().count() == 1));
        [chat, message, response].iter().for_each(|body| all(body.as_bytes()));
    }

    proptest! {
        #[test]
        fn cut_and_mixed_bodies_are_read(from in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..8)) {
            let mut bytes = whole().to_string().into_bytes();
            let at = from.index(bytes.len());
            let end = (at + noise.len()).min(bytes.len());
            bytes.splice(at..end, noise);
            all(&bytes);
            all(&bytes[..at]);
        }
    }
}
