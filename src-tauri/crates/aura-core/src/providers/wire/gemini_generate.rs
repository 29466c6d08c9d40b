//! The answers of Gemini's `generateContent`.

use serde_json::Value;

use super::errors;
use super::json_events::Dialect;
use crate::providers::{ChatPiece, Class, Failure, Finish, ToolCall, Usage};

/// The parts of the first candidate, in whatever state it is.
pub(super) fn parts(value: &Value) -> &[Value] {
    value["candidates"][0]["content"]["parts"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// How the first candidate ended, if it did. Fails when the prompt or the answer was blocked, and when the model gave up: only
/// `STOP` says that an answer is complete. `content` tells whether something of it came, here or before.
pub(super) fn finish(value: &Value, content: bool) -> Result<Option<Finish>, Failure> {
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
        Some("STOP") => Ok(Some(Finish::Stop)),
        // OTHER, MALFORMED_FUNCTION_CALL, MALFORMED_RESPONSE, TOO_MANY_TOOL_CALLS, NO_IMAGE and those that are not known yet.
        Some(reason) => {
            let class = if content { Class::Interrupted } else { Class::Empty };
            Err(Failure::new(class, errors::shorten(&format!("Gemini gave up ({reason}).{said}"))))
        }
    }
}

/// What a reply says it used. The numbers of a stream are running totals.
pub(super) fn read_usage(usage: &mut Usage, value: &Value) {
    let number = |name: &str| value["usageMetadata"][name].as_u64().and_then(|number| u32::try_from(number).ok());
    let sum = |one: Option<u32>, other: Option<u32>| {
        one.or(other).map(|_| one.unwrap_or(0).saturating_add(other.unwrap_or(0)))
    };
    usage.input_tokens = sum(number("promptTokenCount"), number("toolUsePromptTokenCount")).or(usage.input_tokens);
    usage.cached_tokens = number("cachedContentTokenCount").or(usage.cached_tokens);
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
    /// They come whole, but count only when the answer is complete.
    calls: Vec<ToolCall>,
    /// An event was lost. Words can bear that; of tool calls one may be missing.
    missed: bool,
    /// What they hold, bytes.
    call_bytes: usize,
}

impl Answer {
    fn tool(&mut self, part: &Value) {
        let call = &part["functionCall"];
        self.call_bytes += part.to_string().len();
        let word = |value: &Value| value.as_str().filter(|word| !word.is_empty()).map(str::to_owned);
        let Some(name) = word(&call["name"]) else { return };
        let args = if call["args"].is_object() { call["args"].to_string() } else { "{}".to_owned() };
        let id = word(&call["id"]).unwrap_or_else(super::new_call_id);
        self.calls.push(ToolCall { id, name, arguments: args, signature: word(&part["thoughtSignature"]) });
    }
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
                None if part["functionCall"].is_object() => {
                    self.tool(part);
                    out.push(ChatPiece::Thinking);
                }
                None => {} // the empty part that carries the signature of a thought
            }
        }
        if self.call_bytes > super::MAX_CALL_BYTES {
            return Err(errors::broken(self.content, "The model called tools without end."));
        }
        let used = |failure: Failure| Failure { usage: Some(Box::new(self.usage.clone())), ..failure };
        self.finish = finish(value, self.content).map_err(used)?.or(self.finish);
        Ok(())
    }

    fn end(&mut self, _said_done: bool, out: &mut Vec<ChatPiece>) -> Result<(), Failure> {
        if self.missed && !self.calls.is_empty() {
            return Err(errors::broken(self.content, "A part of the tool calls could not be read."));
        }
        let finish = match self.finish {
            Some(Finish::Stop) if !self.calls.is_empty() => Finish::ToolCalls, // a call ends with STOP
            Some(finish) => finish,
            None if self.content => return Err(errors::broken(true, "The answer broke off.")),
            None => return Err(errors::broken(false, "The connection closed before an answer came.")),
        };
        out.extend(std::mem::take(&mut self.calls).into_iter().map(ChatPiece::ToolCall));
        out.push(ChatPiece::End { finish, usage: std::mem::take(&mut self.usage) });
        Ok(())
    }

    fn has_content(&self) -> bool {
        self.content
    }

    fn has_ended(&self) -> bool {
        self.finish.is_some()
    }

    fn missed(&mut self) {
        self.missed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                ChatPiece::Thinking | ChatPiece::ToolCall(_) => {}
                ChatPiece::End { finish, usage } => end = Some((finish, usage)),
            }
        }
        (text, end, failure)
    }

    /// `content` without parts, `content: {}`, and no content at all.
    #[test]
    fn trap_17_a_candidate_may_hold_nothing_in_three_ways() {
        let (text, end, failure) = run("gemini_max_tokens_no_parts.json");
        assert_eq!((text.as_str(), end.unwrap().0, failure), ("", Finish::Length, None), "the router makes more room");
        for name in ["gemini_safety_no_parts.json", "gemini_candidate_no_content.json"] {
            let (text, end, failure) = run(name);
            assert_eq!((text.as_str(), end, failure.unwrap().class), ("", None, Class::Blocked), "{name}");
        }
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

    /// A blocked question is a success without candidates.
    #[test]
    fn trap_18_a_blocked_question_is_told_with_its_reason() {
        for (name, reason) in
            [("gemini_prompt_blocked.json", "SAFETY"), ("gemini_stream_prompt_blocked.sse", "PROHIBITED_CONTENT")]
        {
            let (text, end, failure) = run(name);
            let failure = failure.unwrap();
            assert_eq!((text.as_str(), end, failure.class), ("", None, Class::Blocked), "{name}");
            assert!(failure.message.contains(reason), "{name}: {}", failure.message);
        }
    }

    /// Lines end with CRLF and there is no `[DONE]`; an error may be an event, plain JSON, or a list of one.
    #[test]
    fn trap_21_the_forms_of_a_stream() {
        let bytes = recorded::bytes("gemini_stream.sse");
        assert!(
            String::from_utf8_lossy(&bytes).contains("\r\n\r\n") && !String::from_utf8_lossy(&bytes).contains("[DONE]")
        );
        assert_eq!(run("gemini_stream.sse").1.unwrap().0, Finish::Stop);
        assert_eq!(run("gemini_stream_array_no_alt_sse.json").0, "The tab is open.", "one list, without `alt=sse`");
        for name in ["gemini_stream_error_data.sse", "gemini_stream_error_raw_json.sse"] {
            let (text, _, failure) = run(name);
            assert_eq!((text.as_str(), failure.unwrap().class), ("Half an ans", Class::Interrupted), "{name}");
        }
        assert_eq!(run("gemini_stream_array_error.json").2.unwrap().class, Class::Overloaded, "a list of one");
    }

    /// Only `STOP` says that an answer is complete.
    #[test]
    fn an_answer_that_the_model_gave_up_is_not_complete() {
        for reason in ["OTHER", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "TOO_MANY_TOOL_CALLS", "SOMETHING_NEW"]
        {
            let of = |text: &str| {
                let parts = serde_json::json!([{ "text": text }]);
                let value = serde_json::json!({
                    "candidates": [{ "content": { "parts": parts }, "finishReason": reason }],
                    "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": 2 },
                });
                decode_all(JsonEvents::new(Answer::default()), &[format!("data: {value}\n\n").as_bytes()]).1.unwrap()
            };
            let (half, none) = (of("It is"), of(""));
            assert_eq!((half.class, none.class), (Class::Interrupted, Class::Empty), "{reason}");
            assert!(half.message.contains(reason) && half.usage.unwrap().output_tokens == Some(2));
        }
    }

    #[test]
    fn what_was_remembered_is_counted() {
        let value = serde_json::json!({ "usageMetadata": { "promptTokenCount": 900, "cachedContentTokenCount": 800 } });
        let mut usage = Usage::default();
        read_usage(&mut usage, &value);
        assert_eq!((usage.input_tokens, usage.cached_tokens), (Some(900), Some(800)));
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

    /// They are a sign of life; and the empty part that carries their signature at the end is nothing at all.
    #[test]
    fn trap_23_thoughts_are_not_spoken() {
        let bytes = recorded::bytes("gemini_stream_thoughts.sse");
        let raw = String::from_utf8_lossy(&bytes);
        assert!(raw.contains("\"thought\": true") || raw.contains("\"thought\":true"));
        assert!(raw.contains("thoughtSignature"));
        let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[&bytes]);
        assert_eq!(failure, None);
        assert!(pieces.contains(&ChatPiece::Thinking));
        let words = |piece: &ChatPiece| if let ChatPiece::Text(text) = piece { text.clone() } else { String::new() };
        assert_eq!(pieces.iter().map(words).collect::<String>(), "It is open.");
        let empty = |piece: &ChatPiece| matches!(piece, ChatPiece::Text(text) if text.is_empty());
        assert!(!pieces.iter().any(empty), "{pieces:?}");
        let thought = serde_json::json!({ "candidates": [{ "content": { "parts": [
            { "text": "secret ", "thought": true }, { "text": "said" }, { "text": "", "thoughtSignature": "c2ln" },
        ] }, "finishReason": "STOP" }] });
        let (pieces, _) = decode_all(JsonEvents::new(Answer::default()), &[format!("data: {thought}\n\n").as_bytes()]);
        assert!(
            matches!(&pieces[..], [ChatPiece::Thinking, ChatPiece::Text(said), ChatPiece::End { .. }] if said == "said")
        );
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
    fn tool_calls_come_with_the_end_alone() {
        let bytes = recorded::bytes("gemini_stream_function_call.sse");
        let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[&bytes]);
        let call = ToolCall {
            id: "call_1".into(),
            name: "open_app".into(),
            arguments: r#"{"name":"Notes"}"#.into(),
            signature: Some("b3BhcXVlLXRob3VnaHQtc2lnbmF0dXJl".into()),
        };
        assert_eq!((&pieces[..2], failure), (&[ChatPiece::Thinking, ChatPiece::ToolCall(call)][..], None));
        assert!(matches!(pieces[2], ChatPiece::End { finish: Finish::ToolCalls, .. }), "{pieces:?}");

        let cut = String::from_utf8_lossy(&bytes).replace(r#""finishReason":"STOP","#, "");
        let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[cut.as_bytes()]);
        assert_eq!(
            (pieces, failure.map(|failure| failure.class)),
            (vec![ChatPiece::Thinking], Some(Class::Unreachable))
        );
    }

    /// Gemini 2 gives calls no name of their own; their results must be told apart all the same.
    #[test]
    fn calls_without_a_name_get_one() {
        let part = serde_json::json!({ "functionCall": { "name": "list_windows" } });
        let value =
            serde_json::json!({ "candidates": [{ "content": { "parts": [part, part] }, "finishReason": "STOP" }] });
        let (pieces, _) = decode_all(JsonEvents::new(Answer::default()), &[format!("data: {value}\n\n").as_bytes()]);
        let ids: Vec<&str> = pieces
            .iter()
            .filter_map(|piece| match piece {
                ChatPiece::ToolCall(call) if call.arguments == "{}" => Some(call.id.as_str()),
                _ => None,
            })
            .collect();
        assert!(ids.len() == 2 && ids[0] != ids[1] && ids[0].starts_with("call_"), "{ids:?}");
    }
}
