//! Keeps a model's thoughts out of the answer where a server leaves them in the text, as `<think>…</think>`.

use std::mem::take;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Splits text that arrives in pieces cut anywhere, also inside a tag.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    held: String,
    thinking: bool,
    spoke: bool,
}

impl Filter {
    /// The part of the text so far that is for the person, and whether thoughts were dropped.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        let (mut out, mut thought) = (String::new(), false);
        loop {
            if self.thinking {
                thought = true;
                match self.held.find(CLOSE) {
                    Some(at) => {
                        self.held.drain(..at + CLOSE.len());
                        self.thinking = false;
                    }
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
                    // A close without an open: the template opened it before the answer began.
                    (open, Some(at)) if open.is_none_or(|open| at < open) => {
                        out.push_str(&self.held[..at]);
                        self.held.drain(..at + CLOSE.len());
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

    /// What was held back, when the answer is over.
    pub(crate) fn finish(&mut self) -> String {
        let held = take(&mut self.held);
        if self.thinking { String::new() } else { self.open_up(held) }
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
        assert_eq!(run(&["1 < 2 and </p> <thin"]), "1 < 2 and </p> <thin");
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
        fn splits_do_not_matter(text in "(<think>|</think>|[a-c<>/ é]){0,12}", cut in 0usize..60) {
            let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            prop_assert_eq!(run(&[&text[..cut], &text[cut..]]), run(&[&text]));
        }
    }
}
