//! Recognises that a continuation repeats the end of the answer so far.
//!
//! A model that is asked for the rest of an answer may give exactly the rest, or may first repeat what is there already. The two look
//! alike where the answer itself says something twice: `555 ` and `555 1234` may be a telephone number or a repetition. Nothing that
//! was said may get lost, so a repetition must be evident. The beginning of the continuation counts as one when
//!
//! - it is the same as the end of the answer from the start of a word on, apart from case and white space, and ends at the end of a word;
//! - it has at least two words with letters. Scripts without spaces have no visible words: there it is six letters, or four that end
//!   a sentence;
//! - it does not go on repeating itself (`no no`, `over and over and over`);
//! - it is prose. Lines that repeat are common in code, tables, lists and verse. There, and for whole lines without the end of a
//!   sentence, only a restart from the very beginning of the answer counts, and only with six words.
//!
//! Dots at the beginning of a continuation (`... in the afternoon`) are dropped only together with a repetition.

use super::{ends_sentence, is_unspaced, is_word_char};

/// What a word counts; a letter of a script without spaces counts 1.
const WORD: usize = 3;
/// The least that counts as a repetition: two words.
const MIN_REPEATED: usize = 2 * WORD;
/// The same for text that ends a sentence, in scripts without spaces.
const MIN_REPEATED_UNSPACED_SENTENCE: usize = 4;
/// The same for a restart from the beginning of the answer where lines may repeat: six words.
const MIN_RESTARTED: usize = 6 * WORD;
/// The longest token that is waited for, in bytes.
const MAX_TOKEN: usize = 64;

/// How much of a continuation repeats the answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// More of the continuation is needed to tell.
    Undecided,
    /// None of it.
    None,
    /// The first bytes of it, this many.
    Bytes(usize),
}

/// An answer that broke off.
pub(crate) struct BrokenOff {
    text: String,
    letters: Vec<Letter>,
}

/// A character other than white space.
struct Letter {
    lower: char,
    /// Its first byte.
    at: usize,
    /// The byte after it.
    end: usize,
}

fn letters(text: &str) -> Vec<Letter> {
    let visible = text.char_indices().filter(|(_, letter)| !letter.is_whitespace());
    visible
        .map(|(at, letter)| Letter {
            lower: letter.to_lowercase().next().unwrap_or(letter),
            at,
            end: at + letter.len_utf8(),
        })
        .collect()
}

impl BrokenOff {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), letters: letters(text) }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// How much of `next`, which is the whole continuation if `is_complete`, repeats this answer.
    pub(crate) fn repeated_by(&self, next: &str, is_complete: bool) -> Repetition {
        let trimmed = next.trim_start();
        if !is_complete && "...".starts_with(trimmed) {
            return Repetition::Undecided;
        }
        let skipped = next.len() - trimmed.len();
        let dots = ["...", "…"].into_iter().find(|dots| trimmed.starts_with(dots)).map(str::len);
        for from in [Some(skipped), dots.map(|dots| skipped + dots)].into_iter().flatten() {
            match self.repeated_from(from, next, is_complete) {
                Repetition::None => {}
                found => return found,
            }
        }
        Repetition::None
    }

    /// The same, without the first `from` bytes.
    fn repeated_from(&self, from: usize, next: &str, is_complete: bool) -> Repetition {
        let after = letters(&next[from..]);
        if after.is_empty() {
            return if is_complete { Repetition::None } else { Repetition::Undecided };
        }
        for first in 0..self.letters.len() {
            let letters = &self.letters[first..];
            let is_same = letters.iter().zip(&after).all(|(one, other)| one.lower == other.lower);
            if !is_same || !self.starts_word(first) || !self.is_evident(first, &next[..from]) {
                continue;
            }
            if after.len() < letters.len() {
                if is_complete {
                    continue;
                }
                return Repetition::Undecided;
            }
            let end = from + after[letters.len() - 1].end;
            let rest = &next[end..];
            match goes_on(&next[from..end], rest, is_complete) {
                None => return Repetition::Undecided,
                Some(false) if !splits_word(&next[..end], rest) => return Repetition::Bytes(end),
                Some(_) => {}
            }
        }
        Repetition::None
    }

    /// Whether a word starts at this letter.
    fn starts_word(&self, first: usize) -> bool {
        let at = self.letters[first].at;
        let previous = self.text[..at].chars().next_back();
        previous.is_none_or(|previous| {
            previous.is_whitespace()
                || "\"'“‘„«»(*_#>-[¿¡".contains(previous)
                || is_unspaced(previous)
                || self.text[at..].starts_with(is_unspaced)
        })
    }

    /// Whether the end of the answer from this letter on is a repetition if the continuation begins with it. `space` is the white
    /// space at the beginning of the continuation.
    fn is_evident(&self, first: usize, space: &str) -> bool {
        let at = self.letters[first].at;
        let end = self.text[at..].trim_end();
        let words = end.split_whitespace().filter(|word| word.contains(is_spaced_letter)).count();
        let unspaced = end.chars().filter(|letter| letter.is_alphabetic() && is_unspaced(*letter)).count();
        let weight = words * WORD + unspaced;
        let is_long_enough =
            weight >= MIN_REPEATED || (unspaced >= MIN_REPEATED_UNSPACED_SENTENCE && ends_sentence(end));
        if !is_long_enough || is_periodic(end) || self.has_gone_on(at, end) {
            return false;
        }
        let seam = [&self.text[at + end.len()..], space].concat();
        let starts_line = !self.text[..at].rsplit('\n').next().is_some_and(|line| line.contains(char::is_alphabetic));
        let is_open = |line: &str| !line.trim().is_empty() && !ends_sentence(line);
        let is_whole_line = starts_line && seam.contains('\n') && is_open(end);
        let is_column = seam.contains('\t') || seam.contains("   ");
        let spans_lines = end.lines().rev().skip(1).any(is_open);
        let lines_may_repeat = is_whole_line || is_column || spans_lines || is_structured(&self.text, at);
        !lines_may_repeat || (first == 0 && weight >= MIN_RESTARTED)
    }

    /// Whether the answer says the end of `end`, which starts at `at`, also right before it: then it repeats itself.
    fn has_gone_on(&self, at: usize, end: &str) -> bool {
        let needed = end.split_whitespace().count().div_ceil(2);
        let (before, end) = (self.text[..at].to_lowercase(), end.to_lowercase());
        let words = before.split_whitespace().rev().zip(end.split_whitespace().rev());
        words.take_while(|(before, end)| is_same_word(before, end)).take(needed).count() == needed
    }
}

/// Whether the beginning of a repetition comes again after it, in `rest`: then the text repeats itself. `None` when more of `rest`
/// is needed to tell.
fn goes_on(repeated: &str, rest: &str, is_complete: bool) -> Option<bool> {
    let needed = repeated.split_whitespace().count().div_ceil(2);
    let mut after = rest.split_whitespace();
    for word in repeated.split_whitespace().take(needed) {
        let next = after.next().unwrap_or_default();
        let may_be_cut = after.clone().next().is_none() && !rest.ends_with(char::is_whitespace);
        if !is_complete && (next.is_empty() || (may_be_cut && next.len() <= MAX_TOKEN)) {
            return None;
        }
        if !is_same_word(word, next) {
            return Some(false);
        }
    }
    Some(true)
}

/// Whether a letter belongs to a script that separates words by spaces.
fn is_spaced_letter(letter: char) -> bool {
    letter.is_alphabetic() && !is_unspaced(letter)
}

/// Whether two words are the same apart from the punctuation around them. Words of scripts without spaces are not compared.
fn is_same_word(one: &str, other: &str) -> bool {
    let bare = |word: &'_ str| word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned();
    let (one, other) = (bare(one), bare(other));
    !one.is_empty() && one == other && !one.contains(is_unspaced)
}

/// Whether a text consists of one part over and over.
fn is_periodic(text: &str) -> bool {
    let letters: Vec<char> =
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let count = letters.len();
    (1..=count / 2)
        .any(|part| count.is_multiple_of(part) && letters.iter().zip(&letters[part..]).all(|(one, other)| one == other))
}

/// Whether the end of a repetition is in the middle of a word.
fn splits_word(repeated: &str, rest: &str) -> bool {
    // A mark that follows a letter, such as a vowel sign, is no letter in every script.
    let is_mark = |letter: char| !letter.is_ascii() && !letter.is_alphanumeric() && !is_punctuation(letter);
    repeated.ends_with(is_word_char) && rest.starts_with(|letter| is_word_char(letter) || is_mark(letter))
}

fn is_punctuation(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '\u{a1}'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' | '،' | '؛' | '؟' | '।' | '՝' | '։' | '׃')
}

/// Whether the end of a text from `at` on is code, a table or a list of values rather than prose.
pub(crate) fn is_structured(text: &str, at: usize) -> bool {
    let is_fence = |line: &&str| line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
    if text.lines().filter(is_fence).count() % 2 == 1 {
        return true;
    }
    let from = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text[from..].lines().any(|line| {
        let calls = line.split('(').rev().skip(1).any(|before| before.ends_with(char::is_alphanumeric));
        is_fence(&line)
            || calls
            || line.starts_with("    ")
            || line.contains(['|', '\t', '=', '{', '}', '\\', '<', '@'])
            || line.contains("::")
            || line.contains("//")
            || line.ends_with(';')
            || line.matches('`').count() % 2 == 1
    })
}
