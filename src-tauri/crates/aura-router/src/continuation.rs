//! Joins an answer that broke off with its continuation by another route: exactly as it comes, except that text is dropped which it
//! evidently [repeats](repetition), and that a space is added between two sentences where both are missing it.

mod repetition;
#[cfg(test)]
mod tests;

use repetition::{BrokenOff, Repetition, is_structured};

/// The most characters that are held back while a word is incomplete.
const MAX_HELD_CHARS: usize = 32;
/// What may stand before the first letter of a sentence.
const OPENING: [char; 8] = ['"', '“', '(', '*', '_', '«', '¿', '¡'];
/// What may stand between the end of a sentence and its last mark.
const CLOSING: [char; 10] = ['"', '”', '’', '\'', '»', ')', ']', '*', '_', '`'];
/// The marks at the end of a sentence.
const SENTENCE_END: [char; 7] = ['.', '!', '?', '…', '。', '！', '？'];

/// Whether a character belongs to a script that does not separate words by spaces. Korean does.
pub(crate) fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..)
        && !matches!(letter, '\u{3130}'..='\u{318f}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}')
}

/// Whether a character is part of a word in a script that separates words by spaces.
pub(crate) fn is_word_char(letter: char) -> bool {
    letter.is_alphanumeric() && !is_unspaced(letter)
}

/// Whether a text ends with a complete sentence or code block.
pub(crate) fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end();
    text.ends_with("```") || text.trim_end_matches(CLOSING).ends_with(SENTENCE_END)
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
    /// The answer so far; `None` once the continuation is joined to it.
    answer: Option<BrokenOff>,
    pending: String,
}

impl Continuation {
    pub(crate) fn new(answer: &str) -> Self {
        Self { answer: (!answer.is_empty()).then(|| BrokenOff::new(answer)), pending: String::new() }
    }

    /// Takes the next text and returns what continues the answer.
    pub(crate) fn take(&mut self, text: &str) -> String {
        if self.answer.is_none() {
            return text.to_owned();
        }
        self.pending.push_str(text);
        self.join(false)
    }

    /// Returns the rest, when the continuation is complete.
    pub(crate) fn finish(&mut self) -> String {
        self.join(true)
    }

    /// What continues the answer; nothing while that is not clear.
    fn join(&mut self, is_complete: bool) -> String {
        let Some(answer) = &self.answer else { return String::new() };
        let next = &self.pending;
        let joined = match answer.repeated_by(next, is_complete) {
            Repetition::Undecided => return String::new(),
            Repetition::Bytes(bytes) => {
                // Both texts may have the white space after the repetition.
                let (text, rest) = (answer.text(), &next[bytes..]);
                let space = &text[text.trim_end().len()..];
                match rest.strip_prefix(space) {
                    Some(rest) => rest.to_owned(),
                    None => rest.trim_start().to_owned(),
                }
            }
            Repetition::None if !begins_sentence_after(answer.text(), next) => next.clone(),
            Repetition::None => match is_sentence_start(next, is_complete) {
                Some(true) => format!(" {next}"),
                Some(false) => next.clone(),
                None => return String::new(),
            },
        };
        (self.answer, self.pending) = (None, String::new());
        joined
    }
}

/// Whether the answer ends with a whole sentence of prose, without white space after it, and `next` begins with a capital. This does
/// not tell a new sentence from the rest of a name: `print(os.` and `Path)`, `https://example.` and `Com`, `Ph.` and `D.` have no
/// space between them, and neither have numbers. So the last word of the answer must be an ordinary one: small letters only.
fn begins_sentence_after(answer: &str, next: &str) -> bool {
    let bare = answer.trim_end_matches(CLOSING);
    let line_start = answer.rfind('\n').map_or(0, |newline| newline + 1);
    let line = &answer[line_start..];
    let word = line.split_whitespace().next_back().unwrap_or_default();
    let is_mark = |letter: char| CLOSING.contains(&letter) || SENTENCE_END.contains(&letter);
    let word = word.trim_end_matches(is_mark).trim_start_matches(OPENING);
    bare.ends_with(['.', '!', '?', '…'])
        && next.trim_start_matches(OPENING).starts_with(char::is_uppercase)
        && word.chars().count() >= 2
        && word.chars().all(char::is_lowercase)
        && line.split_whitespace().count() >= 2
        && !is_structured(answer, answer.len())
}

/// Whether a text begins with an ordinary word that may begin a sentence: a capital, then small letters. `None` while the word is
/// not complete.
fn is_sentence_start(text: &str, is_complete: bool) -> Option<bool> {
    let end = match text.find(char::is_whitespace) {
        Some(end) => end,
        None if is_complete => text.len(),
        None if text.len() > 4 * MAX_HELD_CHARS => return Some(false),
        None => return None,
    };
    let word = text[..end].trim_start_matches(OPENING);
    let word = word.trim_end_matches(CLOSING).trim_end_matches([',', ':', ';', '.', '!', '?', '…']);
    let mut letters = word.chars();
    letters.next();
    let rest = letters.as_str();
    let is_ordinary = rest.chars().all(|letter| letter.is_lowercase() || matches!(letter, '\'' | '’'));
    Some(is_ordinary && (!rest.is_empty() || (matches!(word, "I" | "A") && end < text.len())))
}
