//! Where one route's words meet another's: nothing is said twice, and words neither run together nor fall apart.

/// A run of letters longer than this is no word that is worth waiting for.
const LONGEST_WORD: usize = 32;
/// In writing without spaces so many letters in a row are no coincidence.
const TELLING: usize = 4;

/// Whether a letter belongs to a word that spaces set apart from others.
fn is_of_a_word(letter: char) -> bool {
    let without_spaces =
        matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..);
    letter.is_alphanumeric() && !without_spaces
}

/// Whether a text ends where an answer may end.
pub(super) fn ends_a_sentence(text: &str) -> bool {
    let text = text.trim_end();
    let bare = text.trim_end_matches(['"', '”', '’', '\'', '»', ')', ']', '*', '_', '`']);
    text.ends_with("```") || bare.ends_with(['.', '!', '?', '…', '。', '！', '？'])
}

/// Keeps the word that is still being written back, so that an answer which breaks off ends between two words.
#[derive(Default)]
pub(super) struct Words {
    held: String,
}

impl Words {
    /// Takes the next piece and gives what is whole.
    pub(super) fn take(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let mut letters = self.held.char_indices().rev().peekable();
        let (mut from, mut count) = (self.held.len(), 0);
        while let Some((at, letter)) = letters.next() {
            let in_a_number =
                matches!(letter, '.' | ',' | ':') && letters.peek().is_some_and(|(_, before)| before.is_ascii_digit());
            if count > LONGEST_WORD || !(is_of_a_word(letter) || matches!(letter, '\'' | '’') || in_a_number) {
                break;
            }
            (from, count) = (at, count + 1);
        }
        if count > LONGEST_WORD {
            return std::mem::take(&mut self.held);
        }
        let held = self.held.split_off(from);
        std::mem::replace(&mut self.held, held)
    }

    /// What is left when the answer is complete.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// The beginning of what continues an answer, until it is known how much of it was said already.
pub(super) struct Joint {
    /// What was said; empty when nothing is left to be found out.
    said: String,
    pending: String,
}

/// What is to be done with the beginning.
enum Beginning {
    /// More of it must come first.
    Undecided,
    /// So many bytes of it were said already.
    Said(usize),
}

impl Joint {
    pub(super) fn new(said: &str) -> Self {
        Self { said: said.to_owned(), pending: String::new() }
    }

    /// Takes the next piece and gives what is to be said.
    pub(super) fn take(&mut self, text: &str) -> String {
        if self.said.is_empty() {
            return text.to_owned();
        }
        self.pending.push_str(text);
        match beginning(&self.said, &self.pending, false) {
            Beginning::Undecided => String::new(),
            Beginning::Said(bytes) => self.join(bytes),
        }
    }

    /// What is left when the answer is complete.
    pub(super) fn finish(&mut self) -> String {
        match beginning(&self.said, &self.pending, true) {
            Beginning::Said(bytes) if !self.said.is_empty() => self.join(bytes),
            _ => String::new(),
        }
    }

    fn join(&mut self, repeated: usize) -> String {
        let (said, pending) = (std::mem::take(&mut self.said), std::mem::take(&mut self.pending));
        let text = &pending[repeated..];
        if said.ends_with(char::is_whitespace) {
            return text.trim_start().to_owned();
        }
        let goes_on = text.starts_with(is_of_a_word);
        let ended = said.ends_with(|last| is_of_a_word(last) || ".!?:,;)]}…%'’”»".contains(last));
        if goes_on && ended { format!(" {text}") } else { text.to_owned() }
    }
}

/// A letter as it is compared, and where it ends.
fn letters(text: &str) -> Vec<(char, usize)> {
    let compared = text.char_indices().filter(|(_, letter)| !letter.is_whitespace());
    compared.map(|(at, letter)| (letter.to_lowercase().next().unwrap_or(letter), at + letter.len_utf8())).collect()
}

/// How much of `next` repeats the end of `said`. Compared are whole words, whatever their case and the space between them; the end of
/// what was said is sought from every word of it on, so that an answer that begins anew is found as well.
fn beginning(said: &str, next: &str, complete: bool) -> Beginning {
    let skipped = next.len() - next.trim_start().len();
    let trimmed = &next[skipped..];
    if trimmed.is_empty() || (!complete && "...".starts_with(trimmed)) {
        return if complete { Beginning::Said(0) } else { Beginning::Undecided };
    }
    // Some begin with dots to say that they go on.
    let dots = ["...", "…"].into_iter().find(|dots| trimmed.starts_with(dots)).map_or(0, str::len);
    let from = skipped + dots;
    let (before, after) = (letters(said), letters(&next[from..]));
    let starts_a_word = |at: usize| {
        let previous = if at == 0 { None } else { said[..before[at - 1].1].chars().next_back() };
        let apart = at > 0 && said[before[at - 1].1..].starts_with(char::is_whitespace);
        apart || !previous.is_some_and(is_of_a_word)
    };
    let same = |at: usize| before[at..].iter().zip(&after).all(|((one, _), (other, _))| one == other);
    for at in (0..before.len()).filter(|at| starts_a_word(*at)) {
        if !same(at) {
            continue;
        }
        let repeated = before.len() - at;
        if after.len() <= repeated && !complete {
            // It may be a repetition: the next letters tell.
            return Beginning::Undecided;
        }
        if after.len() < repeated {
            continue;
        }
        let end = from + after[repeated - 1].1;
        let in_a_word = next[..end].ends_with(is_of_a_word) && next[end..].starts_with(is_of_a_word);
        let written_with_spaces = next[from..end].chars().any(is_of_a_word);
        let enough = if written_with_spaces { repeated > 1 } else { repeated >= TELLING };
        if !in_a_word && enough {
            return Beginning::Said(end);
        }
    }
    Beginning::Said(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said in the end when the second text comes in pieces of one letter, which must be what it is in one piece.
    fn join(said: &str, next: &str) -> String {
        let of = |pieces: &mut dyn Iterator<Item = &str>| {
            let mut joint = Joint::new(said);
            let mut text: String = pieces.map(|piece| joint.take(piece)).collect();
            text.push_str(&joint.finish());
            format!("{said}{text}")
        };
        let whole = of(&mut [next].into_iter());
        let mut places: Vec<usize> = next.char_indices().map(|(at, _)| at).collect();
        places.push(next.len());
        let by_letter = of(&mut places.windows(2).map(|pair| &next[pair[0]..pair[1]]));
        assert_eq!(by_letter, whole, "in pieces");
        whole
    }

    #[test]
    fn words_of_two_routes_meet_with_one_space() {
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
    fn what_was_said_is_not_said_again() {
        let said = "It is three o'clock in the ";
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
            assert_eq!(join(said, next), whole, "{next}");
        }
        assert_eq!(join("It is three", "It is three. Then four."), "It is three. Then four.");
        assert_eq!(join("One two.", "Two. Three."), "One two. Three.");
        assert_eq!(join("今は三時です。", "三時です。次に"), "今は三時です。次に");
    }

    #[test]
    fn what_only_looks_alike_is_said() {
        assert_eq!(join("Take the ", "then"), "Take the then", "another word");
        assert_eq!(join("One two three. ", "One two four."), "One two three. One two four.", "another sentence");
        assert_eq!(join("It is a ", "apple"), "It is a apple");
        assert_eq!(join("One ", "."), "One .", "not every dot is a sign of going on");
        assert_eq!(join("One two ", "two"), "One two ", "nothing was left to say");
        assert_eq!(join("One two ", " "), "One two ");
    }

    #[test]
    fn an_answer_breaks_off_between_two_words() {
        let mut words = Words::default();
        let pieces = ["It", " costs 3", ".", "14 or", " so", ". Y", "es"];
        let passed: Vec<String> = pieces.iter().map(|piece| words.take(piece)).collect();
        assert_eq!(passed, ["", "It costs ", "", "3.14 ", "or ", "so. ", ""]);
        assert_eq!(words.finish(), "Yes");
        let mut words = Words::default();
        assert_eq!(words.take("三時です"), "三時です");
        let long = "x".repeat(LONGEST_WORD + 1);
        assert_eq!(words.take(&long), long, "what never ends is no word");
    }

    #[test]
    fn where_an_answer_may_end() {
        for text in ["It is.", "Is it?\n", "“It is.”", "**It is.**", "```\nls\n```", "三時です。"] {
            assert!(ends_a_sentence(text), "{text}");
        }
        for text in ["It is", "It is,", "1. One\n2. Two", ""] {
            assert!(!ends_a_sentence(text), "{text}");
        }
    }
}
