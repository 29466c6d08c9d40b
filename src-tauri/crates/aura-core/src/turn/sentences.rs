//! From an answer that is still being written to sentences that can be spoken.
//!
//! The first piece is cut early, at a clause if need be: it decides how soon there is sound. Later ones are whole sentences, short
//! ones joined. Markdown is read, not spoken; code stays on the screen.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The first piece is at least this long, characters: less is not worth a request.
const FIRST_AT_LEAST: usize = 12;
/// Later pieces are at least this long; shorter sentences join the next one.
const LATER_AT_LEAST: usize = 25;
/// A first piece may end at a colon or semicolon from here on, and at a comma a little later.
const FIRST_CLAUSE: usize = 40;
/// Longer than this no listener can wait for the full stop.
const LONGEST: usize = 280;

/// Cuts a growing answer into pieces to be spoken.
#[derive(Debug)]
pub(super) struct Sentences {
    raw: String,
    /// Whether `raw` begins where a line does.
    new_line: bool,
    language: String,
    spoke: bool,
    in_code: bool,
    told_of_code: bool,
}

impl Sentences {
    /// For an answer in this language (ISO 639-1).
    pub(super) fn new(language: &str) -> Self {
        let (raw, language) = (String::new(), language.to_owned());
        Self { raw, new_line: true, language, spoke: false, in_code: false, told_of_code: false }
    }

    /// Takes the next part of the answer and gives the pieces that are complete.
    pub(super) fn push(&mut self, text: &str) -> Vec<String> {
        self.raw.push_str(text);
        let mut pieces = Vec::new();
        while let Some(end) = self.cut() {
            self.take(end, &mut pieces);
        }
        pieces
    }

    /// The answer is complete: gives what is left.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut pieces = self.push("\n");
        self.take(self.raw.len(), &mut pieces);
        pieces
    }

    fn take(&mut self, end: usize, pieces: &mut Vec<String>) {
        let piece: String = self.raw.drain(..end).collect();
        self.new_line = piece.chars().next_back().map_or(self.new_line, |last| last == '\n');
        if self.in_code {
            return;
        }
        if let Some(text) = speakable(&piece) {
            self.spoke = true;
            pieces.push(text);
        }
        // What `cut` left at the start is a fence: the code after it is for the eyes.
        if self.new_line && is_fence(&self.raw) {
            self.in_code = true;
            if !std::mem::replace(&mut self.told_of_code, true) {
                pieces.push("The code is on your screen.".into());
            }
        }
    }

    /// Where the next piece ends, in bytes; `None` while it is not known.
    fn cut(&mut self) -> Option<usize> {
        if self.in_code {
            let body = self.raw.find('\n')? + 1;
            let line = body + fence(&self.raw[body..], true)?;
            let end = line + self.raw[line..].find('\n')? + 1;
            self.raw.drain(..end);
            self.in_code = false;
            self.new_line = true;
        }
        if let Some(fence) = fence(&self.raw, self.new_line) {
            if fence > 0 || !self.raw.contains('\n') {
                return (fence > 0).then_some(fence);
            }
            return Some(0);
        }
        if let Some(line) = self.raw.find('\n') {
            // A line is complete: a list item, a heading, a paragraph. Sentences inside it come first.
            return Some(self.sentence_end(line).unwrap_or(line + 1));
        }
        self.sentence_end(self.raw.len())
    }

    /// The end of the first sentence before `limit` that is long enough.
    fn sentence_end(&self, limit: usize) -> Option<usize> {
        let text = &self.raw[..limit];
        let least = if self.spoke { LATER_AT_LEAST } else { FIRST_AT_LEAST };
        let mut length = 0;
        let mut characters = text.char_indices().peekable();
        let mut last_space = None;
        while let Some((at, character)) = characters.next() {
            length += 1;
            let end = at + character.len_utf8();
            let followed = characters.peek().is_some_and(|(_, next)| next.is_whitespace());
            let full_width = matches!(character, '。' | '！' | '？');
            if length >= least
                && (full_width
                    || (followed && matches!(character, '.' | '!' | '?' | '…')) && self.is_boundary(text, end))
            {
                return Some(end);
            }
            let clause =
                matches!(character, ':' | ';') || (matches!(character, ',' | '–' | '—') && length >= FIRST_CLAUSE + 20);
            if !self.spoke && followed && clause && length >= FIRST_CLAUSE {
                return Some(end);
            }
            if character.is_whitespace() {
                last_space = Some(end);
            }
            if length >= LONGEST {
                return last_space;
            }
        }
        None
    }

    /// Whether the full stop there ends a sentence: "Dr. Smith", "3. Item" and "e.g. this" do not.
    fn is_boundary(&self, text: &str, end: usize) -> bool {
        // The segmenter needs to see how the next sentence might begin.
        let ahead = text[end..].trim_start().chars().next();
        let probe = match ahead {
            Some(_) => text.to_owned(),
            None => format!("{} Next", &text[..end]),
        };
        let mut at = 0;
        sentencex::segment(&self.language, &probe).into_iter().any(|segment| {
            at += segment.len();
            probe[..at].trim_end().len() == end
        })
    }
}

/// Where the first line begins that opens or ends code; `new_line`: whether the text begins where a line does.
fn fence(text: &str, new_line: bool) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if (at > 0 || new_line) && is_fence(line) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// In a list, code is indented.
fn is_fence(line: &str) -> bool {
    line.trim_start_matches([' ', '\t']).starts_with("```")
}

/// What of a piece of Markdown is said aloud; `None` when nothing is.
pub(super) fn speakable(markdown: &str) -> Option<String> {
    let mut said = String::new();
    let (mut item, mut in_code) = (Vec::new(), false);
    for event in Parser::new_ext(markdown.trim(), Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES) {
        match event {
            Event::Text(text) if !in_code => said.push_str(&text),
            Event::Code(text) => said.push_str(&text),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::TableCell | TagEnd::Item | TagEnd::Paragraph | TagEnd::Heading(_)) => said.push(' '),
            Event::Start(Tag::List(start)) => item.push(start),
            Event::End(TagEnd::List(_)) => drop(item.pop()),
            // "1." is said; a number at the start of a sentence looks the same and must not get lost.
            Event::Start(Tag::Item) => {
                if let Some(Some(number)) = item.last_mut() {
                    said.push_str(&format!("{number}. "));
                    *number += 1;
                }
            }
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            _ => {}
        }
    }
    let all: Vec<&str> = said.split_whitespace().collect();
    let said_word = |(at, one): (usize, &&str)| {
        // A star by itself between two values is no mark of Markdown: voices know the sign for it.
        let beside = |at: Option<usize>| at.and_then(|at| all.get(at)).copied();
        let times = *one == "*"
            && beside(at.checked_sub(1)).zip(beside(Some(at + 1))).is_some_and(|(before, after)| {
                before.ends_with(is_value) && after.starts_with(is_value) && (is_term(before) || is_term(after))
            });
        if times { "×".to_owned() } else { word(one) }
    };
    let words: Vec<String> = all.iter().enumerate().map(said_word).filter(|word| !word.is_empty()).collect();
    let said = words.join(" ");
    said.chars().any(char::is_alphanumeric).then_some(said)
}

/// What a number, a name or a term in brackets begins or ends with.
fn is_value(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '(' | ')')
}

/// Whether a word is one of a formula: a number, a name of one letter, something in brackets.
fn is_term(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    bare.chars().count() == 1 || word.contains(['(', ')']) || bare.contains(|c: char| c.is_ascii_digit())
}

/// A word as it is said: marks that were cut from their partner, emoji and addresses are not read out.
fn word(word: &str) -> String {
    let address = word.contains("://") || word.starts_with("www.");
    if address {
        let tail: String = word.chars().rev().take_while(|c| matches!(c, '.' | ',' | '!' | '?' | ')')).collect();
        return format!("link{}", tail.chars().rev().filter(|c| *c != ')').collect::<String>());
    }
    let bare = word.trim_matches(|c| matches!(c, '*' | '_' | '`' | '#' | '~' | '|'));
    bare.chars().filter(|c| !is_picture(*c)).collect()
}

/// Emoji, dingbats and what joins them.
fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0xFE00..=0xFE0F | 0x200D | 0x20E3)
}

/// Splits a piece for a voice that takes at most so many characters: at clauses, else at words, else anywhere.
pub(crate) fn split_to(text: &str, most: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while rest.chars().count() > most {
        let hard = rest.char_indices().nth(most).map_or(rest.len(), |(at, _)| at);
        let head = &rest[..hard];
        // A mark between two figures belongs to a number: `3.14`, `10:30`, `1,000`.
        let ends = |(at, mark): (usize, char)| {
            let next = rest[at + mark.len_utf8()..].chars().next();
            next.is_none_or(|next| !next.is_alphanumeric()).then_some(at + mark.len_utf8())
        };
        let marks = head.char_indices().rev().filter(|(_, c)| matches!(c, ',' | ';' | ':' | '.' | '!' | '?'));
        let clause = marks.filter_map(ends).next().filter(|at| *at > hard / 3);
        let cut = clause.or_else(|| head.rfind(' ')).filter(|at| *at > 0).unwrap_or(hard);
        parts.push(rest[..cut].trim().to_owned());
        rest = rest[cut..].trim();
    }
    parts.push(rest.to_owned());
    parts.retain(|part| part.chars().any(char::is_alphanumeric));
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut sentences = Sentences::new("en");
        let mut pieces: Vec<String> = Vec::new();
        for token in text.split_inclusive(' ') {
            pieces.extend(sentences.push(token));
        }
        pieces.extend(sentences.finish());
        pieces
    }

    #[test]
    fn sentences_come_one_by_one_and_abbreviations_stay_whole() {
        assert_eq!(
            all(
                "Dr. Smith measured 3.14 volts today. That is far too much for this small circuit! Why? Nobody knows it yet."
            ),
            [
                "Dr. Smith measured 3.14 volts today.",
                "That is far too much for this small circuit!",
                "Why? Nobody knows it yet."
            ]
        );
    }

    #[test]
    fn the_first_piece_does_not_wait_for_a_long_sentence() {
        let text = "If you look at the left side of the window you will find: a list of all the files that were changed since yesterday.";
        assert_eq!(all(text)[0], "If you look at the left side of the window you will find:");
    }

    #[test]
    fn a_sentence_is_given_before_the_answer_is_complete() {
        let mut sentences = Sentences::new("en");
        assert!(sentences.push("The port is taken").is_empty());
        assert!(sentences.push(" already.").is_empty());
        assert_eq!(sentences.push(" Close"), ["The port is taken already."]);
    }

    #[test]
    fn markdown_is_read_and_not_spoken() {
        assert_eq!(
            all(
                "## What to do\n\n1. Open the **Settings** page.\n2. Press `Save` in [the dialog](https://example.org/x_y).\n\nSee https://example.org/docs?a=b. 👍 Done ✅"
            ),
            ["What to do", "1. Open the Settings page.", "2. Press Save in the dialog.", "See link.", "Done"]
        );
        assert_eq!(speakable("some_snake_case and 2 * 3 = 6").as_deref(), Some("some_snake_case and 2 × 3 = 6"));
        assert_eq!(speakable("a * b, but * not this").as_deref(), Some("a × b, but not this"));
        assert_eq!(speakable("**Bold.").as_deref(), Some("Bold."));
        assert_eq!(speakable("1984. It was a bright day").as_deref(), Some("1984. It was a bright day"));
        assert_eq!(speakable("🎉 --- ***"), None);
    }

    #[test]
    fn code_stays_on_the_screen() {
        assert_eq!(
            all(
                "Run this in a terminal:\n\n```sh\nss -ltn | grep 8000\n```\n\nThen close the program. And again:\n```\nls\n```\n"
            ),
            ["Run this in a terminal:", "The code is on your screen.", "Then close the program. And again:"]
        );
    }

    #[test]
    fn code_in_a_list_stays_on_the_screen() {
        assert_eq!(
            all(
                "1. Run this:\n   ```sh\n   ss -ltn\n   ```\n2. Use ```inline``` code as it is.\n\nThen close the program.\n"
            ),
            ["1. Run this:", "The code is on your screen.", "2. Use inline code as it is.", "Then close the program."]
        );
        assert_eq!(
            all("Run this in a terminal. ```ls``` is a command.\n\n    ```\n    ls\n    ```\n\nThat is all there is."),
            ["Run this in a terminal.", "ls is a command.", "The code is on your screen.", "That is all there is."]
        );
    }

    #[test]
    fn long_pieces_are_split_to_what_a_voice_takes() {
        let text = "one two three, four five six seven eight nine ten eleven twelve thirteen";
        for most in [10, 20, 40, 200] {
            let parts = split_to(text, most);
            assert!(parts.iter().all(|part| part.chars().count() <= most), "{parts:?}");
            assert_eq!(
                parts.join(" ").split_whitespace().collect::<String>(),
                text.split_whitespace().collect::<String>()
            );
        }
        assert_eq!(split_to("äöüäöüäöü", 3), ["äöü", "äöü", "äöü"]);
        assert_eq!(split_to("It is about 3.14 volts", 14), ["It is about", "3.14 volts"], "a number stays whole");
        assert_eq!(split_to("Come at 10:30, or so", 14), ["Come at 10:30,", "or so"]);
    }

    proptest! {
        #[test]
        fn no_word_of_plain_text_is_lost_however_it_arrives(words in proptest::collection::vec("[a-z]{1,9}[.,!?]?", 1..60), cut in 1_usize..9) {
            let text = words.join(" ");
            let mut sentences = Sentences::new("en");
            let mut pieces = Vec::new();
            let letters: Vec<char> = text.chars().collect();
            for part in letters.chunks(cut) {
                pieces.extend(sentences.push(&part.iter().collect::<String>()));
            }
            pieces.extend(sentences.finish());
            prop_assert_eq!(pieces.join(" "), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,400}", marks in "[`*_#\\[\\]()\n!. -]{0,80}") {
            let mut sentences = Sentences::new("en");
            sentences.push(&marks);
            sentences.push(&text);
            sentences.push(&marks);
            sentences.finish();
        }
    }
}
