//! Streams of JSON values: server-sent events, or plain JSON from a server that does not stream.

use serde_json::Value;

use super::decoder::Decoder;
use super::sse::{self, SseItem};
use super::{error_reply, json};
use crate::redact::shorten;
use crate::types::{Failure, FailureKind};

/// The most unreadable events that are skipped before the stream counts as broken. A proxy can damage one; whether the answer is
/// complete shows at its end.
const MAX_DAMAGED: u32 = 3;

/// Interprets the JSON values of one stream format.
pub(crate) trait JsonReader: Send + 'static {
    /// The events it produces.
    type Output: Send + 'static;
    /// Reads an event in the commonest form of its format without building a [`Value`]. Returns false, and changes nothing, for any
    /// other form, which [`JsonReader::value`] then reads.
    fn common(&mut self, _data: &str, _out: &mut Vec<Self::Output>) -> bool {
        false
    }
    /// Reads one value that is not an error.
    fn value(&mut self, value: &Value, out: &mut Vec<Self::Output>) -> Result<(), Failure>;
    /// Ends the stream. `is_done`: the server sent `[DONE]`. Fails unless the answer is complete.
    fn end(&mut self, is_done: bool, out: &mut Vec<Self::Output>) -> Result<(), Failure>;
    /// Whether any content has been produced.
    fn has_content(&self) -> bool;
    /// Whether the answer is complete, though usage may still follow.
    fn has_ended(&self) -> bool;
    /// Notes that a damaged event was skipped.
    fn lost_event(&mut self) {}
}

/// Decodes a stream of JSON values with a [`JsonReader`].
#[derive(Debug)]
pub(crate) struct JsonEvents<D> {
    events: sse::SseDecoder,
    raw: JsonLines,
    reader: D,
    damaged: u32,
    complete: bool,
}

impl<D: JsonReader> JsonEvents<D> {
    /// A decoder for events of text, of at most [`sse::MAX_EVENT`] bytes.
    pub(crate) fn new(reader: D) -> Self {
        Self::with_limit(reader, sse::MAX_EVENT)
    }

    /// A decoder for events of at most `limit` bytes.
    pub(crate) fn with_limit(reader: D, limit: usize) -> Self {
        Self {
            events: sse::SseDecoder::with_limit(limit),
            raw: JsonLines { limit, ..JsonLines::default() },
            reader,
            damaged: 0,
            complete: false,
        }
    }

    fn items(&mut self, items: Vec<SseItem>, out: &mut Vec<D::Output>) -> Result<(), Failure> {
        for item in items {
            if self.complete {
                break; // ignore whatever follows the end
            }
            match item {
                SseItem::Event(event) if event.data.trim() == "[DONE]" => {
                    self.reader.end(true, out)?;
                    self.complete = true;
                }
                SseItem::Event(event) if event.name.is_empty() && self.reader.common(&event.data, out) => {}
                SseItem::Event(event) => match serde_json::from_str(&event.data) {
                    Ok(value) => self.value(&value, event.name == "error", out)?,
                    Err(_) if event.name == "error" => {
                        return Err(self.failed(Failure::new(FailureKind::Overloaded, shorten(&event.data))));
                    }
                    Err(_) if event.data.trim_start().starts_with(['{', '[']) => {
                        self.damaged += 1;
                        self.reader.lost_event();
                        if self.damaged > MAX_DAMAGED {
                            return Err(error_reply::interrupted(
                                self.reader.has_content(),
                                "The provider sent events that cannot be read.",
                            ));
                        }
                    }
                    Err(_) => {} // a keep-alive in plain text
                },
                SseItem::Line(line) => {
                    if let Some(text) = self.raw.push(&line).map_err(|_| self.too_long())? {
                        let value = json::parse(text.as_bytes()).map_err(|failure| self.failed(failure))?;
                        self.value(&value, false, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, is_error: bool, out: &mut Vec<D::Output>) -> Result<(), Failure> {
        if let Value::Array(values) = value {
            return values.iter().try_for_each(|value| self.value(value, is_error, out));
        }
        if let Some(failure) = error_reply::in_success(value) {
            return Err(self.failed(failure));
        }
        if is_error {
            let wrapped = serde_json::json!({ "error": value });
            let failure = error_reply::in_success(&wrapped).unwrap_or_else(|| {
                Failure::new(FailureKind::Overloaded, "The provider reported an error without a message.")
            });
            return Err(self.failed(failure));
        }
        self.reader.value(value, out)
    }

    fn failed(&self, failure: Failure) -> Failure {
        error_reply::mid_stream(failure, self.reader.has_content())
    }

    fn too_long(&self) -> Failure {
        error_reply::interrupted(self.reader.has_content(), "The provider sent an event that exceeds the size limit.")
    }
}

impl<D: JsonReader> Decoder for JsonEvents<D> {
    type Output = D::Output;

    /// A few events of text, so that the first of many events that arrive together is not delayed by the decoding of the others.
    const MAX_CHUNK: usize = 512;

    fn push(&mut self, bytes: &[u8], out: &mut Vec<Self::Output>) -> Result<(), Failure> {
        let mut items = Vec::new();
        let pushed = self.events.push(bytes, &mut items);
        self.items(items, out)?;
        pushed.map_err(|_| self.too_long())
    }

    fn finish(&mut self, out: &mut Vec<Self::Output>) -> Result<(), Failure> {
        if self.complete {
            return Ok(());
        }
        let mut items = Vec::new();
        self.events.finish(&mut items).map_err(|_| self.too_long())?;
        self.items(items, out)?;
        if self.complete {
            return Ok(());
        }
        self.complete = true;
        if self.raw.foreign && !self.reader.has_content() {
            return Err(Failure::new(
                FailureKind::Unreachable,
                "The reply is not a stream. Check the provider's base URL and the network.",
            ));
        }
        self.reader.end(false, out)
    }

    fn has_content(&self) -> bool {
        self.reader.has_content()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn has_ended(&self) -> bool {
        self.reader.has_ended()
    }
}

/// Joins lines until they form one JSON value.
#[derive(Debug, Default)]
struct JsonLines {
    text: String,
    depth: usize,
    in_string: bool,
    escaped: bool,
    limit: usize,
    /// Whether there were lines that are neither events nor JSON, such as those of a web page.
    foreign: bool,
}

impl JsonLines {
    fn push(&mut self, line: &str) -> Result<Option<String>, sse::EventTooLong> {
        if self.text.is_empty() && !line.trim_start().starts_with(['{', '[']) {
            self.foreign = true;
            return Ok(None);
        }
        if self.text.len() + line.len() >= self.limit {
            return Err(sse::EventTooLong { limit: self.limit });
        }
        for byte in line.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.text.push_str(line);
        self.text.push('\n');
        Ok((self.depth == 0).then(|| std::mem::take(&mut self.text)))
    }
}
