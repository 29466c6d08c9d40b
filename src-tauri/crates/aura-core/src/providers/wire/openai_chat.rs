//! The answer of a chat completion in OpenAI's dialect, as a stream or whole.

use serde_json::{Value, json};

use super::errors;
use super::json_events::Dialect;
use super::think;
use crate::catalog;
use crate::providers::{ChatPiece, Class, Failure, Finish, RateLimit, ToolCall, Usage};

/// Reads the chunks of an answer, or a whole one from a server that does not stream.
#[derive(Debug, Default)]
pub(in crate::providers) struct Answer {
    thoughts: think::Filter,
    usage: Usage,
    finish: Option<Finish>,
    content: bool,
    calls: Vec<Growing>,
    /// What came of them, bytes.
    call_bytes: usize,
    /// An event was lost. Words can bear that; a tool call may have become another one.
    missed: bool,
}

/// A tool call that is still being written.
#[derive(Debug, Default)]
struct Growing {
    index: Option<u64>,
    call: ToolCall,
}

impl Answer {
    /// The answer of a model, in a reply that told what is left of the allowance.
    pub(in crate::providers) fn new(model: &str, rate_limit: Option<RateLimit>) -> Self {
        Self {
            thoughts: think::Filter::new(catalog::thinks_aloud(model)),
            usage: Usage { rate_limit, ..Usage::default() },
            ..Self::default()
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<ChatPiece>) {
        let (text, thought) = self.thoughts.push(text);
        self.say(text, thought, out);
    }

    fn say(&mut self, text: String, thought: bool, out: &mut Vec<ChatPiece>) {
        if !text.is_empty() {
            self.content = true;
            out.push(ChatPiece::Text(text));
        } else if thought {
            out.push(ChatPiece::Thinking);
        }
    }

    /// Adds what a chunk says of tool calls: a server sends them whole, or the arguments letter by letter under the call's index.
    fn tool(&mut self, said: &Value) {
        let function = &said["function"];
        let word = |value: &Value| value.as_str().filter(|word| !word.is_empty()).map(str::to_owned);
        let (index, id) = (said["index"].as_u64(), word(&said["id"]));
        let same = |growing: &Growing| match (index, &id) {
            (Some(_), _) => growing.index == index,
            (None, Some(id)) => growing.call.id == *id,
            (None, None) => true, // servers with one call at a time leave both out
        };
        let at = self.calls.iter().rposition(same).unwrap_or_else(|| {
            self.calls.push(Growing { index, ..Growing::default() });
            self.calls.len() - 1
        });
        let call = &mut self.calls[at].call;
        self.call_bytes += said.to_string().len();
        call.id = id.unwrap_or_else(|| std::mem::take(&mut call.id));
        call.name = word(&function["name"]).unwrap_or_else(|| std::mem::take(&mut call.name));
        match &function["arguments"] {
            Value::String(piece) => call.arguments.push_str(piece),
            Value::Object(whole) => call.arguments = Value::Object(whole.clone()).to_string(),
            _ => {}
        }
        let signature = &said["extra_content"]["google"]["thought_signature"];
        call.signature = word(signature).or_else(|| call.signature.take());
    }

    /// The calls, now that the answer is complete. One that the token limit cut is left out; one that is no JSON is the model's
    /// failure and nobody can carry it out.
    fn finish_tools(&mut self, finish: Finish, out: &mut Vec<ChatPiece>) -> Result<bool, Failure> {
        let mut called = false;
        if self.missed && (finish == Finish::ToolCalls || !self.calls.is_empty()) {
            return Err(errors::broken(self.content, "A part of the tool calls could not be read."));
        }
        let cut = finish == Finish::Length;
        for Growing { mut call, .. } in std::mem::take(&mut self.calls) {
            if call.arguments.trim().is_empty() {
                call.arguments = "{}".into();
            }
            let readable = serde_json::from_str::<Value>(&call.arguments).is_ok_and(|value| value.is_object());
            if call.name.is_empty() || !readable {
                if cut {
                    continue;
                }
                let failure = Failure::new(Class::Empty, "The model called a tool in a way that cannot be read.");
                return Err(errors::mid_stream(failure, self.content));
            }
            if call.id.is_empty() {
                call.id = super::new_call_id();
            }
            called = true;
            out.push(ChatPiece::ToolCall(call));
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

impl Dialect for Answer {
    type Piece = ChatPiece;

    fn value(&mut self, value: &Value, out: &mut Vec<ChatPiece>) -> Result<(), Failure> {
        // Groq stops a stream with this instead of an error.
        if let Some(error) = value["x_groq"]["error"].as_str() {
            let failure = errors::in_success(&json!({ "error": { "message": error, "code": error } }));
            return Err(errors::mid_stream(
                failure.unwrap_or_else(|| Failure::new(Class::Overloaded, error)),
                self.content,
            ));
        }
        if let Some(model) = value["model"].as_str().filter(|model| !model.is_empty()) {
            self.usage.model = Some(model.to_owned());
        }
        // Older Groq models tell it only here; the top level wins where both are.
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
        tools.iter().for_each(|said| self.tool(said));
        if self.call_bytes > super::MAX_CALL_BYTES {
            return Err(errors::broken(self.content, "The model called tools without end."));
        }
        if reasoning || (analysis && has_text) || !tools.is_empty() {
            out.push(ChatPiece::Thinking);
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
                self.text(text, out); // the model's own words for no
            }
        }
        match choice["finish_reason"].as_str() {
            None => {}
            Some("length" | "max_tokens") => self.finish = Some(Finish::Length),
            Some("tool_calls" | "function_call") => self.finish = Some(Finish::ToolCalls),
            Some("content_filter") => {
                return Err(Failure::new(Class::Blocked, "The provider's filter blocked the answer."));
            }
            Some("error") => {
                return Err(errors::broken(self.content, "The provider stopped in the middle of the answer."));
            }
            Some(_) => self.finish = Some(Finish::Stop),
        }
        Ok(())
    }

    fn end(&mut self, said_done: bool, out: &mut Vec<ChatPiece>) -> Result<(), Failure> {
        // What was cut before its thoughts ended is nothing but thoughts.
        let rest = if self.finish == Some(Finish::Length) { self.thoughts.cut() } else { self.thoughts.finish() };
        self.say(rest, false, out);
        let finish = match self.finish {
            Some(finish) => finish,
            // Some servers leave the reason out but do say that they are done.
            None if said_done && (self.content || !self.calls.is_empty()) => Finish::Stop,
            None if said_done => return Err(Failure::new(Class::Empty, "The provider answered without a word.")),
            None if self.content => return Err(errors::broken(true, "The answer broke off.")),
            None => return Err(errors::broken(false, "The connection closed before an answer came.")),
        };
        // Several servers end a call with `stop`.
        let called = self.finish_tools(finish, out)?;
        let finish = match finish {
            Finish::Stop if called => Finish::ToolCalls,
            // A call that is announced and not there: the words, if there are any, are the answer.
            Finish::ToolCalls if !called => Finish::Stop,
            finish => finish,
        };
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

    fn run(name: &str) -> (Vec<ChatPiece>, Option<Failure>) {
        let bytes = recorded::bytes(name);
        let whole = decode_all(JsonEvents::new(Answer::default()), &[&bytes]);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode_all(JsonEvents::new(Answer::default()), &bytewise), whole, "{name} byte by byte");
        whole
    }

    fn text(pieces: &[ChatPiece]) -> String {
        pieces
            .iter()
            .filter_map(|piece| if let ChatPiece::Text(text) = piece { Some(text.as_str()) } else { None })
            .collect()
    }

    fn end(pieces: &[ChatPiece]) -> (Finish, Usage) {
        match pieces.last() {
            Some(ChatPiece::End { finish, usage }) => (*finish, usage.clone()),
            other => panic!("no end but {other:?}"),
        }
    }

    /// Older models count only in `x_groq.usage`.
    #[test]
    fn trap_11_what_only_x_groq_counts_is_read() {
        let raw = recorded::text("groq_chat_stream_usage_only_in_x_groq.sse");
        assert!(!raw.contains("},\"usage\":{"), "the recording has it at the top as well");
        let (_, usage) = end(&run("groq_chat_stream_usage_only_in_x_groq.sse").0);
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(74), Some(12)));
    }

    #[test]
    fn what_was_remembered_is_counted() {
        let usage =
            json!({ "prompt_tokens": 900, "completion_tokens": 2, "prompt_tokens_details": { "cached_tokens": 800 } });
        let chunk = json!({ "choices": [{ "delta": { "content": "Hi" }, "finish_reason": "stop" }], "usage": usage });
        let (pieces, _) = decode_all(JsonEvents::new(Answer::default()), &[format!("data: {chunk}\n\n").as_bytes()]);
        assert_eq!(end(&pieces).1.cached_tokens, Some(800));
    }

    #[test]
    fn complete_streams_of_every_server() {
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
            let (pieces, failure) = run(name);
            assert_eq!(failure, None, "{name}");
            assert_eq!(text(&pieces), words, "{name}");
            let (finish, usage) = end(&pieces);
            assert_eq!(finish, Finish::Stop, "{name}");
            assert_eq!(usage.model.as_deref(), Some(model), "{name}");
            assert_eq!((usage.input_tokens, usage.output_tokens), (Some(tokens.0), Some(tokens.1)), "{name}");
        }
    }

    #[test]
    fn reasoning_is_a_sign_of_life_and_nothing_else() {
        for name in ["groq_chat_stream_reasoning.sse", "llamacpp_chat_stream.sse", "ollama_chat_stream.sse"] {
            assert!(run(name).0.contains(&ChatPiece::Thinking), "{name}");
        }
    }

    #[test]
    fn thoughts_without_a_beginning_are_dropped() {
        let of = |model: &str, pieces: &[&str], finish: &str| {
            let mut stream = String::new();
            for piece in pieces {
                stream.push_str(&format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": piece } }] })));
            }
            stream.push_str(&format!("data: {}\n\n", json!({ "choices": [{ "delta": {}, "finish_reason": finish }] })));
            let (pieces, failure) = decode_all(JsonEvents::new(Answer::new(model, None)), &[stream.as_bytes()]);
            assert_eq!(failure, None);
            text(&pieces)
        };
        assert_eq!(of("qwq:32b", &["Let me", " see.", "</think>", "\n\nHello"], "stop"), "Hello");
        assert_eq!(of("qwq:32b", &["Let me", " see."], "length"), "", "cut in the middle of its thoughts");
        assert_eq!(of("llama3", &["Hello", " there"], "stop"), "Hello there");
        let whole =
            json!({ "choices": [{ "message": { "content": "Let me see.</think>Hello" }, "finish_reason": "stop" }] });
        let (pieces, _) = decode_all(JsonEvents::new(Answer::default()), &[whole.to_string().as_bytes()]);
        assert_eq!(text(&pieces), "Hello", "a whole reply of any model");
    }

    #[test]
    fn thoughts_in_the_text_are_dropped() {
        let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"<thi\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"nk>a</think> b\"},\"finish_reason\":\"stop\"}]}\n\n";
        let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[stream.as_bytes()]);
        assert_eq!((text(&pieces).as_str(), failure), ("b", None));
    }

    #[test]
    fn length_and_tools_are_told() {
        let (pieces, _) = run("groq_chat_stream_length.sse");
        assert_eq!((text(&pieces).as_str(), end(&pieces).0), ("A partial", Finish::Length));
        assert_eq!(end(&run("groq_chat_stream_tool.sse").0).0, Finish::ToolCalls);
    }

    /// Three forms of an error inside a success; and an end without `[DONE]` and without a reason is an error too, which keeps the
    /// words that came.
    #[test]
    fn trap_10_errors_inside_a_success_and_ends_without_a_reason() {
        for (name, words, class, says) in [
            ("groq_chat_stream_error_event.sse", "Let me", Class::Interrupted, "Tool call validation failed"),
            ("groq_chat_stream_error_data.sse", "", Class::Overloaded, "over capacity"),
            ("groq_chat_stream_error_x_groq.sse", "Half", Class::Interrupted, "over_capacity"),
        ] {
            let (pieces, failure) = run(name);
            let failure = failure.unwrap_or_else(|| panic!("{name} did not fail"));
            assert_eq!((text(&pieces).as_str(), failure.class), (words, class), "{name}: {failure:?}");
            assert!(failure.message.contains(says), "{name}: {}", failure.message);
        }
        let bytes = recorded::bytes("groq_chat_stream.sse");
        let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[&bytes[..900]]);
        assert_eq!((text(&pieces).as_str(), failure.unwrap().class), ("Hello — café", Class::Interrupted));
    }

    #[test]
    fn errors_inside_a_success_of_other_servers() {
        for (name, words, class, says) in [
            ("openrouter_chat_stream_error.sse", "Hel", Class::Interrupted, "Provider disconnected"),
            ("lmstudio_200_unexpected_endpoint.json", "", Class::Unsupported, "Unexpected endpoint"),
            ("groq_error_502.html", "", Class::Unreachable, "not a stream"),
        ] {
            let (pieces, failure) = run(name);
            let failure = failure.unwrap_or_else(|| panic!("{name} did not fail"));
            assert_eq!((text(&pieces).as_str(), failure.class), (words, class), "{name}: {failure:?}");
            assert!(failure.message.contains(says), "{name}: {}", failure.message);
        }
    }

    #[test]
    fn a_stream_cut_anywhere_before_its_end_is_never_complete() {
        let bytes = recorded::bytes("groq_chat_stream.sse");
        let told = String::from_utf8_lossy(&bytes).find("\"finish_reason\":\"stop\"").unwrap();
        for cut in 0..told {
            let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[&bytes[..cut]]);
            let class = failure.unwrap_or_else(|| panic!("complete at {cut}")).class;
            let expected = if text(&pieces).is_empty() { Class::Unreachable } else { Class::Interrupted };
            assert_eq!(class, expected, "cut at {cut}");
        }
    }

    #[test]
    fn nothing_at_all_is_told_apart() {
        let run = |text: &str| decode_all(JsonEvents::new(Answer::default()), &[text.as_bytes()]).1.unwrap().class;
        assert_eq!(run(""), Class::Unreachable);
        assert_eq!(run("data: [DONE]\n\n"), Class::Empty);
        assert_eq!(
            run("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n"),
            Class::Blocked
        );
        assert_eq!(run("data: {\"choices\":null\n\n"), Class::Unreachable);
    }

    #[test]
    fn done_without_a_reason_is_done() {
        let stream = "data: ping\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\ndata: [DONE]\n\ndata: {\"error\":\"late\"}\n\n";
        let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[stream.as_bytes()]);
        assert_eq!((failure, end(&pieces).0), (None, Finish::Stop));
    }

    fn calls(pieces: &[ChatPiece]) -> Vec<(&str, &str, &str)> {
        let call = |piece| match piece {
            &ChatPiece::ToolCall(ToolCall { ref id, ref name, ref arguments, .. }) => {
                Some((id.as_str(), name.as_str(), arguments.as_str()))
            }
            _ => None,
        };
        pieces.iter().filter_map(call).collect()
    }

    #[test]
    fn tool_calls_are_put_together_and_delivered_whole() {
        let (pieces, failure) = run("groq_chat_stream_tool.sse");
        let id = "fc_00000000-0000-4000-8000-00000000aaaa";
        assert_eq!((calls(&pieces), failure), (vec![(id, "open_app", r#"{"name":"Notes"}"#)], None));
        assert_eq!(end(&pieces).0, Finish::ToolCalls);

        let (pieces, failure) = run("openai_chat_stream_tools.sse");
        assert_eq!(failure, None);
        assert_eq!(text(&pieces), "Opening both.");
        assert_eq!(
            calls(&pieces),
            [
                ("call_00000000000000000000test1", "open_app", r#"{"name":"Notes"}"#),
                ("call_00000000000000000000test2", "list_windows", "{}")
            ]
        );
        let (finish, usage) = end(&pieces);
        assert_eq!((finish, usage.output_tokens), (Finish::ToolCalls, Some(31)));

        let (pieces, failure) = run("openai_chat_tools.json");
        assert_eq!(failure, None);
        assert_eq!(calls(&pieces), [("call_00000000000000000000test1", "open_app", r#"{"name":"Notes"}"#)]);
    }

    /// Wherever a stream is cut: no call, not even one whose arguments happen to be complete already.
    #[test]
    fn half_a_tool_call_is_never_delivered() {
        let bytes = recorded::bytes("openai_chat_stream_tools.sse");
        let told = String::from_utf8_lossy(&bytes).find("\"finish_reason\":\"tool_calls\"").unwrap();
        for cut in 0..told {
            let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[&bytes[..cut]]);
            assert!(failure.is_some() && calls(&pieces).is_empty(), "complete at {cut}: {pieces:?}");
        }
    }

    /// A lost piece of the arguments could leave a call that can be read and says something else.
    #[test]
    fn a_tool_call_with_an_event_lost_is_none() {
        let stream = recorded::text("openai_chat_stream_tools.sse");
        let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        for damaged in 3..events.len() - 3 {
            let mut events = events.clone();
            events[damaged] = "data: {\"choices\":[{\"del\n\n";
            let (pieces, failure) = decode_all(JsonEvents::new(Answer::default()), &[events.concat().as_bytes()]);
            let class = failure.map(|failure| failure.class);
            assert_eq!((calls(&pieces).len(), class), (0, Some(Class::Interrupted)), "event {damaged}");
        }
    }

    #[test]
    fn tool_calls_that_nobody_can_carry_out() {
        let of = |arguments: &str, finish: &str| {
            let call = json!([{ "index": 0, "id": "c", "function": { "name": "open_app", "arguments": arguments } }]);
            let chunk = json!({ "choices": [{ "delta": { "tool_calls": call }, "finish_reason": finish }] });
            decode_all(JsonEvents::new(Answer::default()), &[format!("data: {chunk}\n\n").as_bytes()])
        };
        let (pieces, failure) = of("{\"name\": \"No", "tool_calls");
        assert_eq!((calls(&pieces).len(), failure.map(|failure| failure.class)), (0, Some(Class::Empty)));
        let (pieces, failure) = of("{\"name\": \"No", "length");
        assert_eq!((calls(&pieces).len(), failure, end(&pieces).0), (0, None, Finish::Length));
        let (pieces, failure) = of("", "stop");
        assert_eq!((calls(&pieces), failure), (vec![("c", "open_app", "{}")], None));
        assert_eq!(end(&pieces).0, Finish::ToolCalls);
    }
}
