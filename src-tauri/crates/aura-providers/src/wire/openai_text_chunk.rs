//! The commonest chunk of a chat completion in OpenAI's format: one piece of text.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A chunk that holds text and nothing else of meaning. Answers consist of hundreds of these, so they are read without allocating.
///
/// A field that is not listed here, or a value where null is expected, makes a chunk another one: it may be an error, usage, reasoning, a
/// tool call or the end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextChunk<'a> {
    /// The model that answers; empty when absent.
    #[serde(borrow, default)]
    pub(crate) model: Cow<'a, str>,
    /// The single choice.
    #[serde(borrow)]
    pub(crate) choices: [TextChoice<'a>; 1],
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    #[serde(default, rename = "object")]
    _object: IgnoredAny,
    #[serde(default, rename = "created")]
    _created: IgnoredAny,
    #[serde(default, rename = "system_fingerprint")]
    _system_fingerprint: IgnoredAny,
    #[serde(default, rename = "service_tier")]
    _service_tier: IgnoredAny,
    /// OpenAI: padding against guessing the text from the length of encrypted packets.
    #[serde(default, rename = "obfuscation")]
    _obfuscation: IgnoredAny,
    /// OpenRouter: who answers.
    #[serde(default, rename = "provider")]
    _provider: IgnoredAny,
    #[serde(default, rename = "usage")]
    _usage: (),
    #[serde(default, rename = "x_groq")]
    _x_groq: (),
}

/// The choice of a [`TextChunk`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextChoice<'a> {
    #[serde(borrow)]
    pub(crate) delta: TextDelta<'a>,
    #[serde(default, rename = "index")]
    _index: IgnoredAny,
    #[serde(default, rename = "logprobs")]
    _logprobs: (),
    #[serde(default, rename = "finish_reason")]
    _finish_reason: (),
    #[serde(default, rename = "native_finish_reason")]
    _native_finish_reason: (),
}

/// The delta of a [`TextChoice`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextDelta<'a> {
    #[serde(borrow)]
    pub(crate) content: Cow<'a, str>,
    #[serde(default, rename = "role")]
    _role: IgnoredAny,
    #[serde(default, rename = "refusal")]
    _refusal: (),
    #[serde(default, rename = "tool_calls")]
    _tool_calls: (),
    #[serde(default, rename = "function_call")]
    _function_call: (),
    #[serde(default, rename = "reasoning")]
    _reasoning: (),
    #[serde(default, rename = "reasoning_content")]
    _reasoning_content: (),
}

impl<'a> TextChunk<'a> {
    /// Reads a chunk that has text; `None` for any other.
    pub(crate) fn parse(data: &'a str) -> Option<Self> {
        serde_json::from_str(data).ok().filter(|chunk: &Self| !chunk.choices[0].delta.content.is_empty())
    }
}

/// A parsed chunk without its text. The chunks of an answer rarely differ in anything else, and such a chunk need not be parsed.
#[derive(Debug, Default)]
pub(crate) struct ChunkTemplate {
    /// Everything before the text; empty until a chunk was learnt.
    prefix: String,
    /// Everything after it.
    suffix: String,
}

impl ChunkTemplate {
    /// Takes over a chunk that was parsed from `data`.
    pub(crate) fn learn(&mut self, data: &str, chunk: &TextChunk<'_>) {
        // An owned text had escapes, and is not a part of the data.
        let Cow::Borrowed(text) = chunk.choices[0].delta.content else { return };
        let start = text.as_ptr().addr() - data.as_ptr().addr();
        (self.prefix, self.suffix) = (data[..start].to_owned(), data[start + text.len()..].to_owned());
    }

    /// The text of a chunk that differs from the last one only in it, and needs no decoding.
    pub(crate) fn text<'a>(&self, data: &'a str) -> Option<&'a str> {
        if self.prefix.is_empty() {
            return None;
        }
        let text = data.strip_prefix(self.prefix.as_str())?.strip_suffix(self.suffix.as_str())?;
        // Anything else ends the text, is an escape, or is no valid JSON.
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        (!text.is_empty() && text.bytes().all(is_plain)).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ChatEvent, Failure};
    use crate::wire::decoder::decode_all;
    use crate::wire::json_events::{JsonEvents, JsonReader};
    use crate::wire::openai_chat::OpenaiChatReader;
    use crate::wire::recorded;

    /// The general reader alone.
    #[derive(Default)]
    struct General(OpenaiChatReader);

    impl JsonReader for General {
        type Output = ChatEvent;

        fn value(&mut self, value: &serde_json::Value, out: &mut Vec<ChatEvent>) -> Result<(), Failure> {
            self.0.value(value, out)
        }

        fn end(&mut self, is_done: bool, out: &mut Vec<ChatEvent>) -> Result<(), Failure> {
            self.0.end(is_done, out)
        }

        fn has_content(&self) -> bool {
            self.0.has_content()
        }

        fn has_ended(&self) -> bool {
            self.0.has_ended()
        }

        fn lost_event(&mut self) {
            self.0.lost_event();
        }
    }

    #[test]
    fn both_readers_agree_on_every_recorded_stream() {
        for (name, bytes) in recorded::all(".sse") {
            let general = decode_all(JsonEvents::new(General::default()), &[&bytes]);
            assert_eq!(decode_all(JsonEvents::new(OpenaiChatReader::default()), &[&bytes]), general, "{name}");
        }
    }

    #[test]
    fn ordinary_text_of_every_server_is_read() {
        let text = |data: &'static str| TextChunk::parse(data).map(|chunk| chunk.choices[0].delta.content.to_string());
        for data in [
            r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a\nb"},"finish_reason":null}]}"#,
            r#"{"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"a\nb","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}"#,
            r#"{"choices":[{"delta":{"content":"a\nb"}}],"provider":"Groq","service_tier":"default"}"#,
        ] {
            assert_eq!(text(data).as_deref(), Some("a\nb"), "{data}");
        }
    }

    #[test]
    fn a_chunk_that_differs_only_in_its_text_is_read_without_parsing_it() {
        let chunk =
            |text: &str| format!(r#"{{"model":"m","choices":[{{"delta":{{"content":"{text}"}}}}],"usage":null}}"#);
        let mut template = ChunkTemplate::default();
        let first = chunk("one");
        assert_eq!(template.text(&first), None, "nothing is known yet");
        template.learn(&first, &TextChunk::parse(&first).unwrap());
        for text in ["two", " 😀 ", "}", "one"] {
            assert_eq!(template.text(&chunk(text)), Some(text));
        }
        // An escape, a quote that ends the text, a control character, and no text at all.
        for text in [r"a\nb", r#"a"},"finish_reason":"stop","x":{"y":"z"#, "a\tb", ""] {
            assert_eq!(template.text(&chunk(text)), None, "{text:?}");
        }
        assert_eq!(template.text(&chunk("two").replace("null", "{}")), None, "another end");
        assert_eq!(template.text(&chunk("two").replace("\"m\"", "\"n\"")), None, "another beginning");
    }

    #[test]
    fn anything_else_is_left_to_the_general_reader() {
        for data in [
            r#"{"choices":[{"delta":{"content":""}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"x_groq":{"error":"over_capacity"}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":{"message":"over capacity"}}"#,
            r#"{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","channel":"analysis"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","tool_calls":[{}]}}]}"#,
            r#"{"choices":[{"delta":{"content":[{"text":"a"}]}}]}"#,
            r#"{"choices":[{"message":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]"#,
        ] {
            assert!(TextChunk::parse(data).is_none(), "{data}");
        }
    }
}
