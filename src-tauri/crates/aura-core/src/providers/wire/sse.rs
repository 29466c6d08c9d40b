//! Server-sent events, decoded from bytes as they arrive.
//!
//! Lines end at CR, LF or CRLF and nowhere else: JSON may hold U+2028 as it is. Two habits of real servers go beyond the
//! standard: a last event may lack its blank line, and an error may come as plain JSON lines between events, so a line that
//! is no known field is handed over as [`Item::Raw`].

/// The longest event of text that is believed. A chunk of an answer is a few hundred bytes.
pub const MAX_EVENT: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty when there was none.
    pub name: String,
    /// The `data` lines, joined by line feeds.
    pub data: String,
    /// The `id` field.
    pub id: Option<String>,
    /// The `retry` field, in milliseconds.
    pub retry: Option<u64>,
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event with data.
    Event(Event),
    /// A line that belongs to no event.
    Raw(String),
}

/// An event or a line was longer than the decoder allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {limit} bytes")]
pub struct TooLong {
    /// The limit in bytes.
    pub limit: usize,
}

/// The decoder. Give it bytes cut anywhere, then [`Decoder::finish`].
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    first_line: bool,
    after_cr: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT)
    }
}

impl Decoder {
    /// A decoder whose events may be `limit` bytes long.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, line: Vec::new(), event: Event::default(), has_data: false, first_line: true, after_cr: false }
    }

    /// Takes the next bytes and appends what they complete.
    pub fn push(&mut self, mut bytes: &[u8], items: &mut Vec<Item>) -> Result<(), TooLong> {
        if self.after_cr && !bytes.is_empty() {
            // The CR ended the line already; an LF right behind it belongs to it, also in the next chunk.
            self.after_cr = false;
            if bytes[0] == b'\n' {
                bytes = &bytes[1..];
            }
        }
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n' || byte == b'\r') {
            self.extend(&bytes[..end])?;
            let cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(items)?;
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

    /// The stream is over: hands out what was not closed by a blank line.
    pub fn finish(&mut self, items: &mut Vec<Item>) -> Result<(), TooLong> {
        if !self.line.is_empty() {
            self.end_line(items)?;
        }
        self.dispatch(items);
        Ok(())
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.event.data.len() + bytes.len() > self.limit {
            return Err(TooLong { limit: self.limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, items: &mut Vec<Item>) -> Result<(), TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = bytes.as_slice();
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
            "" => {} // a comment, sent to keep the connection open
            "data" => {
                if self.event.data.len() + value.len() >= self.limit {
                    return Err(TooLong { limit: self.limit });
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
            _ => items.push(Item::Raw(text.into_owned())),
        }
        Ok(())
    }

    fn dispatch(&mut self, items: &mut Vec<Item>) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) && !event.data.is_empty() {
            items.push(Item::Event(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::providers::wire::recorded;

    fn decode(chunks: &[&[u8]]) -> Vec<Item> {
        let mut decoder = Decoder::default();
        let mut items = Vec::new();
        for chunk in chunks {
            decoder.push(chunk, &mut items).unwrap();
        }
        decoder.finish(&mut items).unwrap();
        items
    }

    fn data(items: &[Item]) -> Vec<&str> {
        items
            .iter()
            .filter_map(|item| if let Item::Event(event) = item { Some(event.data.as_str()) } else { None })
            .collect()
    }

    #[test]
    fn all_line_ends_make_the_same_events() {
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
            Item::Event(Event {
                name: "error".into(),
                data: "one\ntwo".into(),
                id: Some("7".into()),
                retry: Some(1500)
            })
        );
        assert_eq!(data(&items), ["one\ntwo", "last"]);
    }

    /// U+2028, U+2029 and U+0085 end no line.
    #[test]
    fn trap_22_unicode_line_separators_stay_in_the_data() {
        let text = "data: {\"t\":\"a\u{2028}b\u{2029}c\u{85}d\"}\n\n";
        assert_eq!(data(&decode(&[text.as_bytes()])), ["{\"t\":\"a\u{2028}b\u{2029}c\u{85}d\"}"]);
    }

    #[test]
    fn json_without_a_field_name_is_handed_over() {
        let items = decode(&[recorded::bytes("gemini_stream_error_raw_json.sse").as_slice()]);
        assert_eq!(data(&items).len(), 1);
        let raw: String = items
            .iter()
            .filter_map(|item| if let Item::Raw(line) = item { Some(line.as_str()) } else { None })
            .collect();
        let value: serde_json::Value = serde_json::from_str(&raw).unwrap();
        assert_eq!(value["error"]["code"], 503);
    }

    #[test]
    fn an_endless_event_is_an_error() {
        let mut decoder = Decoder::with_limit(100);
        let mut items = Vec::new();
        assert_eq!(decoder.push(&[b'x'; 101], &mut items), Err(TooLong { limit: 100 }));
        let mut decoder = Decoder::with_limit(100);
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
