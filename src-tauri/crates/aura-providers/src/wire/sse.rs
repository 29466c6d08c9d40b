//! Server-sent events, decoded from bytes as they arrive.
//!
//! Lines end at CR, LF or CRLF only, because JSON may contain U+2028. Real servers deviate from the standard in two ways: the last
//! event may lack its blank line, and an error may arrive as plain JSON lines between events. A line that is not a known field is
//! therefore returned as [`SseItem::Line`].

/// The longest event of text that is accepted, in bytes. A chunk of an answer has a few hundred.
pub(crate) const MAX_EVENT: usize = 1024 * 1024;

/// A server-sent event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The `event` field; empty when absent.
    pub(crate) name: String,
    /// The `data` lines, joined by line feeds.
    pub(crate) data: String,
    /// The `id` field.
    pub(crate) id: Option<String>,
    /// The `retry` field, in milliseconds.
    pub(crate) retry: Option<u64>,
}

/// An item of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SseItem {
    /// An event with data.
    Event(SseEvent),
    /// A line that is not a field of an event.
    Line(String),
}

/// An event or a line exceeds the decoder's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {limit} bytes")]
pub(crate) struct EventTooLong {
    /// The limit in bytes.
    pub(crate) limit: usize,
}

/// Decodes a stream from bytes cut anywhere. Call [`SseDecoder::finish`] at the end.
#[derive(Debug)]
pub(crate) struct SseDecoder {
    limit: usize,
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    first_line: bool,
    after_cr: bool,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT)
    }
}

impl SseDecoder {
    /// A decoder for events of at most `limit` bytes.
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { limit, line: Vec::new(), event: SseEvent::default(), has_data: false, first_line: true, after_cr: false }
    }

    /// Decodes the next bytes and appends the items that they complete.
    pub(crate) fn push(&mut self, mut bytes: &[u8], items: &mut Vec<SseItem>) -> Result<(), EventTooLong> {
        if self.after_cr && !bytes.is_empty() {
            // The CR has ended the line. An LF directly after it, even in the next chunk, is part of the same line end.
            self.after_cr = false;
            if bytes[0] == b'\n' {
                bytes = &bytes[1..];
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let cr = bytes[end] == b'\r';
            if self.line.is_empty() {
                // The line arrived in one piece: it is read where it is.
                self.check_size(end)?;
                self.read_line(&bytes[..end], items)?;
            } else {
                self.extend(&bytes[..end])?;
                self.end_line(items)?;
            }
            bytes = &bytes[end + 1..];
            if cr {
                match bytes.first() {
                    Some(b'\n') => bytes = &bytes[1..],
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
        }
        self.extend(bytes)
    }

    /// Ends the stream: appends an event that has no blank line after it.
    pub(crate) fn finish(&mut self, items: &mut Vec<SseItem>) -> Result<(), EventTooLong> {
        if !self.line.is_empty() {
            self.end_line(items)?;
        }
        self.dispatch(items);
        Ok(())
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), EventTooLong> {
        self.check_size(bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Fails when so many more bytes would exceed the limit.
    fn check_size(&self, more: usize) -> Result<(), EventTooLong> {
        let size = self.line.len() + self.event.data.len() + more;
        if size > self.limit { Err(EventTooLong { limit: self.limit }) } else { Ok(()) }
    }

    fn end_line(&mut self, items: &mut Vec<SseItem>) -> Result<(), EventTooLong> {
        let mut bytes = std::mem::take(&mut self.line);
        let result = self.read_line(&bytes, items);
        // The next line is written into the same memory.
        bytes.clear();
        self.line = bytes;
        result
    }

    fn read_line(&mut self, mut line: &[u8], items: &mut Vec<SseItem>) -> Result<(), EventTooLong> {
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(items);
            return Ok(());
        }
        let text = String::from_utf8_lossy(line);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => {} // a comment, which keeps the connection open
            "data" => {
                if self.event.data.len() + value.len() >= self.limit {
                    return Err(EventTooLong { limit: self.limit });
                }
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => self.event.name = value.to_owned(),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "id" => {}
            "retry" => self.event.retry = value.parse().ok(),
            _ => items.push(SseItem::Line(text.into_owned())),
        }
        Ok(())
    }

    fn dispatch(&mut self, items: &mut Vec<SseItem>) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) && !event.data.is_empty() {
            items.push(SseItem::Event(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::recorded;

    fn decode(chunks: &[&[u8]]) -> Vec<SseItem> {
        let mut decoder = SseDecoder::default();
        let mut items = Vec::new();
        for chunk in chunks {
            decoder.push(chunk, &mut items).unwrap();
        }
        decoder.finish(&mut items).unwrap();
        items
    }

    fn data(items: &[SseItem]) -> Vec<&str> {
        items
            .iter()
            .filter_map(|item| if let SseItem::Event(event) = item { Some(event.data.as_str()) } else { None })
            .collect()
    }

    #[test]
    fn all_line_ends_are_equivalent() {
        for text in
            ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r", "data:a\r\n\ndata:b"]
        {
            assert_eq!(data(&decode(&[text.as_bytes()])), ["a", "b"], "{text:?}");
        }
    }

    #[test]
    fn trap_34_crlf_split_between_chunks_is_one_line_end() {
        assert_eq!(data(&decode(&[b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n"])), ["a\nb"]);
    }

    /// Comments, missing spaces, several data lines, other fields, a byte order mark, a last event without its blank line.
    #[test]
    fn trap_33_fields_comments_and_the_byte_order_mark() {
        let text = "\u{feff}: hello\nevent: error\nid: 7\nretry: 1500\ndata: one\ndata:two\n\n: keep-alive\n\n\ndata\n\ndata: last";
        let items = decode(&[text.as_bytes()]);
        assert_eq!(
            items[0],
            SseItem::Event(SseEvent {
                name: "error".into(),
                data: "one\ntwo".into(),
                id: Some("7".into()),
                retry: Some(1500)
            })
        );
        assert_eq!(data(&items), ["one\ntwo", "last"]);
    }

    /// U+2028, U+2029 and U+0085 do not end a line.
    #[test]
    fn trap_22_unicode_line_separators_stay_in_the_data() {
        let text = "data: {\"t\":\"a\u{2028}b\u{2029}c\u{85}d\"}\n\n";
        assert_eq!(data(&decode(&[text.as_bytes()])), ["{\"t\":\"a\u{2028}b\u{2029}c\u{85}d\"}"]);
    }

    #[test]
    fn json_without_a_field_name_is_returned_as_lines() {
        let items = decode(&[recorded::bytes("gemini_stream_error_raw_json.sse").as_slice()]);
        assert_eq!(data(&items).len(), 1);
        let raw: String = items
            .iter()
            .filter_map(|item| if let SseItem::Line(line) = item { Some(line.as_str()) } else { None })
            .collect();
        let value: serde_json::Value = serde_json::from_str(&raw).unwrap();
        assert_eq!(value["error"]["code"], 503);
    }

    #[test]
    fn an_event_over_the_limit_is_an_error() {
        let mut decoder = SseDecoder::with_limit(100);
        let mut items = Vec::new();
        assert_eq!(decoder.push(&[b'x'; 101], &mut items), Err(EventTooLong { limit: 100 }));
        let mut decoder = SseDecoder::with_limit(100);
        let line = format!("data: {}\n", "y".repeat(40));
        assert!((0..5).any(|_| decoder.push(line.as_bytes(), &mut items).is_err()));
    }

    #[test]
    fn every_two_way_split_of_every_recorded_stream_gives_the_same_events() {
        for (name, bytes) in recorded::all(".sse") {
            let whole = decode(&[&bytes]);
            assert!(!whole.is_empty(), "{name}");
            for cut in 0..bytes.len() {
                assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]), whole, "{name} cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(which in 0usize..64, cuts in prop::collection::vec(0usize..4096, 0..40)) {
            let streams = recorded::all(".sse");
            let (_, bytes) = &streams[which % streams.len()];
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&chunks), decode(&[bytes]));
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_split_the_same(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]), decode(&[&bytes]));
        }
    }
}
