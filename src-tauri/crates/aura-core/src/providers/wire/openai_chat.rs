//! Chat completions in OpenAI's dialect: the request, and the answer as a stream or whole.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::errors;
use super::json_events::Dialect;
use super::think;
use crate::providers::{ChatPiece, ChatRequest, Class, Failure, Finish, RateLimit, Role, Usage};

/// What differs from server to server.
#[derive(Debug, Clone, Copy)]
pub(in crate::providers) struct Shape<'a> {
    /// `max_completion_tokens`, or `max_tokens` for servers that ignore the new name.
    pub(in crate::providers) max_tokens_field: &'a str,
    /// Whether usage must be asked for.
    pub(in crate::providers) stream_options: bool,
    /// More fields, from the catalog: how much the model should reason.
    pub(in crate::providers) params: Option<&'a Map<String, Value>>,
}

/// The body of `POST chat/completions`. Fields that would be null are left out: some servers refuse them.
pub(in crate::providers) fn request(request: &ChatRequest, shape: Shape<'_>) -> Value {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(json!({ "role": "system", "content": request.system }));
    }
    let question = request.messages.iter().rposition(|message| message.role == Role::User);
    for (index, message) in request.messages.iter().enumerate() {
        let image = request.image.as_ref().filter(|_| Some(index) == question);
        let content = match image {
            Some(image) => json!([
                { "type": "text", "text": message.text },
                { "type": "image_url", "image_url": { "url": data_url(image) } },
            ]),
            None => json!(message.text),
        };
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        messages.push(json!({ "role": role, "content": content }));
    }
    let mut body = json!({ "model": request.model, "messages": messages, "stream": true });
    body[shape.max_tokens_field] = json!(request.max_tokens);
    if shape.stream_options {
        body["stream_options"] = json!({ "include_usage": true });
    }
    for (name, value) in shape.params.into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// A picture as every server takes it; a web address is refused by most local ones.
fn data_url(image: &[u8]) -> String {
    format!("data:{};base64,{}", image_type(image), STANDARD.encode(image))
}

/// The media type of a PNG or a JPEG.
pub(in crate::providers) fn image_type(image: &[u8]) -> &'static str {
    if image.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
}

/// Reads the chunks of an answer, or a whole one from a server that does not stream.
#[derive(Debug, Default)]
pub(in crate::providers) struct Answer {
    thoughts: think::Filter,
    usage: Usage,
    finish: Option<Finish>,
    content: bool,
}

impl Answer {
    /// An answer of a reply that told what is left of the allowance.
    pub(in crate::providers) fn new(rate_limit: Option<RateLimit>) -> Self {
        Self { usage: Usage { rate_limit, ..Usage::default() }, ..Self::default() }
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

    fn read_usage(&mut self, usage: &Value) {
        let number = |name: &str| usage[name].as_u64().and_then(|number| u32::try_from(number).ok());
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
        if reasoning || (analysis && has_text) {
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
        let rest = self.thoughts.finish();
        self.say(rest, false, out);
        match self.finish {
            Some(finish) => out.push(ChatPiece::End { finish, usage: std::mem::take(&mut self.usage) }),
            // Some servers leave the reason out but do say that they are done.
            None if said_done && self.content => {
                out.push(ChatPiece::End { finish: Finish::Stop, usage: std::mem::take(&mut self.usage) });
            }
            None if said_done => return Err(Failure::new(Class::Empty, "The provider answered without a word.")),
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

    #[test]
    fn errors_inside_a_success_in_all_their_forms() {
        for (name, words, class, says) in [
            ("groq_chat_stream_error_event.sse", "Let me", Class::Interrupted, "Tool call validation failed"),
            ("groq_chat_stream_error_data.sse", "", Class::Overloaded, "over capacity"),
            ("groq_chat_stream_error_x_groq.sse", "Half", Class::Interrupted, "over_capacity"),
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

    fn question() -> ChatRequest {
        ChatRequest {
            model: "openai/gpt-oss-20b".into(),
            system: "You are AURA.".into(),
            messages: vec![Message { role: Role::User, text: "Say hello.".into() }],
            image: None,
            max_tokens: 256,
        }
    }

    #[test]
    fn the_request_is_the_recorded_one() {
        let params = json!({ "reasoning_effort": "low", "include_reasoning": false });
        let shape =
            Shape { max_tokens_field: "max_completion_tokens", stream_options: false, params: params.as_object() };
        let mut expected = recorded::json("groq_chat_request.json");
        let fields = expected.as_object_mut().unwrap();
        // Not sent: the provider's own defaults are what AURA wants.
        fields.remove("temperature");
        fields.remove("service_tier");
        assert_eq!(request(&question(), shape), expected);
    }

    #[test]
    fn the_request_with_a_picture_is_the_recorded_one() {
        let asked = ChatRequest {
            model: "qwen/qwen3.8-27b".into(),
            system: String::new(),
            messages: vec![Message { role: Role::User, text: "What is on this screen?".into() }],
            image: Some(Bytes::from_static(b"\xff\xd8\xff\xe0\x00\x10JFIF")),
            max_tokens: 512,
        };
        let params = json!({ "reasoning_effort": "none" });
        let shape =
            Shape { max_tokens_field: "max_completion_tokens", stream_options: false, params: params.as_object() };
        assert_eq!(request(&asked, shape), recorded::json("groq_chat_request_vision.json"));
    }

    #[test]
    fn the_picture_belongs_to_the_last_question() {
        let mut asked = question();
        asked.messages.push(Message { role: Role::Assistant, text: "Hello.".into() });
        asked.messages.push(Message { role: Role::User, text: "And now?".into() });
        asked.image = Some(Bytes::from_static(b"\x89PNG"));
        let body = request(&asked, Shape { max_tokens_field: "max_tokens", stream_options: true, params: None });
        assert_eq!(body["messages"][1]["content"], "Say hello.");
        assert_eq!(body["messages"][3]["content"][1]["image_url"]["url"], "data:image/png;base64,iVBORw==");
        assert_eq!((&body["max_tokens"], &body["stream_options"]["include_usage"]), (&json!(256), &json!(true)));
    }
}
