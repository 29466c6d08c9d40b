//! Removes reasoning from an answer when the server leaves it in the text as `<think>…</think>`.

use std::mem::take;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";
/// The most text that is held back as possible reasoning without an opening tag, in bytes. Longer text is taken for reasoning, and its
/// beginning is dropped.
const MAX_HELD: usize = 64 * 1024;

/// Filters text that arrives in pieces, cut anywhere, also inside a tag.
#[derive(Debug, Default)]
pub(crate) struct ReasoningFilter {
    held: String,
    /// Inside reasoning.
    thinking: bool,
    /// The answer begins with reasoning that has no opening tag: everything is held back until the closing tag. If that never comes,
    /// the text was the answer.
    unmarked: bool,
    /// A closing tag was seen.
    thought: bool,
    /// Text other than white space was returned.
    spoke: bool,
    /// The text continues another one, so white space at its beginning belongs to it.
    continues: bool,
}

impl ReasoningFilter {
    /// A filter. `unmarked`: the model's answers begin with reasoning that has no opening tag.
    pub(crate) fn new(unmarked: bool) -> Self {
        Self { unmarked, ..Self::default() }
    }

    /// Keeps white space at the beginning, unless it comes after reasoning, if the answer continues another text.
    pub(crate) fn continuing(self, continues: bool) -> Self {
        Self { continues, ..self }
    }

    /// Adds text. Returns the part of the answer that is certain now, and whether reasoning was removed.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        // Most text has no tag and follows none.
        if self.held.is_empty() && !self.unmarked && !self.thinking && !text.contains('<') {
            return (self.trim_first(text.to_owned()), false);
        }
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
                    // There is an opening tag after all.
                    (Some(open), close) if close.is_none_or(|close| open < close) => self.unmarked = false,
                    (_, close) => self.end_reasoning(close.unwrap_or_default()),
                }
                continue;
            }
            if self.thinking {
                thought = true;
                match self.held.find(CLOSE) {
                    Some(at) => self.end_reasoning(at),
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
                    // A closing tag without an opening one: the chat template contained the opening tag, and everything up to here is
                    // reasoning. Text that was returned before cannot be taken back.
                    (open, Some(at)) if open.is_none_or(|open| at < open) => {
                        if self.thought {
                            out.push_str(&self.held[..at]);
                        } else {
                            out.clear();
                            thought = true;
                        }
                        self.end_reasoning(at);
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
        (self.trim_first(out), thought)
    }

    fn end_reasoning(&mut self, at: usize) {
        self.held.drain(..at + CLOSE.len());
        (self.thinking, self.unmarked, self.thought) = (false, false, true);
    }

    /// Drops the beginning of held text that is too long to be an answer.
    fn trim(&mut self) {
        if self.held.len() > MAX_HELD {
            let cut = (self.held.len() - MAX_HELD / 2..).find(|at| self.held.is_char_boundary(*at)).unwrap_or_default();
            self.held.drain(..cut);
        }
    }

    /// Ends a complete answer. Returns the text that was held back.
    pub(crate) fn finish(&mut self) -> String {
        let held = take(&mut self.held);
        if self.thinking { String::new() } else { self.trim_first(held) }
    }

    /// Ends an answer that the token limit cut. Text without a closing tag counts as reasoning.
    pub(crate) fn cut(&mut self) -> String {
        if self.unmarked {
            self.held.clear();
        }
        self.finish()
    }

    /// Removes white space before the first text of the answer.
    fn trim_first(&mut self, text: String) -> String {
        if self.spoke || (self.continues && !self.thought) {
            return text;
        }
        let trimmed = text.trim_start();
        self.spoke = !trimmed.is_empty();
        trimmed.to_owned()
    }
}

/// The number of bytes at the end that could be the beginning of a tag.
fn tail(text: &str, tags: &[&str]) -> usize {
    tags.iter().flat_map(|tag| (1..tag.len()).filter(|&length| text.ends_with(&tag[..length]))).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(pieces: &[&str]) -> String {
        let mut filter = ReasoningFilter::default();
        let mut out: String = pieces.iter().map(|piece| filter.push(piece).0).collect();
        out.push_str(&filter.finish());
        out
    }

    #[test]
    fn white_space_at_the_beginning_of_a_continuation_stays() {
        for (text, expected) in [
            ("\n    return x", "\n    return x"),
            (" and so on", " and so on"),
            ("<think>hm</think>\n\nand so on", "and so on"),
        ] {
            let mut filter = ReasoningFilter::default().continuing(true);
            let mut out: String = text.split_inclusive(' ').map(|piece| filter.push(piece).0).collect();
            out.push_str(&filter.finish());
            assert_eq!(out, expected);
            assert_eq!(run(&[text]), expected.trim_start(), "an answer of its own");
        }
    }

    #[test]
    fn reasoning_is_removed_wherever_it_is_cut() {
        assert_eq!(run(&["<think>secret</think>\n\nHello"]), "Hello");
        assert_eq!(run(&["<th", "ink>sec", "ret</", "think>", "\n", "Hello <", "3"]), "Hello <3");
        assert_eq!(run(&["a <think>x</think>b"]), "a b");
        assert_eq!(run(&["<think>never closed"]), "");
        assert_eq!(run(&["</think>after"]), "after");
        assert_eq!(run(&["Let me see.\n</think>\n\nafter"]), "after", "the opening tag is in the chat template");
        assert_eq!(run(&["a<think>x</think>b</think>c"]), "abc", "a closing tag after reasoning is only dropped");
        assert_eq!(run(&["1 < 2 and </p> <thin"]), "1 < 2 and </p> <thin");
    }

    #[test]
    fn unmarked_reasoning_is_held_back_until_its_closing_tag() {
        let run = |pieces: &[&str]| {
            let mut filter = ReasoningFilter::new(true);
            let mut out: String = pieces.iter().map(|piece| filter.push(piece).0).collect();
            out.push_str(&filter.finish());
            out
        };
        assert_eq!(run(&["Let me ", "see.</th", "ink>\nHello", " there"]), "Hello there");
        assert_eq!(run(&["<think>Let me ", "see.</think>Hello"]), "Hello", "with an opening tag after all");
        assert_eq!(run(&["Hello", " there"]), "Hello there", "without any reasoning");
        let mut filter = ReasoningFilter::new(true);
        assert_eq!(filter.push("Let me"), (String::new(), true), "a sign of life");
        assert_eq!(filter.cut(), "", "cut inside the reasoning");
        let mut filter = ReasoningFilter::new(true);
        for _ in 0..100 {
            filter.push(&"é".repeat(1_000));
        }
        assert!(filter.held.len() <= MAX_HELD);
    }

    #[test]
    fn removed_reasoning_is_reported() {
        let mut filter = ReasoningFilter::default();
        assert_eq!(filter.push("<think>hm"), (String::new(), true));
        assert_eq!(filter.push(" still"), (String::new(), true));
        assert_eq!(filter.push("</think>ok"), ("ok".into(), true));
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_splits(text in "[a-c<>/ é]{0,6}(<think>[a-c<>/ é]{0,6}</think>)?[a-c<>/ é]{0,6}(<think>[a-c<>/ é]{0,6})?", cut in 0usize..60) {
            let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            prop_assert_eq!(run(&[&text[..cut], &text[cut..]]), run(&[&text]));
        }
    }
}
