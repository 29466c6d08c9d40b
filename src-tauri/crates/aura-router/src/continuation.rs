//! Joins an answer that broke off with its continuation by another route: text that the continuation repeats is dropped, and words
//! are neither joined nor split.

/// The most characters that are held back while a word is incomplete.
const MAX_HELD_CHARS: usize = 32;
/// The fewest characters that count as a repetition in scripts without spaces; fewer may match by chance.
const MIN_UNSPACED_OVERLAP: usize = 4;

/// Whether a character is part of a word in a script that separates words by spaces.
fn is_word_char(letter: char) -> bool {
    let without_spaces =
        matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..);
    letter.is_alphanumeric() && !without_spaces
}

/// Whether a text ends with a complete sentence or code block.
pub(crate) fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end();
    let bare = text.trim_end_matches(['"', '”', '’', '\'', '»', ')', ']', '*', '_', '`']);
    text.ends_with("```") || bare.ends_with(['.', '!', '?', '…', '。', '！', '？'])
}

/// Holds back the last word while it is incomplete, so that an answer that breaks off ends between two words.
#[derive(Default)]
pub(crate) struct WordBuffer {
    held: String,
}

impl WordBuffer {
    /// Takes the next text and returns the complete words.
    pub(crate) fn take(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let mut letters = self.held.char_indices().rev().peekable();
        let (mut from, mut count) = (self.held.len(), 0);
        while let Some((at, letter)) = letters.next() {
            let is_in_number =
                matches!(letter, '.' | ',' | ':') && letters.peek().is_some_and(|(_, before)| before.is_ascii_digit());
            if count > MAX_HELD_CHARS || !(is_word_char(letter) || matches!(letter, '\'' | '’') || is_in_number) {
                break;
            }
            (from, count) = (at, count + 1);
        }
        if count > MAX_HELD_CHARS {
            return std::mem::take(&mut self.held);
        }
        let held = self.held.split_off(from);
        std::mem::replace(&mut self.held, held)
    }

    /// Returns what was held back, when the answer is complete.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Holds back the beginning of a continuation until it is clear how much of it repeats the answer so far.
pub(crate) struct Continuation {
    /// The answer so far; empty once the repetition is known.
    answer: String,
    pending: String,
}

/// How much of a continuation repeats the answer so far.
enum Overlap {
    /// More of the continuation is needed to tell.
    Undecided,
    /// The first bytes of it, this many.
    Bytes(usize),
}

impl Continuation {
    pub(crate) fn new(answer: &str) -> Self {
        Self { answer: answer.to_owned(), pending: String::new() }
    }

    /// Takes the next text and returns what continues the answer.
    pub(crate) fn take(&mut self, text: &str) -> String {
        if self.answer.is_empty() {
            return text.to_owned();
        }
        self.pending.push_str(text);
        match overlap(&self.answer, &self.pending, false) {
            Overlap::Undecided => String::new(),
            Overlap::Bytes(bytes) => self.join(bytes),
        }
    }

    /// Returns the rest, when the continuation is complete.
    pub(crate) fn finish(&mut self) -> String {
        match overlap(&self.answer, &self.pending, true) {
            Overlap::Bytes(bytes) if !self.answer.is_empty() => self.join(bytes),
            _ => String::new(),
        }
    }

    fn join(&mut self, repeated: usize) -> String {
        let (answer, pending) = (std::mem::take(&mut self.answer), std::mem::take(&mut self.pending));
        let text = &pending[repeated..];
        if answer.ends_with(char::is_whitespace) {
            return text.trim_start().to_owned();
        }
        let starts_word = text.starts_with(is_word_char);
        let ends_word = answer.ends_with(|last| is_word_char(last) || ".!?:,;)]}…%'’”»".contains(last));
        if starts_word && ends_word { format!(" {text}") } else { text.to_owned() }
    }
}

/// Each character other than white space, in lower case, and the byte offset of its end.
fn letters(text: &str) -> Vec<(char, usize)> {
    let compared = text.char_indices().filter(|(_, letter)| !letter.is_whitespace());
    compared.map(|(at, letter)| (letter.to_lowercase().next().unwrap_or(letter), at + letter.len_utf8())).collect()
}

/// How much of `next` repeats the end of `answer`. Compares whole words and ignores case and white space. The repetition may begin at
/// any word of the answer, so an answer that starts over is found as well.
fn overlap(answer: &str, next: &str, is_complete: bool) -> Overlap {
    let skipped = next.len() - next.trim_start().len();
    let trimmed = &next[skipped..];
    if trimmed.is_empty() || (!is_complete && "...".starts_with(trimmed)) {
        return if is_complete { Overlap::Bytes(0) } else { Overlap::Undecided };
    }
    // Some models begin a continuation with dots.
    let dots = ["...", "…"].into_iter().find(|dots| trimmed.starts_with(dots)).map_or(0, str::len);
    let from = skipped + dots;
    let (before, after) = (letters(answer), letters(&next[from..]));
    let starts_a_word = |at: usize| {
        let previous = if at == 0 { None } else { answer[..before[at - 1].1].chars().next_back() };
        let apart = at > 0 && answer[before[at - 1].1..].starts_with(char::is_whitespace);
        apart || !previous.is_some_and(is_word_char)
    };
    let same = |at: usize| before[at..].iter().zip(&after).all(|((one, _), (other, _))| one == other);
    for at in (0..before.len()).filter(|at| starts_a_word(*at)) {
        if !same(at) {
            continue;
        }
        let repeated = before.len() - at;
        if after.len() <= repeated && !is_complete {
            // Everything so far repeats the answer; the next characters show whether it goes on.
            return Overlap::Undecided;
        }
        if after.len() < repeated {
            continue;
        }
        let end = from + after[repeated - 1].1;
        let splits_word = next[..end].ends_with(is_word_char) && next[end..].starts_with(is_word_char);
        let has_spaced_words = next[from..end].chars().any(is_word_char);
        let is_long_enough = if has_spaced_words { repeated > 1 } else { repeated >= MIN_UNSPACED_OVERLAP };
        if !splits_word && is_long_enough {
            return Overlap::Bytes(end);
        }
    }
    Overlap::Bytes(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole answer when `next` continues `answer`: the same whether it arrives at once or character by character.
    fn join(answer: &str, next: &str) -> String {
        let of = |pieces: &mut dyn Iterator<Item = &str>| {
            let mut continuation = Continuation::new(answer);
            let mut text: String = pieces.map(|piece| continuation.take(piece)).collect();
            text.push_str(&continuation.finish());
            format!("{answer}{text}")
        };
        let whole = of(&mut [next].into_iter());
        let mut places: Vec<usize> = next.char_indices().map(|(at, _)| at).collect();
        places.push(next.len());
        let by_letter = of(&mut places.windows(2).map(|pair| &next[pair[0]..pair[1]]));
        assert_eq!(by_letter, whole, "in pieces");
        whole
    }

    #[test]
    fn a_continuation_is_joined_with_one_space() {
        assert_eq!(join("One two.", "Three"), "One two. Three");
        assert_eq!(join("One two ", " three"), "One two three");
        assert_eq!(join("One two", "three"), "One two three");
        assert_eq!(join("One two", " three"), "One two three");
        assert_eq!(join("One two", ", three"), "One two, three");
        assert_eq!(join("One (", "two)"), "One (two)");
        assert_eq!(join("", " three"), " three");
        assert_eq!(join("一二", "三"), "一二三");
    }

    #[test]
    fn a_repetition_is_dropped() {
        let answer = "It is three o'clock in the ";
        let whole = "It is three o'clock in the afternoon.";
        for next in [
            "afternoon.",
            "the afternoon.",
            "in the afternoon.",
            "It is three o'clock in the afternoon.",
            "it is three o'clock  in the afternoon.",
            "... in the afternoon.",
            "…afternoon.",
        ] {
            assert_eq!(join(answer, next), whole, "{next}");
        }
        assert_eq!(join("It is three", "It is three. Then four."), "It is three. Then four.");
        assert_eq!(join("One two.", "Two. Three."), "One two. Three.");
        assert_eq!(join("今は三時です。", "三時です。次に"), "今は三時です。次に");
    }

    #[test]
    fn text_that_is_only_similar_is_kept() {
        assert_eq!(join("Take the ", "then"), "Take the then", "another word");
        assert_eq!(join("One two three. ", "One two four."), "One two three. One two four.", "another sentence");
        assert_eq!(join("It is a ", "apple"), "It is a apple");
        assert_eq!(join("One ", "."), "One .", "one dot does not announce a continuation");
        assert_eq!(join("One two ", "two"), "One two ", "nothing was missing");
        assert_eq!(join("One two ", " "), "One two ");
    }

    #[test]
    fn an_incomplete_word_is_held_back() {
        let mut words = WordBuffer::default();
        let pieces = ["It", " costs 3", ".", "14 or", " so", ". Y", "es"];
        let passed: Vec<String> = pieces.iter().map(|piece| words.take(piece)).collect();
        assert_eq!(passed, ["", "It costs ", "", "3.14 ", "or ", "so. ", ""]);
        assert_eq!(words.finish(), "Yes");
        let mut words = WordBuffer::default();
        assert_eq!(words.take("三時です"), "三時です");
        let long = "x".repeat(MAX_HELD_CHARS + 1);
        assert_eq!(words.take(&long), long, "a word that never ends is not held back");
    }

    #[test]
    fn a_complete_sentence_is_recognised() {
        for text in ["It is.", "Is it?\n", "“It is.”", "**It is.**", "```\nls\n```", "三時です。"] {
            assert!(ends_sentence(text), "{text}");
        }
        for text in ["It is", "It is,", "1. One\n2. Two", ""] {
            assert!(!ends_sentence(text), "{text}");
        }
    }
}
