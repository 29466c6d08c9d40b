//! Keeps a model's thoughts out of the answer where a server leaves them in the text, as `<think>…</think>`.

use std::mem::take;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";
/// How much of what may be thoughts without a beginning is kept, in bytes: longer ones were thoughts, and their beginning is not
/// missed.
const MAX_HELD: usize = 64 * 1024;

/// Splits text that arrives in pieces cut anywhere, also inside a tag.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    held: String,
    thinking: bool,
    /// The model begins to think with no mark: nothing is said before the mark of the end. Should none come, it was the answer.
    unmarked: bool,
    /// Thoughts were seen and are over.
    thought: bool,
    spoke: bool,
}

impl Filter {
    /// For a model that does or does not begin to think with no mark of where it begins.
    pub(crate) fn new(unmarked: bool) -> Self {
        Self { unmarked, ..Self::default() }
    }

    /// The part of the text so far that is for the person, and whether thoughts were dropped.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        let (mut out, mut thought) = (String::new(), false);
        loop {
            if self.unmarked {
                match (self.held.find(OPEN), self.held.find(CLOSE)) {
                    (None, None) => {
                        self.trim();
                        thought = true;
                        break;
                    }
                    // It marks them after all.
                    (Some(open), close) if close.is_none_or(|close| open < close) => self.unmarked = false,
                    (_, close) => self.end_thoughts(close.unwrap_or_default()),
                }
                continue;
            }
            if self.thinking {
                thought = true;
                match self.held.find(CLOSE) {
                    Some(at) => self.end_thoughts(at),
                    None => {
                        let keep = tail(&self.held, &[CLOSE]);
                        self.held.drain(..self.held.len() - keep);
                        break;
                    }
                }
            } else {
                let open = self.held.find(OPEN);
                let close = self.held.find(CLOSE);
                match (open, close) {
                    // A close without an open: the template opened it before the answer began, and all up to here were thoughts.
                    // What was handed on before cannot be taken back.
                    (open, Some(at)) if open.is_none_or(|open| at < open) => {
                        if self.thought {
                            out.push_str(&self.held[..at]);
                        } else {
                            out.clear();
                            thought = true;
                        }
                        self.end_thoughts(at);
                    }
                    (Some(at), _) => {
                        out.push_str(&self.held[..at]);
                        self.held.drain(..at + OPEN.len());
                        self.thinking = true;
                    }
                    _ => {
                        let keep = tail(&self.held, &[OPEN, CLOSE]);
                        let rest = self.held.split_off(self.held.len() - keep);
                        out.push_str(&take(&mut self.held));
                        self.held = rest;
                        break;
                    }
                }
            }
        }
        (self.open_up(out), thought)
    }

    fn end_thoughts(&mut self, at: usize) {
        self.held.drain(..at + CLOSE.len());
        (self.thinking, self.unmarked, self.thought) = (false, false, true);
    }

    /// Forgets the beginning of what is surely thoughts by its length.
    fn trim(&mut self) {
        if self.held.len() > MAX_HELD {
            let cut = (self.held.len() - MAX_HELD / 2..).find(|at| self.held.is_char_boundary(*at)).unwrap_or_default();
            self.held.drain(..cut);
        }
    }

    /// What was held back, when the answer is over.
    pub(crate) fn finish(&mut self) -> String {
        let held = take(&mut self.held);
        if self.thinking { String::new() } else { self.open_up(held) }
    }

    /// The same when it was cut: what has not left its thoughts is no answer.
    pub(crate) fn cut(&mut self) -> String {
        if self.unmarked {
            self.held.clear();
        }
        self.finish()
    }

    /// The blank lines between the thoughts and the answer are not the answer's.
    fn open_up(&mut self, text: String) -> String {
        if self.spoke {
            return text;
        }
        let trimmed = text.trim_start();
        self.spoke = !trimmed.is_empty();
        trimmed.to_owned()
    }
}

/// How many bytes at the end could be the beginning of a tag.
fn tail(text: &str, tags: &[&str]) -> usize {
    tags.iter().flat_map(|tag| (1..tag.len()).filter(|&length| text.ends_with(&tag[..length]))).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(pieces: &[&str]) -> String {
        let mut filter = Filter::default();
        let mut out: String = pieces.iter().map(|piece| filter.push(piece).0).collect();
        out.push_str(&filter.finish());
        out
    }

    #[test]
    fn thoughts_are_dropped_wherever_they_are_cut() {
        assert_eq!(run(&["<think>secret</think>\n\nHello"]), "Hello");
        assert_eq!(run(&["<th", "ink>sec", "ret</", "think>", "\n", "Hello <", "3"]), "Hello <3");
        assert_eq!(run(&["a <think>x</think>b"]), "a b");
        assert_eq!(run(&["<think>never closed"]), "");
        assert_eq!(run(&["</think>after"]), "after");
        assert_eq!(run(&["Let me see.\n</think>\n\nafter"]), "after", "the template opened it");
        assert_eq!(run(&["a<think>x</think>b</think>c"]), "abc", "only thoughts that nothing was seen of");
        assert_eq!(run(&["1 < 2 and </p> <thin"]), "1 < 2 and </p> <thin");
    }

    #[test]
    fn who_always_thinks_says_nothing_before_the_thoughts_are_over() {
        let run = |pieces: &[&str]| {
            let mut filter = Filter::new(true);
            let mut out: String = pieces.iter().map(|piece| filter.push(piece).0).collect();
            out.push_str(&filter.finish());
            out
        };
        assert_eq!(run(&["Let me ", "see.</th", "ink>\nHello", " there"]), "Hello there");
        assert_eq!(run(&["<think>Let me ", "see.</think>Hello"]), "Hello", "it marks them after all");
        assert_eq!(run(&["Hello", " there"]), "Hello there", "it did not think");
        let mut filter = Filter::new(true);
        assert_eq!(filter.push("Let me"), (String::new(), true), "a sign of life");
        assert_eq!(filter.cut(), "", "cut in the middle of its thoughts");
        let mut filter = Filter::new(true);
        for _ in 0..100 {
            filter.push(&"é".repeat(1_000));
        }
        assert!(filter.held.len() <= MAX_HELD);
    }

    #[test]
    fn it_tells_that_thinking_goes_on() {
        let mut filter = Filter::default();
        assert_eq!(filter.push("<think>hm"), (String::new(), true));
        assert_eq!(filter.push(" still"), (String::new(), true));
        assert_eq!(filter.push("</think>ok"), ("ok".into(), true));
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(text in "[a-c<>/ é]{0,6}(<think>[a-c<>/ é]{0,6}</think>)?[a-c<>/ é]{0,6}(<think>[a-c<>/ é]{0,6})?", cut in 0usize..60) {
            let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            prop_assert_eq!(run(&[&text[..cut], &text[cut..]]), run(&[&text]));
        }
    }
}
