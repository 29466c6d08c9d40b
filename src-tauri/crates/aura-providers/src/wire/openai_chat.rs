//! Reads the answer of a chat completion in OpenAI's format, streamed or complete.

use serde_json::{Value, json};

use super::error_reply;
use super::json_events::JsonReader;
use super::openai_text_chunk::{ChunkTemplate, TextChunk};
use super::reasoning_filter;
use crate::types::{ChatEvent, Failure, FailureKind, FinishReason, RateLimit, ToolCall, Usage};

/// Reads the chunks of a streamed answer, or a complete one from a server that does not stream.
#[derive(Debug, Default)]
pub(crate) struct OpenaiChatReader {
    reasoning: reasoning_filter::ReasoningFilter,
    usage: Usage,
    finish: Option<FinishReason>,
    content: bool,
    calls: Vec<PartialToolCall>,
    /// The size of all tool calls so far, in bytes.
    tool_call_bytes: usize,
    /// The last text chunk that was parsed, without its text.
    template: ChunkTemplate,
    /// A damaged event was skipped. Text survives that; a tool call may have lost a part of its arguments.
    lost_event: bool,
}

/// A tool call whose arguments are still arriving.
#[derive(Debug, Default)]
struct PartialToolCall {
    index: Option<u64>,
    call: ToolCall,
}

impl OpenaiChatReader {
    /// A reader. `starts_with_reasoning`: see `Catalog::starts_with_reasoning`. `rate_limit` becomes part of the usage.
    pub(crate) fn new(starts_with_reasoning: bool, rate_limit: Option<RateLimit>) -> Self {
        Self {
            reasoning: reasoning_filter::ReasoningFilter::new(starts_with_reasoning),
            usage: Usage { rate_limit, ..Usage::default() },
            ..Self::default()
        }
    }

    /// Notes the model that answers, which every chunk repeats; empty when a chunk does not name it.
    fn model(&mut self, name: &str) {
        if !name.is_empty() && self.usage.model.as_deref() != Some(name) {
            self.usage.model = Some(name.to_owned());
        }
    }

    /// Tells whether the answer is the rest of an interrupted one.
    pub(crate) fn continuing(self, continues: bool) -> Self {
        Self { reasoning: self.reasoning.continuing(continues), ..self }
    }

    fn text(&mut self, text: &str, out: &mut Vec<ChatEvent>) {
        let (text, removed) = self.reasoning.push(text);
        self.emit(text, removed, out);
    }

    fn emit(&mut self, text: String, removed_reasoning: bool, out: &mut Vec<ChatEvent>) {
        if !text.is_empty() {
            self.content = true;
            out.push(ChatEvent::Text(text));
        } else if removed_reasoning {
            out.push(ChatEvent::Thinking);
        }
    }

    /// Adds a delta of a tool call. Servers send calls whole, or the arguments piece by piece under the call's index.
    fn tool_call(&mut self, delta: &Value) {
        let function = &delta["function"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (index, id) = (delta["index"].as_u64(), text(&delta["id"]));
        let is_same = |partial: &PartialToolCall| match (index, &id) {
            (Some(_), _) => partial.index == index,
            (None, Some(id)) => partial.call.id == *id,
            (None, None) => true, // servers with one call at a time omit both
        };
        let at = self.calls.iter().rposition(is_same).unwrap_or_else(|| {
            self.calls.push(PartialToolCall { index, ..PartialToolCall::default() });
            self.tool_call_bytes += size_of::<PartialToolCall>();
            self.calls.len() - 1
        });
        let partial = &mut self.calls[at];
        let mut size = id.as_ref().map_or(0, String::len);
        if let Some(id) = id {
            partial.call.id = id;
        }
        if let Some(name) = text(&function["name"]) {
            size += name.len();
            partial.call.name = name;
        }
        match &function["arguments"] {
            Value::String(piece) => {
                size += piece.len();
                partial.call.arguments.push_str(piece);
            }
            Value::Object(_) => {
                partial.call.arguments = function["arguments"].to_string();
                size += partial.call.arguments.len();
            }
            _ => {}
        }
        if let Some(signature) = text(&delta["extra_content"]["google"]["thought_signature"]) {
            size += signature.len();
            partial.call.signature = Some(signature);
        }
        self.tool_call_bytes += size;
    }

    /// Emits the tool calls of a complete answer; returns whether there were any. A call that the token limit cut is dropped. A call
    /// whose arguments are not a JSON object fails, because it cannot be executed.
    fn finish_tools(&mut self, finish: FinishReason, out: &mut Vec<ChatEvent>) -> Result<bool, Failure> {
        let mut called = false;
        if self.lost_event && (finish == FinishReason::ToolCalls || !self.calls.is_empty()) {
            return Err(error_reply::interrupted(self.content, "The tool calls arrived incomplete."));
        }
        let is_cut = finish == FinishReason::Length;
        for PartialToolCall { mut call, .. } in std::mem::take(&mut self.calls) {
            if call.arguments.trim().is_empty() {
                call.arguments = "{}".into();
            }
            let is_valid = serde_json::from_str::<Value>(&call.arguments).is_ok_and(|value| value.is_object());
            if call.name.is_empty() || !is_valid {
                if is_cut {
                    continue;
                }
                let failure = Failure::new(FailureKind::Empty, "The model made a tool call that cannot be read.");
                return Err(error_reply::mid_stream(failure, self.content));
            }
            if call.id.is_empty() {
                call.id = super::new_tool_call_id();
            }
            called = true;
            out.push(ChatEvent::ToolCall(call));
        }
        Ok(called)
    }

    fn read_usage(&mut self, usage: &Value) {
        let number = |name: &str| usage[name].as_u64().and_then(|number| u32::try_from(number).ok());
        self.usage.cost_usd = usage["cost"].as_f64().or(self.usage.cost_usd); // OpenRouter
        let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
        self.usage.cached_tokens = cached.and_then(|number| u32::try_from(number).ok()).or(self.usage.cached_tokens);
        self.usage.input_tokens = number("prompt_tokens").or(self.usage.input_tokens);
        self.usage.output_tokens = number("completion_tokens").or(self.usage.output_tokens);
    }
}

impl JsonReader for OpenaiChatReader {
    type Output = ChatEvent;

    fn common(&mut self, data: &str, out: &mut Vec<ChatEvent>) -> bool {
        if let Some(text) = self.template.text(data) {
            self.text(text, out);
            return true;
        }
        let Some(chunk) = TextChunk::parse(data) else { return false };
        self.template.learn(data, &chunk);
        self.model(&chunk.model);
        self.text(&chunk.choices[0].delta.content, out);
        true
    }

    fn value(&mut self, value: &Value, out: &mut Vec<ChatEvent>) -> Result<(), Failure> {
        // Groq ends a stream with this field instead of an error event.
        if let Some(error) = value["x_groq"]["error"].as_str() {
            let failure = error_reply::in_success(&json!({ "error": { "message": error, "code": error } }));
            return Err(error_reply::mid_stream(
                failure.unwrap_or_else(|| Failure::new(FailureKind::Overloaded, error)),
                self.content,
            ));
        }
        self.model(value["model"].as_str().unwrap_or_default());
        // Older Groq models report usage only here. The top level takes precedence.
        self.read_usage(&value["x_groq"]["usage"]);
        self.read_usage(&value["usage"]);

        let choice = &value["choices"][0];
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        let analysis = delta["channel"].as_str() == Some("analysis");
        let reasoning = ["reasoning", "reasoning_content"]
            .iter()
            .any(|name| delta[*name].as_str().is_some_and(|text| !text.is_empty()));
        let has_text = delta["content"].as_str().is_some_and(|text| !text.is_empty());
        let tools = delta["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        tools.iter().for_each(|delta| self.tool_call(delta));
        if self.tool_call_bytes > super::MAX_TOOL_CALL_BYTES {
            return Err(error_reply::interrupted(self.content, "The model's tool calls exceed 256 KiB."));
        }
        if reasoning || (analysis && has_text) || !tools.is_empty() {
            out.push(ChatEvent::Thinking);
        }
        if !analysis {
            match &delta["content"] {
                Value::String(text) if !text.is_empty() => self.text(text, out),
                Value::Array(parts) => {
                    for text in parts.iter().filter_map(|part| part["text"].as_str()) {
                        self.text(text, out);
                    }
                }
                _ => {}
            }
            if let Some(text) = delta["refusal"].as_str() {
                self.text(text, out); // a refusal in the model's own words
            }
            if let Some(logprobs) = choice["logprobs"]["content"].as_array().filter(|tokens| !tokens.is_empty()) {
                out.push(ChatEvent::Logprobs(logprobs.clone()));
            }
        }
        match choice["finish_reason"].as_str() {
            None => {}
            Some("length" | "max_tokens") => self.finish = Some(FinishReason::Length),
            Some("tool_calls" | "function_call") => self.finish = Some(FinishReason::ToolCalls),
            Some("content_filter") => {
                return Err(Failure::new(FailureKind::Blocked, "The provider's content filter blocked the answer."));
            }
            Some("error") => {
                return Err(error_reply::interrupted(
                    self.content,
                    "The provider stopped before the answer was complete.",
                ));
            }
            Some(_) => self.finish = Some(FinishReason::Stop),
        }
        Ok(())
    }

    fn end(&mut self, is_done: bool, out: &mut Vec<ChatEvent>) -> Result<(), Failure> {
        // An answer that was cut before its reasoning ended is nothing but reasoning.
        let rest =
            if self.finish == Some(FinishReason::Length) { self.reasoning.cut() } else { self.reasoning.finish() };
        self.emit(rest, false, out);
        let finish = match self.finish {
            Some(finish) => finish,
            // Some servers omit the finish reason but do send `[DONE]`.
            None if is_done && (self.content || !self.calls.is_empty()) => FinishReason::Stop,
            None if is_done => return Err(Failure::new(FailureKind::Empty, "The provider sent an empty answer.")),
            None => return Err(error_reply::broken_off(self.content)),
        };
        // Several servers finish a tool call with `stop`.
        let called = self.finish_tools(finish, out)?;
        let finish = match finish {
            FinishReason::Stop if called => FinishReason::ToolCalls,
            // Announced but missing tool calls: the text, if there is any, is the answer.
            FinishReason::ToolCalls if !called => FinishReason::Stop,
            finish => finish,
        };
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

    fn run(name: &str) -> (Vec<ChatEvent>, Option<Failure>) {
        let bytes = recorded::bytes(name);
        let whole = decode_all(JsonEvents::new(OpenaiChatReader::default()), &[&bytes]);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode_all(JsonEvents::new(OpenaiChatReader::default()), &bytewise), whole, "{name} byte by byte");
        whole
    }

    fn text(events: &[ChatEvent]) -> String {
        events
            .iter()
            .filter_map(|piece| if let ChatEvent::Text(text) = piece { Some(text.as_str()) } else { None })
            .collect()
    }

    fn end(events: &[ChatEvent]) -> (FinishReason, Usage) {
        match events.last() {
            Some(ChatEvent::End { finish, usage }) => (*finish, usage.clone()),
            other => panic!("no end but {other:?}"),
        }
    }

    /// Older Groq models report usage only in `x_groq.usage`.
    #[test]
    fn trap_11_usage_in_x_groq_alone_is_read() {
        let raw = recorded::text("groq_chat_stream_usage_only_in_x_groq.sse");
        assert!(!raw.contains("},\"usage\":{"), "the recording has usage at the top level as well");
        let (_, usage) = end(&run("groq_chat_stream_usage_only_in_x_groq.sse").0);
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(74), Some(12)));
    }

    #[test]
    fn cached_tokens_are_read() {
        let usage =
            json!({ "prompt_tokens": 900, "completion_tokens": 2, "prompt_tokens_details": { "cached_tokens": 800 } });
        let chunk = json!({ "choices": [{ "delta": { "content": "Hi" }, "finish_reason": "stop" }], "usage": usage });
        let (events, _) =
            decode_all(JsonEvents::new(OpenaiChatReader::default()), &[format!("data: {chunk}\n\n").as_bytes()]);
        assert_eq!(end(&events).1.cached_tokens, Some(800));
    }

    #[test]
    fn complete_streams_of_every_server_are_read() {
        for (name, words, model, tokens) in [
            ("groq_chat_stream.sse", "Hello — café 👋", "openai/gpt-oss-20b", (74, 12)),
            ("groq_chat_stream_reasoning.sse", "Hi!", "openai/gpt-oss-120b", (74, 12)),
            ("groq_chat_stream_usage_only_in_x_groq.sse", "Hi", "openai/gpt-oss-20b", (74, 12)),
            ("llamacpp_chat_stream.sse", "Hi", "gemma-3-4b", (19, 4)),
            ("ollama_chat_stream.sse", "Hi", "qwen3:8b", (19, 4)),
            ("openai_chat_stream_usage.sse", "Hello", "gpt-6-luna", (19, 4)),
            ("openrouter_chat_stream.sse", "Hello there", "google/gemini-3.5-flash-lite", (19, 4)),
            ("groq_chat.json", "Hello there.", "openai/gpt-oss-20b", (74, 12)),
        ] {
            let (events, failure) = run(name);
            assert_eq!(failure, None, "{name}");
            assert_eq!(text(&events), words, "{name}");
            let (finish, usage) = end(&events);
            assert_eq!(finish, FinishReason::Stop, "{name}");
            assert_eq!(usage.model.as_deref(), Some(model), "{name}");
            assert_eq!((usage.input_tokens, usage.output_tokens), (Some(tokens.0), Some(tokens.1)), "{name}");
        }
    }

    #[test]
    fn reasoning_is_reported_but_never_part_of_the_text() {
        for name in ["groq_chat_stream_reasoning.sse", "llamacpp_chat_stream.sse", "ollama_chat_stream.sse"] {
            assert!(run(name).0.contains(&ChatEvent::Thinking), "{name}");
        }
    }

    #[test]
    fn reasoning_without_an_opening_tag_is_removed() {
        let of = |model: &str, events: &[&str], finish: &str| {
            let mut stream = String::new();
            for piece in events {
                stream.push_str(&format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": piece } }] })));
            }
            stream.push_str(&format!("data: {}\n\n", json!({ "choices": [{ "delta": {}, "finish_reason": finish }] })));
            let (events, failure) = decode_all(
                JsonEvents::new(OpenaiChatReader::new(
                    crate::catalog::Catalog::embedded().starts_with_reasoning(model),
                    None,
                )),
                &[stream.as_bytes()],
            );
            assert_eq!(failure, None);
            text(&events)
        };
        assert_eq!(of("qwq:32b", &["Let me", " see.", "</think>", "\n\nHello"], "stop"), "Hello");
        assert_eq!(of("qwq:32b", &["Let me", " see."], "length"), "", "cut inside the reasoning");
        assert_eq!(of("llama3", &["Hello", " there"], "stop"), "Hello there");
        let whole =
            json!({ "choices": [{ "message": { "content": "Let me see.</think>Hello" }, "finish_reason": "stop" }] });
        let (events, _) = decode_all(JsonEvents::new(OpenaiChatReader::default()), &[whole.to_string().as_bytes()]);
        assert_eq!(text(&events), "Hello", "a complete reply of any model");
    }

    #[test]
    fn reasoning_inside_the_text_is_removed() {
        let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"<thi\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"nk>a</think> b\"},\"finish_reason\":\"stop\"}]}\n\n";
        let (events, failure) = decode_all(JsonEvents::new(OpenaiChatReader::default()), &[stream.as_bytes()]);
        assert_eq!((text(&events).as_str(), failure), ("b", None));
    }

    #[test]
    fn finish_reasons_are_read() {
        let (events, _) = run("groq_chat_stream_length.sse");
        assert_eq!((text(&events).as_str(), end(&events).0), ("A partial", FinishReason::Length));
        assert_eq!(end(&run("groq_chat_stream_tool.sse").0).0, FinishReason::ToolCalls);
    }

    /// Three forms of an error inside a success. A stream that ends without `[DONE]` and without a finish reason is an interruption,
    /// after the text that arrived.
    #[test]
    fn trap_10_errors_inside_a_success_and_ends_without_a_finish_reason() {
        for (name, words, kind, says) in [
            ("groq_chat_stream_error_event.sse", "Let me", FailureKind::Interrupted, "Tool call validation failed"),
            ("groq_chat_stream_error_data.sse", "", FailureKind::Overloaded, "over capacity"),
            ("groq_chat_stream_error_x_groq.sse", "Half", FailureKind::Interrupted, "over_capacity"),
        ] {
            let (events, failure) = run(name);
            let failure = failure.unwrap_or_else(|| panic!("{name} did not fail"));
            assert_eq!((text(&events).as_str(), failure.kind), (words, kind), "{name}: {failure:?}");
            assert!(failure.message.contains(says), "{name}: {}", failure.message);
        }
        let bytes = recorded::bytes("groq_chat_stream.sse");
        let (events, failure) = decode_all(JsonEvents::new(OpenaiChatReader::default()), &[&bytes[..900]]);
        assert_eq!((text(&events).as_str(), failure.unwrap().kind), ("Hello — café", FailureKind::Interrupted));
    }

    #[test]
    fn errors_inside_a_success_of_other_servers_are_reported() {
        for (name, words, kind, says) in [
            ("openrouter_chat_stream_error.sse", "Hel", FailureKind::Interrupted, "Provider disconnected"),
            ("lmstudio_200_unexpected_endpoint.json", "", FailureKind::Unsupported, "Unexpected endpoint"),
            ("groq_error_502.html", "", FailureKind::Unreachable, "not a stream"),
        ] {
            let (events, failure) = run(name);
            let failure = failure.unwrap_or_else(|| panic!("{name} did not fail"));
            assert_eq!((text(&events).as_str(), failure.kind), (words, kind), "{name}: {failure:?}");
            assert!(failure.message.contains(says), "{name}: {}", failure.message);
        }
    }

    #[test]
    fn a_stream_cut_anywhere_before_its_end_is_never_complete() {
        let bytes = recorded::bytes("groq_chat_stream.sse");
        let finish_at = String::from_utf8_lossy(&bytes).find("\"finish_reason\":\"stop\"").unwrap();
        for cut in 0..finish_at {
            let (events, failure) = decode_all(JsonEvents::new(OpenaiChatReader::default()), &[&bytes[..cut]]);
            let kind = failure.unwrap_or_else(|| panic!("complete at {cut}")).kind;
            let expected = if text(&events).is_empty() { FailureKind::Unreachable } else { FailureKind::Interrupted };
            assert_eq!(kind, expected, "cut at {cut}");
        }
    }

    #[test]
    fn empty_streams_fail_by_how_they_end() {
        let run =
            |text: &str| decode_all(JsonEvents::new(OpenaiChatReader::default()), &[text.as_bytes()]).1.unwrap().kind;
        assert_eq!(run(""), FailureKind::Unreachable);
        assert_eq!(run("data: [DONE]\n\n"), FailureKind::Empty);
        assert_eq!(
            run("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n"),
            FailureKind::Blocked
        );
        assert_eq!(run("data: {\"choices\":null\n\n"), FailureKind::Unreachable);
    }

    #[test]
    fn done_without_a_finish_reason_is_complete() {
        let stream = "data: ping\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\ndata: [DONE]\n\ndata: {\"error\":\"late\"}\n\n";
        let (events, failure) = decode_all(JsonEvents::new(OpenaiChatReader::default()), &[stream.as_bytes()]);
        assert_eq!((failure, end(&events).0), (None, FinishReason::Stop));
    }

    fn calls(events: &[ChatEvent]) -> Vec<(&str, &str, &str)> {
        let call = |piece| match piece {
            &ChatEvent::ToolCall(ToolCall { ref id, ref name, ref arguments, .. }) => {
                Some((id.as_str(), name.as_str(), arguments.as_str()))
            }
            _ => None,
        };
        events.iter().filter_map(call).collect()
    }

    #[test]
    fn tool_calls_are_assembled_and_emitted_whole() {
        let (events, failure) = run("groq_chat_stream_tool.sse");
        let id = "fc_00000000-0000-4000-8000-00000000aaaa";
        assert_eq!((calls(&events), failure), (vec![(id, "open_app", r#"{"name":"Notes"}"#)], None));
        assert_eq!(end(&events).0, FinishReason::ToolCalls);

        let (events, failure) = run("openai_chat_stream_tools.sse");
        assert_eq!(failure, None);
        assert_eq!(text(&events), "Opening both.");
        assert_eq!(
            calls(&events),
            [
                ("call_00000000000000000000test1", "open_app", r#"{"name":"Notes"}"#),
                ("call_00000000000000000000test2", "list_windows", "{}")
            ]
        );
        let (finish, usage) = end(&events);
        assert_eq!((finish, usage.output_tokens), (FinishReason::ToolCalls, Some(31)));

        let (events, failure) = run("openai_chat_tools.json");
        assert_eq!(failure, None);
        assert_eq!(calls(&events), [("call_00000000000000000000test1", "open_app", r#"{"name":"Notes"}"#)]);
    }

    /// Wherever the stream is cut, no call is emitted, not even one whose arguments happen to be complete.
    #[test]
    fn a_partial_tool_call_is_never_emitted() {
        let bytes = recorded::bytes("openai_chat_stream_tools.sse");
        let finish_at = String::from_utf8_lossy(&bytes).find("\"finish_reason\":\"tool_calls\"").unwrap();
        for cut in 0..finish_at {
            let (events, failure) = decode_all(JsonEvents::new(OpenaiChatReader::default()), &[&bytes[..cut]]);
            assert!(failure.is_some() && calls(&events).is_empty(), "complete at {cut}: {events:?}");
        }
    }

    /// Arguments that lost a piece could still be valid JSON with another meaning.
    #[test]
    fn a_tool_call_with_a_damaged_event_is_not_emitted() {
        let stream = recorded::text("openai_chat_stream_tools.sse");
        let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        for damaged in 3..events.len() - 3 {
            let mut events = events.clone();
            events[damaged] = "data: {\"choices\":[{\"del\n\n";
            let (events, failure) =
                decode_all(JsonEvents::new(OpenaiChatReader::default()), &[events.concat().as_bytes()]);
            let kind = failure.map(|failure| failure.kind);
            assert_eq!((calls(&events).len(), kind), (0, Some(FailureKind::Interrupted)), "event {damaged}");
        }
    }

    #[test]
    fn tool_calls_with_unreadable_arguments_fail() {
        let of = |arguments: &str, finish: &str| {
            let call = json!([{ "index": 0, "id": "c", "function": { "name": "open_app", "arguments": arguments } }]);
            let chunk = json!({ "choices": [{ "delta": { "tool_calls": call }, "finish_reason": finish }] });
            decode_all(JsonEvents::new(OpenaiChatReader::default()), &[format!("data: {chunk}\n\n").as_bytes()])
        };
        let (events, failure) = of("{\"name\": \"No", "tool_calls");
        assert_eq!((calls(&events).len(), failure.map(|failure| failure.kind)), (0, Some(FailureKind::Empty)));
        let (events, failure) = of("{\"name\": \"No", "length");
        assert_eq!((calls(&events).len(), failure, end(&events).0), (0, None, FinishReason::Length));
        let (events, failure) = of("", "stop");
        assert_eq!((calls(&events), failure), (vec![("c", "open_app", "{}")], None));
        assert_eq!(end(&events).0, FinishReason::ToolCalls);
    }
}
