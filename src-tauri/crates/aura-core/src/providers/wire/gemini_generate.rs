//! Gemini's `generateContent`: the request, and the stream of its answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::errors;
use super::json_events::Dialect;
use super::openai_chat::image_type;
use crate::providers::{ChatPiece, ChatRequest, Class, Failure, Finish, Role, Usage};

/// The categories that can be set. Only what is surely harmful is blocked: a desktop is full of words that look so.
const CATEGORIES: [&str; 4] = [
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
];

/// The body of a question. `params` goes into `generationConfig`: how much the model should think, from the catalog.
pub(in crate::providers) fn request(request: &ChatRequest, params: Option<&Map<String, Value>>) -> Value {
    let question = request.messages.iter().rposition(|message| message.role == Role::User);
    let contents: Vec<Value> = request
        .messages
        .iter()
        .enumerate()
        .map(|(index, message)| {
            let mut parts = Vec::new();
            if let Some(image) = request.image.as_ref().filter(|_| Some(index) == question) {
                parts.push(inline(image_type(image), image));
            }
            parts.push(json!({ "text": message.text }));
            json!({ "role": if message.role == Role::User { "user" } else { "model" }, "parts": parts })
        })
        .collect();
    let safety: Vec<Value> =
        CATEGORIES.iter().map(|category| json!({ "category": category, "threshold": "BLOCK_ONLY_HIGH" })).collect();
    let mut config = json!({ "maxOutputTokens": request.max_tokens });
    configure(&mut config, params);
    let mut body = json!({ "contents": contents, "generationConfig": config, "safetySettings": safety });
    if !request.system.is_empty() {
        body["systemInstruction"] = json!({ "parts": [{ "text": request.system }] });
    }
    body
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

/// The parts of the first candidate, in whatever state it is.
pub(super) fn parts(value: &Value) -> &[Value] {
    value["candidates"][0]["content"]["parts"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// How the first candidate ended, if it did; fails when the prompt or the answer was blocked.
pub(super) fn finish(value: &Value) -> Result<Option<Finish>, Failure> {
    if let Some(reason) =
        value["promptFeedback"]["blockReason"].as_str().filter(|reason| *reason != "BLOCK_REASON_UNSPECIFIED")
    {
        return Err(Failure::new(Class::Blocked, format!("Gemini refused the question ({reason}).")));
    }
    let candidate = &value["candidates"][0];
    let said =
        candidate["finishMessage"].as_str().map(|message| format!(" {}", errors::shorten(message))).unwrap_or_default();
    match candidate["finishReason"].as_str() {
        None | Some("FINISH_REASON_UNSPECIFIED") => Ok(None),
        Some("MAX_TOKENS" | "CONTINUATION") => Ok(Some(Finish::Length)),
        Some(
            reason @ ("SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "ESCALATION"),
        ) => {
            Err(Failure::new(Class::Blocked, errors::shorten(&format!("Gemini stopped the answer ({reason}).{said}"))))
        }
        Some(_) => Ok(Some(Finish::Stop)),
    }
}

/// What a reply says it used. The numbers of a stream are running totals.
pub(super) fn read_usage(usage: &mut Usage, value: &Value) {
    let number = |name: &str| value["usageMetadata"][name].as_u64().and_then(|number| u32::try_from(number).ok());
    let sum = |one: Option<u32>, other: Option<u32>| {
        one.or(other).map(|_| one.unwrap_or(0).saturating_add(other.unwrap_or(0)))
    };
    usage.input_tokens = sum(number("promptTokenCount"), number("toolUsePromptTokenCount")).or(usage.input_tokens);
    usage.output_tokens = sum(number("candidatesTokenCount"), number("thoughtsTokenCount")).or(usage.output_tokens);
    if let Some(model) = value["modelVersion"].as_str() {
        usage.model = Some(model.to_owned());
    }
}

/// Reads the responses of a stream.
#[derive(Debug, Default)]
pub(in crate::providers) struct Answer {
    usage: Usage,
    finish: Option<Finish>,
    content: bool,
}

impl Dialect for Answer {
    type Piece = ChatPiece;

    fn value(&mut self, value: &Value, out: &mut Vec<ChatPiece>) -> Result<(), Failure> {
        read_usage(&mut self.usage, value);
        for part in parts(value) {
            let text = part["text"].as_str().filter(|text| !text.is_empty());
            match text {
                Some(_) if part["thought"].as_bool() == Some(true) => out.push(ChatPiece::Thinking),
                Some(text) => {
                    self.content = true;
                    out.push(ChatPiece::Text(text.to_owned()));
                }
                None if part["functionCall"].is_object() => self.finish = Some(Finish::ToolCalls),
                None => {} // the empty part that carries the signature of a thought
            }
        }
        match finish(value)? {
            Some(Finish::Stop) if self.finish == Some(Finish::ToolCalls) => {} // a call ends with STOP
            Some(finish) => self.finish = Some(finish),
            None => {}
        }
        Ok(())
    }

    fn end(&mut self, _said_done: bool, out: &mut Vec<ChatPiece>) -> Result<(), Failure> {
        match self.finish {
            Some(finish) => out.push(ChatPiece::End { finish, usage: std::mem::take(&mut self.usage) }),
            None if self.content => return Err(errors::broken(true, "The answer broke off.")),
            None => return Err(errors::broken(false, "The connection closed before an answer came.")),
        }
        Ok(())
    }

    fn has_content(&self) -> bool {
        self.content
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::providers::Message;
    use crate::providers::wire::json_events::JsonEvents;
    use crate::providers::wire::{recorded, stream::decode_all};

    fn run(name: &str) -> (String, Option<(Finish, Usage)>, Option<Failure>) {
        let bytes = recorded::bytes(name);
        let whole = decode_all(JsonEvents::new(Answer::default()), &[&bytes]);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode_all(JsonEvents::new(Answer::default()), &bytewise), whole, "{name} byte by byte");
        let (pieces, failure) = whole;
        let (mut text, mut end) = (String::new(), None);
        for piece in pieces {
            match piece {
                ChatPiece::Text(piece) => text.push_str(&piece),
                ChatPiece::Thinking => {}
                ChatPiece::End { finish, usage } => end = Some((finish, usage)),
            }
        }
        (text, end, failure)
    }

    #[test]
    fn complete_answers() {
        for (name, words, finish, tokens) in [
            ("gemini_stream.sse", "The Général tab — 👍 is open.", Finish::Stop, (15, 44)),
            ("gemini_stream_thoughts.sse", "It is open.", Finish::Stop, (15, 29)),
            ("gemini_stream_array_no_alt_sse.json", "The tab is open.", Finish::Stop, (15, 5)),
            ("gemini_generate.json", "The General tab is open.", Finish::Stop, (301, 19)),
            ("gemini_continuation.json", "First half", Finish::Length, (20, 32768)),
            ("gemini_max_tokens_no_parts.json", "", Finish::Length, (15, 253)),
            ("gemini_stream_function_call.sse", "", Finish::ToolCalls, (40, 30)),
        ] {
            let (text, end, failure) = run(name);
            assert_eq!(failure, None, "{name}");
            let (found, usage) = end.unwrap();
            assert_eq!((text.as_str(), found), (words, finish), "{name}");
            assert_eq!((usage.input_tokens, usage.output_tokens), (Some(tokens.0), Some(tokens.1)), "{name}");
            assert!(usage.model.unwrap().starts_with("gemini-"), "{name}");
        }
    }

    #[test]
    fn answers_that_failed() {
        for (name, words, class, says) in [
            ("gemini_prompt_blocked.json", "", Class::Blocked, "SAFETY"),
            ("gemini_stream_prompt_blocked.sse", "", Class::Blocked, "PROHIBITED_CONTENT"),
            ("gemini_stream_safety_stop.sse", "Part of", Class::Blocked, "SAFETY"),
            ("gemini_safety_no_parts.json", "", Class::Blocked, "SAFETY"),
            ("gemini_candidate_no_content.json", "", Class::Blocked, "RECITATION"),
            ("gemini_stream_error_data.sse", "Half an ans", Class::Interrupted, "high demand"),
            ("gemini_stream_error_raw_json.sse", "Half an ans", Class::Interrupted, "high demand"),
            ("gemini_stream_array_error.json", "", Class::Overloaded, "high demand"),
        ] {
            let (text, end, failure) = run(name);
            let failure = failure.unwrap_or_else(|| panic!("{name} did not fail"));
            assert_eq!((text.as_str(), failure.class), (words, class), "{name}: {failure:?}");
            assert!(failure.message.contains(says), "{name}: {}", failure.message);
            assert_eq!(end, None, "{name}");
        }
    }

    #[test]
    fn thoughts_are_a_sign_of_life_and_nothing_else() {
        let pieces =
            decode_all(JsonEvents::new(Answer::default()), &[&recorded::bytes("gemini_stream_thoughts.sse")]).0;
        assert_eq!(pieces[0], ChatPiece::Thinking);
    }

    #[test]
    fn a_stream_without_a_reason_to_end_is_never_complete() {
        let bytes = recorded::bytes("gemini_stream.sse");
        let told = String::from_utf8_lossy(&bytes).find("\"finishReason\"").unwrap();
        for cut in 0..told {
            assert!(decode_all(JsonEvents::new(Answer::default()), &[&bytes[..cut]]).1.is_some(), "complete at {cut}");
        }
    }

    #[test]
    fn the_request_is_the_recorded_one() {
        let say = |role, text: &str| Message { role, text: text.into() };
        let mut asked = ChatRequest {
            model: String::new(),
            system: "You are AURA.".into(),
            messages: vec![
                say(Role::User, "What is on this screen?"),
                say(Role::Assistant, "A settings window."),
                say(Role::User, "Which tab is open?"),
            ],
            image: None,
            max_tokens: 1024,
        };
        let params = json!({ "thinkingConfig": { "thinkingLevel": "low", "includeThoughts": false } });
        let mut expected = recorded::json("gemini_generate_request.json");
        // The picture of an earlier question is not sent again: it is large and no longer what is on the screen.
        let picture = expected["contents"][0]["parts"].as_array_mut().unwrap().remove(0);
        assert_eq!(request(&asked, params.as_object()), expected);

        asked.image = Some(Bytes::from_static(b"\xff\xd8\xff\xe0\x00\x10JFIF"));
        expected["contents"][2]["parts"].as_array_mut().unwrap().insert(0, picture);
        assert_eq!(request(&asked, params.as_object()), expected);
    }
}
