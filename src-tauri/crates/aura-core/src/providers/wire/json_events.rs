//! A stream of JSON values: server-sent events in the rule, and plain JSON where a server answers so instead.

use serde_json::Value;

use super::sse::{self, Item};
use super::stream::Decoder;
use super::{errors, http};
use crate::providers::{Class, Failure};

/// Events that cannot be read and are passed over before a stream counts as broken. One can be the work of a proxy; the end tells
/// whether the answer is complete.
const DAMAGED: u32 = 3;

/// What the values of one dialect mean.
pub(in crate::providers) trait Dialect: Send + 'static {
    /// What they become.
    type Piece: Send + 'static;
    /// Takes one value that is no error.
    fn value(&mut self, value: &Value, out: &mut Vec<Self::Piece>) -> Result<(), Failure>;
    /// The stream is over, or said `[DONE]`.
    fn end(&mut self, said_done: bool, out: &mut Vec<Self::Piece>) -> Result<(), Failure>;
    /// Whether something of the answer was made already.
    fn has_content(&self) -> bool;
    /// Whether the answer said that it is complete: what may still come is not missed.
    fn has_ended(&self) -> bool;
    /// A value could not be read and is missing from now on.
    fn missed(&mut self) {}
}

/// Decodes a stream of one dialect.
#[derive(Debug)]
pub(in crate::providers) struct JsonEvents<D> {
    events: sse::Decoder,
    raw: RawJson,
    dialect: D,
    damaged: u32,
    complete: bool,
}

impl<D: Dialect> JsonEvents<D> {
    /// For events of text.
    pub(in crate::providers) fn new(dialect: D) -> Self {
        Self::with_limit(dialect, sse::MAX_EVENT)
    }

    /// For events that may be longer.
    pub(in crate::providers) fn with_limit(dialect: D, limit: usize) -> Self {
        Self {
            events: sse::Decoder::with_limit(limit),
            raw: RawJson { limit, ..RawJson::default() },
            dialect,
            damaged: 0,
            complete: false,
        }
    }

    fn items(&mut self, items: Vec<Item>, out: &mut Vec<D::Piece>) -> Result<(), Failure> {
        for item in items {
            if self.complete {
                break; // whatever follows the end is not part of the answer
            }
            match item {
                Item::Event(event) if event.data.trim() == "[DONE]" => {
                    self.dialect.end(true, out)?;
                    self.complete = true;
                }
                Item::Event(event) => match serde_json::from_str(&event.data) {
                    Ok(value) => self.value(&value, event.name == "error", out)?,
                    Err(_) if event.name == "error" => {
                        return Err(self.failed(Failure::new(Class::Overloaded, errors::shorten(&event.data))));
                    }
                    Err(_) if event.data.trim_start().starts_with(['{', '[']) => {
                        self.damaged += 1;
                        self.dialect.missed();
                        if self.damaged > DAMAGED {
                            return Err(errors::broken(
                                self.dialect.has_content(),
                                "The provider sent events that cannot be read.",
                            ));
                        }
                    }
                    Err(_) => {} // a ping in words
                },
                Item::Raw(line) => {
                    if let Some(text) = self.raw.push(&line).map_err(|_| self.too_long())? {
                        let value = http::parse(text.as_bytes()).map_err(|failure| self.failed(failure))?;
                        self.value(&value, false, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, is_error: bool, out: &mut Vec<D::Piece>) -> Result<(), Failure> {
        if let Value::Array(values) = value {
            return values.iter().try_for_each(|value| self.value(value, is_error, out));
        }
        if let Some(failure) = errors::in_success(value) {
            return Err(self.failed(failure));
        }
        if is_error {
            let wrapped = serde_json::json!({ "error": value });
            let failure = errors::in_success(&wrapped)
                .unwrap_or_else(|| Failure::new(Class::Overloaded, "The provider reports an error."));
            return Err(self.failed(failure));
        }
        self.dialect.value(value, out)
    }

    fn failed(&self, failure: Failure) -> Failure {
        errors::mid_stream(failure, self.dialect.has_content())
    }

    fn too_long(&self) -> Failure {
        errors::broken(self.dialect.has_content(), "The provider sent an event that is too long.")
    }
}

impl<D: Dialect> Decoder for JsonEvents<D> {
    type Piece = D::Piece;

    /// A few events of text, so that the first words of many that came together do not wait for the last ones.
    const BITE: usize = 512;

    fn push(&mut self, bytes: &[u8], out: &mut Vec<Self::Piece>) -> Result<(), Failure> {
        let mut items = Vec::new();
        let pushed = self.events.push(bytes, &mut items);
        self.items(items, out)?;
        pushed.map_err(|_| self.too_long())
    }

    fn finish(&mut self, out: &mut Vec<Self::Piece>) -> Result<(), Failure> {
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
        if self.raw.foreign && !self.dialect.has_content() {
            return Err(Failure::new(
                Class::Unreachable,
                "The reply is not a stream. Check the provider's address and the network.",
            ));
        }
        self.dialect.end(false, out)
    }

    fn has_content(&self) -> bool {
        self.dialect.has_content()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn has_ended(&self) -> bool {
        self.dialect.has_ended()
    }
}

/// Collects lines until they are one JSON value.
#[derive(Debug, Default)]
struct RawJson {
    text: String,
    depth: usize,
    in_string: bool,
    escaped: bool,
    limit: usize,
    /// Lines came that are neither events nor JSON, such as a web page.
    foreign: bool,
}

impl RawJson {
    fn push(&mut self, line: &str) -> Result<Option<String>, sse::TooLong> {
        if self.text.is_empty() && !line.trim_start().starts_with(['{', '[']) {
            self.foreign = true;
            return Ok(None);
        }
        if self.text.len() + line.len() >= self.limit {
            return Err(sse::TooLong { limit: self.limit });
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
