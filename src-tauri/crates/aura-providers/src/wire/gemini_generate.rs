//! Reads the answer of Gemini's `generateContent`.

use serde_json::Value;

use super::error_reply;
use super::json_events::JsonReader;
use crate::redact::shorten;
use crate::types::{ChatEvent, Failure, FailureKind, FinishReason, ToolCall, Usage};

/// The parts of the first candidate; empty when it has none.
pub(super) fn parts(value: &Value) -> &[Value] {
    value["candidates"][0]["content"]["parts"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The finish reason of the first candidate, if it has ended. Fails when the prompt or the answer was blocked, and when the model
/// stopped for any other reason: only `STOP` means a complete answer. `content`: some content has arrived.
pub(super) fn finish(value: &Value, content: bool) -> Result<Option<FinishReason>, Failure> {
    if let Some(reason) =
        value["promptFeedback"]["blockReason"].as_str().filter(|reason| *reason != "BLOCK_REASON_UNSPECIFIED")
    {
        return Err(Failure::new(FailureKind::Blocked, format!("Gemini blocked the question ({reason}).")));
    }
    let candidate = &value["candidates"][0];
    let details =
        candidate["finishMessage"].as_str().map(|message| format!(" {}", shorten(message))).unwrap_or_default();
    match candidate["finishReason"].as_str() {
        None | Some("FINISH_REASON_UNSPECIFIED") => Ok(None),
        Some("MAX_TOKENS" | "CONTINUATION") => Ok(Some(FinishReason::Length)),
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
            Err(Failure::new(FailureKind::Blocked, shorten(&format!("Gemini blocked the answer ({reason}).{details}"))))
        }
        Some("STOP") => Ok(Some(FinishReason::Stop)),
        // OTHER, MALFORMED_FUNCTION_CALL, MALFORMED_RESPONSE, TOO_MANY_TOOL_CALLS, NO_IMAGE, and reasons that are not known yet.
        Some(reason) => {
            let kind = if content { FailureKind::Interrupted } else { FailureKind::Empty };
            Err(Failure::new(kind, shorten(&format!("Gemini stopped without a complete answer ({reason}).{details}"))))
        }
    }
}

/// Reads the usage. In a stream the numbers are running totals.
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

/// Reads the chunks of a streamed answer, or a complete one.
#[derive(Debug, Default)]
pub(crate) struct GeminiChatReader {
    usage: Usage,
    finish: Option<FinishReason>,
    content: bool,
    /// Tool calls arrive whole, but are emitted only when the answer is complete.
    calls: Vec<ToolCall>,
    /// A damaged event was skipped. Text survives that; a tool call may be missing.
    lost_event: bool,
    /// The size of all tool calls so far, in bytes.
    tool_call_bytes: usize,
}

impl GeminiChatReader {
    fn tool_call(&mut self, part: &Value) {
        let call = &part["functionCall"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let Some(name) = text(&call["name"]) else { return };
        let arguments = if call["args"].is_object() { call["args"].to_string() } else { "{}".to_owned() };
        let id = text(&call["id"]).unwrap_or_else(super::new_tool_call_id);
        let signature = text(&part["thoughtSignature"]);
        let size = id.len() + name.len() + arguments.len() + signature.as_ref().map_or(0, String::len);
        self.tool_call_bytes += size + size_of::<ToolCall>();
        self.calls.push(ToolCall { id, name, arguments, signature });
    }
}

impl JsonReader for GeminiChatReader {
    type Output = ChatEvent;

    fn value(&mut self, value: &Value, out: &mut Vec<ChatEvent>) -> Result<(), Failure> {
        read_usage(&mut self.usage, value);
        for part in parts(value) {
            let text = part["text"].as_str().filter(|text| !text.is_empty());
            match text {
                Some(_) if part["thought"].as_bool() == Some(true) => out.push(ChatEvent::Thinking),
                Some(text) => {
                    self.content = true;
                    out.push(ChatEvent::Text(text.to_owned()));
                }
                None if part["functionCall"].is_object() => {
                    self.tool_call(part);
                    out.push(ChatEvent::Thinking);
                }
                None => {} // the empty part that carries a thought signature
            }
        }
        if self.tool_call_bytes > super::MAX_TOOL_CALL_BYTES {
            return Err(error_reply::interrupted(self.content, "The model's tool calls exceed 256 KiB."));
        }
        let used = |failure: Failure| Failure { usage: Some(Box::new(self.usage.clone())), ..failure };
        self.finish = finish(value, self.content).map_err(used)?.or(self.finish);
        Ok(())
    }

    fn end(&mut self, _said_done: bool, out: &mut Vec<ChatEvent>) -> Result<(), Failure> {
        if self.lost_event && !self.calls.is_empty() {
            return Err(error_reply::interrupted(self.content, "The tool calls arrived incomplete."));
        }
        let finish = match self.finish {
            Some(FinishReason::Stop) if !self.calls.is_empty() => FinishReason::ToolCalls, // Gemini finishes a tool call with STOP
            Some(finish) => finish,
            None => return Err(error_reply::broken_off(self.content)),
        };
        out.extend(std::mem::take(&mut self.calls).into_iter().map(ChatEvent::ToolCall));
        out.push(ChatEvent::End { finish, usage: std::mem::take(&mut self.usage) });
        Ok(())
    }

    fn has_content(&self) -> bool {
        self.content
    }

    fn has_ended(&self) -> bool {
        self.finish.is_some()
    }

    fn lost_event(&mut self) {
        self.lost_event = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json_events::JsonEvents;
    use crate::wire::{decoder::decode_all, recorded};

    fn run(name: &str) -> (String, Option<(FinishReason, Usage)>, Option<Failure>) {
        let bytes = recorded::bytes(name);
        let whole = decode_all(JsonEvents::new(GeminiChatReader::default()), &[&bytes]);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode_all(JsonEvents::new(GeminiChatReader::default()), &bytewise), whole, "{name} byte by byte");
        let (events, failure) = whole;
        let (mut text, mut end) = (String::new(), None);
        for piece in events {
            match piece {
                ChatEvent::Text(piece) => text.push_str(&piece),
                ChatEvent::Thinking | ChatEvent::Logprobs(_) | ChatEvent::ToolCall(_) => {}
                ChatEvent::End { finish, usage } => end = Some((finish, usage)),
            }
        }
        (text, end, failure)
    }

    /// `content` without parts, `content: {}`, and no content at all.
    #[test]
    fn trap_17_a_candidate_may_be_empty_in_three_ways() {
        let (text, end, failure) = run("gemini_max_tokens_no_parts.json");
        assert_eq!(
            (text.as_str(), end.unwrap().0, failure),
            ("", FinishReason::Length, None),
            "the caller may raise the limit"
        );
        for name in ["gemini_safety_no_parts.json", "gemini_candidate_no_content.json"] {
            let (text, end, failure) = run(name);
            assert_eq!((text.as_str(), end, failure.unwrap().kind), ("", None, FailureKind::Blocked), "{name}");
        }
    }

    #[test]
    fn complete_answers_are_read() {
        for (name, words, finish, tokens) in [
            ("gemini_stream.sse", "The Général tab — 👍 is open.", FinishReason::Stop, (15, 44)),
            ("gemini_stream_thoughts.sse", "It is open.", FinishReason::Stop, (15, 29)),
            ("gemini_stream_array_no_alt_sse.json", "The tab is open.", FinishReason::Stop, (15, 5)),
            ("gemini_generate.json", "The General tab is open.", FinishReason::Stop, (301, 19)),
            ("gemini_continuation.json", "First half", FinishReason::Length, (20, 32768)),
            ("gemini_max_tokens_no_parts.json", "", FinishReason::Length, (15, 253)),
            ("gemini_stream_function_call.sse", "", FinishReason::ToolCalls, (40, 30)),
        ] {
            let (text, end, failure) = run(name);
            assert_eq!(failure, None, "{name}");
            let (found, usage) = end.unwrap();
            assert_eq!((text.as_str(), found), (words, finish), "{name}");
            assert_eq!((usage.input_tokens, usage.output_tokens), (Some(tokens.0), Some(tokens.1)), "{name}");
            assert!(usage.model.unwrap().starts_with("gemini-"), "{name}");
        }
    }

    /// The reply to a blocked question has status 200 and no candidates.
    #[test]
    fn trap_18_a_blocked_question_is_reported_with_its_reason() {
        for (name, reason) in
            [("gemini_prompt_blocked.json", "SAFETY"), ("gemini_stream_prompt_blocked.sse", "PROHIBITED_CONTENT")]
        {
            let (text, end, failure) = run(name);
            let failure = failure.unwrap();
            assert_eq!((text.as_str(), end, failure.kind), ("", None, FailureKind::Blocked), "{name}");
            assert!(failure.message.contains(reason), "{name}: {}", failure.message);
        }
    }

    /// Lines end with CRLF and there is no `[DONE]`; an error may be an event, plain JSON, or a list of one.
    #[test]
    fn trap_21_every_form_of_a_stream_is_read() {
        let bytes = recorded::bytes("gemini_stream.sse");
        assert!(
            String::from_utf8_lossy(&bytes).contains("\r\n\r\n") && !String::from_utf8_lossy(&bytes).contains("[DONE]")
        );
        assert_eq!(run("gemini_stream.sse").1.unwrap().0, FinishReason::Stop);
        assert_eq!(run("gemini_stream_array_no_alt_sse.json").0, "The tab is open.", "one list, without `alt=sse`");
        for name in ["gemini_stream_error_data.sse", "gemini_stream_error_raw_json.sse"] {
            let (text, _, failure) = run(name);
            assert_eq!((text.as_str(), failure.unwrap().kind), ("Half an ans", FailureKind::Interrupted), "{name}");
        }
        assert_eq!(run("gemini_stream_array_error.json").2.unwrap().kind, FailureKind::Overloaded, "a list of one");
    }

    /// Only `STOP` means a complete answer.
    #[test]
    fn an_answer_without_stop_is_not_complete() {
        for reason in ["OTHER", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "TOO_MANY_TOOL_CALLS", "SOMETHING_NEW"]
        {
            let of = |text: &str| {
                let parts = serde_json::json!([{ "text": text }]);
                let value = serde_json::json!({
                    "candidates": [{ "content": { "parts": parts }, "finishReason": reason }],
                    "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": 2 },
                });
                decode_all(JsonEvents::new(GeminiChatReader::default()), &[format!("data: {value}\n\n").as_bytes()])
                    .1
                    .unwrap()
            };
            let (half, none) = (of("It is"), of(""));
            assert_eq!((half.kind, none.kind), (FailureKind::Interrupted, FailureKind::Empty), "{reason}");
            assert!(half.message.contains(reason) && half.usage.unwrap().output_tokens == Some(2));
        }
    }

    #[test]
    fn cached_tokens_are_read() {
        let value = serde_json::json!({ "usageMetadata": { "promptTokenCount": 900, "cachedContentTokenCount": 800 } });
        let mut usage = Usage::default();
        read_usage(&mut usage, &value);
        assert_eq!((usage.input_tokens, usage.cached_tokens), (Some(900), Some(800)));
    }

    #[test]
    fn failed_answers_are_reported() {
        for (name, words, kind, says) in [
            ("gemini_prompt_blocked.json", "", FailureKind::Blocked, "SAFETY"),
            ("gemini_stream_prompt_blocked.sse", "", FailureKind::Blocked, "PROHIBITED_CONTENT"),
            ("gemini_stream_safety_stop.sse", "Part of", FailureKind::Blocked, "SAFETY"),
            ("gemini_safety_no_parts.json", "", FailureKind::Blocked, "SAFETY"),
            ("gemini_candidate_no_content.json", "", FailureKind::Blocked, "RECITATION"),
            ("gemini_stream_error_data.sse", "Half an ans", FailureKind::Interrupted, "high demand"),
            ("gemini_stream_error_raw_json.sse", "Half an ans", FailureKind::Interrupted, "high demand"),
            ("gemini_stream_array_error.json", "", FailureKind::Overloaded, "high demand"),
        ] {
            let (text, end, failure) = run(name);
            let failure = failure.unwrap_or_else(|| panic!("{name} did not fail"));
            assert_eq!((text.as_str(), failure.kind), (words, kind), "{name}: {failure:?}");
            assert!(failure.message.contains(says), "{name}: {}", failure.message);
            assert_eq!(end, None, "{name}");
        }
    }

    /// Reasoning is reported as such; the empty part with the thought signature at the end produces no event.
    #[test]
    fn trap_23_reasoning_is_not_part_of_the_text() {
        let bytes = recorded::bytes("gemini_stream_thoughts.sse");
        let raw = String::from_utf8_lossy(&bytes);
        assert!(raw.contains("\"thought\": true") || raw.contains("\"thought\":true"));
        assert!(raw.contains("thoughtSignature"));
        let (events, failure) = decode_all(JsonEvents::new(GeminiChatReader::default()), &[&bytes]);
        assert_eq!(failure, None);
        assert!(events.contains(&ChatEvent::Thinking));
        let words = |piece: &ChatEvent| if let ChatEvent::Text(text) = piece { text.clone() } else { String::new() };
        assert_eq!(events.iter().map(words).collect::<String>(), "It is open.");
        let empty = |piece: &ChatEvent| matches!(piece, ChatEvent::Text(text) if text.is_empty());
        assert!(!events.iter().any(empty), "{events:?}");
        let thought = serde_json::json!({ "candidates": [{ "content": { "parts": [
            { "text": "secret ", "thought": true }, { "text": "said" }, { "text": "", "thoughtSignature": "c2ln" },
        ] }, "finishReason": "STOP" }] });
        let (events, _) =
            decode_all(JsonEvents::new(GeminiChatReader::default()), &[format!("data: {thought}\n\n").as_bytes()]);
        assert!(
            matches!(&events[..], [ChatEvent::Thinking, ChatEvent::Text(said), ChatEvent::End { .. }] if said == "said")
        );
    }

    #[test]
    fn a_stream_without_a_finish_reason_is_never_complete() {
        let bytes = recorded::bytes("gemini_stream.sse");
        let finish_at = String::from_utf8_lossy(&bytes).find("\"finishReason\"").unwrap();
        for cut in 0..finish_at {
            assert!(
                decode_all(JsonEvents::new(GeminiChatReader::default()), &[&bytes[..cut]]).1.is_some(),
                "complete at {cut}"
            );
        }
    }

    #[test]
    fn tool_calls_are_emitted_only_at_the_end() {
        let bytes = recorded::bytes("gemini_stream_function_call.sse");
        let (events, failure) = decode_all(JsonEvents::new(GeminiChatReader::default()), &[&bytes]);
        let call = ToolCall {
            id: "call_1".into(),
            name: "open_app".into(),
            arguments: r#"{"name":"Notes"}"#.into(),
            signature: Some("b3BhcXVlLXRob3VnaHQtc2lnbmF0dXJl".into()),
        };
        assert_eq!((&events[..2], failure), (&[ChatEvent::Thinking, ChatEvent::ToolCall(call)][..], None));
        assert!(matches!(events[2], ChatEvent::End { finish: FinishReason::ToolCalls, .. }), "{events:?}");

        let cut = String::from_utf8_lossy(&bytes).replace(r#""finishReason":"STOP","#, "");
        let (events, failure) = decode_all(JsonEvents::new(GeminiChatReader::default()), &[cut.as_bytes()]);
        assert_eq!(
            (events, failure.map(|failure| failure.kind)),
            (vec![ChatEvent::Thinking], Some(FailureKind::Unreachable))
        );
    }

    /// Gemini 2 sends calls without ids, but their results must be distinguished.
    #[test]
    fn tool_calls_without_an_id_get_one() {
        let part = serde_json::json!({ "functionCall": { "name": "list_windows" } });
        let value =
            serde_json::json!({ "candidates": [{ "content": { "parts": [part, part] }, "finishReason": "STOP" }] });
        let (events, _) =
            decode_all(JsonEvents::new(GeminiChatReader::default()), &[format!("data: {value}\n\n").as_bytes()]);
        let ids: Vec<&str> = events
            .iter()
            .filter_map(|piece| match piece {
                ChatEvent::ToolCall(call) if call.arguments == "{}" => Some(call.id.as_str()),
                _ => None,
            })
            .collect();
        assert!(ids.len() == 2 && ids[0] != ids[1] && ids[0].starts_with("call_"), "{ids:?}");
    }
}
