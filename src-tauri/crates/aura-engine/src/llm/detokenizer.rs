//! The text of an answer, from the bytes of its tokens: whole characters, and nothing of the texts that end it.

/// Joins the bytes of tokens to text.
#[derive(Debug, Default)]
pub(super) struct Detokenizer {
    stops: Vec<String>,
    /// The start of a character whose rest has not come yet.
    bytes: Vec<u8>,
    /// Text that may be the start of one of `stops`.
    held: String,
}

/// What [`Detokenizer::push`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Text that is certain now.
    pub(super) text: String,
    /// A stop text came: the answer ends here.
    pub(super) stopped: bool,
}

impl Detokenizer {
    pub(super) fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(), ..Self::default() }
    }

    /// Adds the bytes of a token.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Piece {
        self.bytes.extend_from_slice(bytes);
        self.decode(false);
        self.release(false)
    }

    /// Ends an answer that no stop text ended. Returns the text that was held back.
    pub(super) fn finish(&mut self) -> String {
        self.decode(true);
        self.release(true).text
    }

    /// Moves whole characters from `bytes` to `held`. At the `end` the start of a character is broken for good.
    fn decode(&mut self, end: bool) {
        let mut rest = self.bytes.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.held.push_str(text);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (text, after) = rest.split_at(error.valid_up_to());
                    self.held.push_str(&String::from_utf8_lossy(text));
                    let Some(broken) = error.error_len().or_else(|| end.then_some(after.len())) else {
                        rest = after;
                        break;
                    };
                    self.held.push(char::REPLACEMENT_CHARACTER);
                    rest = &after[broken..];
                }
            }
        }
        self.bytes = rest.to_vec();
    }

    fn release(&mut self, end: bool) -> Piece {
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            let text = self.held[..at].to_owned();
            self.held.clear();
            return Piece { text, stopped: true };
        }
        let keep = if end { 0 } else { self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0) };
        let rest = self.held.split_off(self.held.len() - keep);
        Piece { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }
}

/// The length of the longest end of `text` that is the beginning of `stop`, in bytes.
fn overlap(text: &str, stop: &str) -> usize {
    stop.char_indices()
        .map(|(at, _)| at)
        .filter(|&length| length > 0 && text.ends_with(&stop[..length]))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text and whether it was stopped, cut into pieces of `size` bytes.
    fn run(text: &[u8], size: usize, stops: &[&str]) -> (String, bool) {
        let mut pieces = Detokenizer::new(&stops.iter().map(ToString::to_string).collect::<Vec<_>>());
        let mut out = String::new();
        for bytes in text.chunks(size) {
            let Piece { text, stopped } = pieces.push(bytes);
            out.push_str(&text);
            if stopped {
                return (out, true);
            }
        }
        out.push_str(&pieces.finish());
        (out, false)
    }

    #[test]
    fn characters_come_whole_wherever_they_are_cut() {
        let text = "Grüße, 你好 👩‍🚀!";
        for size in 1..text.len() {
            assert_eq!(run(text.as_bytes(), size, &[]), (text.to_owned(), false), "{size}");
        }
        let mut pieces = Detokenizer::new(&[]);
        assert_eq!(pieces.push(&"ü".as_bytes()[..1]).text, "");
        assert_eq!(pieces.push(&"ü".as_bytes()[1..]).text, "ü");
    }

    #[test]
    fn bytes_that_are_no_text_become_a_replacement_character() {
        assert_eq!(run(b"a\xffb", 1, &[]).0, "a\u{fffd}b");
        assert_eq!(run(b"a\xe4\xbd", 1, &[]).0, "a\u{fffd}", "cut inside a character");
        assert_eq!(run(b"\xe4\xbdx", 1, &[]).0, "\u{fffd}x");
    }

    #[test]
    fn a_stop_text_ends_the_answer_wherever_it_is_cut() {
        for size in 1..12 {
            assert_eq!(run(b"one\nUser: two", size, &["\nUser:", "two"]), ("one".into(), true), "{size}");
            assert_eq!(run(b"one\nUse it", size, &["\nUser:"]), ("one\nUse it".into(), false), "{size}");
            assert_eq!(run("één ééf".as_bytes(), size, &["ééf"]), ("één ".into(), true), "{size}");
        }
        assert_eq!(run(b"text", 1, &[""]), ("text".into(), false), "an empty stop text stops nothing");
    }
}
