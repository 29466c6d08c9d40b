//! Splits an answer that is still being written into chunks that can be spoken.
//!
//! The first chunk is cut early, at a clause if necessary, because it decides how soon there is sound. Later chunks are whole
//! sentences; short ones are joined. Markdown is stripped, and code is not spoken.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The least length of the first chunk in characters: less is not worth a request.
const MIN_FIRST: usize = 12;
/// The least length of later chunks in characters. A shorter sentence is joined to the next one.
const MIN_LATER: usize = 25;
/// From this length in characters on, the first chunk may end at a colon or semicolon; 20 characters later, at a comma or dash too.
const MIN_FIRST_CLAUSE: usize = 40;
/// The greatest length of a chunk in characters. A longer sentence is cut at a word.
const MAX_CHUNK: usize = 280;

/// Splits a growing answer into chunks to be spoken.
#[derive(Debug)]
pub(super) struct SentenceSplitter {
    /// Text that is not part of a chunk yet.
    raw: String,
    /// Whether `raw` begins at the start of a line.
    is_new_line: bool,
    language: String,
    /// Whether the first chunk was given out.
    has_begun: bool,
    /// Whether `raw` begins inside a code block.
    is_in_code: bool,
    /// Whether the notice about code was given out.
    has_announced_code: bool,
}

impl SentenceSplitter {
    /// Makes a splitter for an answer in this language (ISO 639-1 code).
    pub(super) fn new(language: &str) -> Self {
        let (raw, language) = (String::new(), language.to_owned());
        Self { raw, is_new_line: true, language, has_begun: false, is_in_code: false, has_announced_code: false }
    }

    /// Takes the next part of the answer and returns the chunks that are complete.
    pub(super) fn push(&mut self, text: &str) -> Vec<String> {
        self.raw.push_str(text);
        let mut chunks = Vec::new();
        while let Some(end) = self.cut() {
            self.take(end, &mut chunks);
        }
        chunks
    }

    /// Ends the answer and returns the chunks that are left.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut chunks = self.push("\n");
        self.take(self.raw.len(), &mut chunks);
        chunks
    }

    /// Removes `raw[..end]`; adds what can be spoken of it to `chunks`.
    fn take(&mut self, end: usize, chunks: &mut Vec<String>) {
        let chunk: String = self.raw.drain(..end).collect();
        self.is_new_line = chunk.chars().next_back().map_or(self.is_new_line, |last| last == '\n');
        if self.is_in_code {
            return;
        }
        if let Some(text) = speakable(&chunk) {
            self.has_begun = true;
            chunks.push(text);
        }
        // `cut` stops in front of a fence: what follows is code, which is not spoken.
        if self.is_new_line && is_fence(&self.raw) {
            self.is_in_code = true;
            if !std::mem::replace(&mut self.has_announced_code, true) {
                chunks.push("The code is on your screen.".into());
            }
        }
    }

    /// The end of the next chunk, in bytes; `None` while it is not known.
    fn cut(&mut self) -> Option<usize> {
        if self.is_in_code {
            let body = self.raw.find('\n')? + 1;
            let line = body + fence(&self.raw[body..], true)?;
            let end = line + self.raw[line..].find('\n')? + 1;
            self.raw.drain(..end);
            self.is_in_code = false;
            self.is_new_line = true;
        }
        if let Some(fence) = fence(&self.raw, self.is_new_line) {
            if fence > 0 || !self.raw.contains('\n') {
                return (fence > 0).then_some(fence);
            }
            return Some(0);
        }
        if let Some(line) = self.raw.find('\n') {
            // A complete line is a list item, a heading or a paragraph. It may contain several sentences.
            return Some(self.sentence_end(line).unwrap_or(line + 1));
        }
        self.sentence_end(self.raw.len())
    }

    /// The end of the first sentence before `limit` that is long enough, in bytes.
    fn sentence_end(&self, limit: usize) -> Option<usize> {
        let text = &self.raw[..limit];
        let min_length = if self.has_begun { MIN_LATER } else { MIN_FIRST };
        let mut length = 0;
        let mut characters = text.char_indices().peekable();
        let mut last_space = None;
        while let Some((at, character)) = characters.next() {
            length += 1;
            let end = at + character.len_utf8();
            let before_space = characters.peek().is_some_and(|(_, next)| next.is_whitespace());
            let is_full_width = matches!(character, '。' | '！' | '？');
            if length >= min_length
                && (is_full_width
                    || (before_space && matches!(character, '.' | '!' | '?' | '…')) && self.is_boundary(text, end))
            {
                return Some(end);
            }
            let is_clause = matches!(character, ':' | ';')
                || (matches!(character, ',' | '–' | '—') && length >= MIN_FIRST_CLAUSE + 20);
            if !self.has_begun && before_space && is_clause && length >= MIN_FIRST_CLAUSE {
                return Some(end);
            }
            if character.is_whitespace() {
                last_space = Some(end);
            }
            if length >= MAX_CHUNK {
                return last_space;
            }
        }
        None
    }

    /// Whether the punctuation before byte `end` ends a sentence. It does not in "Dr. Smith", "3. Item" and "e.g. this".
    fn is_boundary(&self, text: &str, end: usize) -> bool {
        // The segmenter needs the beginning of the next sentence.
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

/// The start of the first line that opens or closes a code block, in bytes. `is_new_line`: whether the text begins at the start
/// of a line.
fn fence(text: &str, is_new_line: bool) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if (at > 0 || is_new_line) && is_fence(line) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// Whether a line opens or closes a code block. In a list, it is indented.
fn is_fence(line: &str) -> bool {
    line.trim_start_matches([' ', '\t']).starts_with("```")
}

/// Converts Markdown to the text to speak; `None` when nothing is left.
pub(super) fn speakable(markdown: &str) -> Option<String> {
    let mut spoken = String::new();
    let (mut lists, mut is_in_code) = (Vec::new(), false);
    for event in Parser::new_ext(markdown.trim(), Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES) {
        match event {
            Event::Text(text) if !is_in_code => spoken.push_str(&text),
            Event::Code(text) => spoken.push_str(&text),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::TableCell | TagEnd::Item | TagEnd::Paragraph | TagEnd::Heading(_)) => spoken.push(' '),
            Event::Start(Tag::List(start)) => lists.push(start),
            Event::End(TagEnd::List(_)) => drop(lists.pop()),
            // List numbers are spoken: "1984. It was …" parses as a list too, and its number must not get lost.
            Event::Start(Tag::Item) => {
                if let Some(Some(number)) = lists.last_mut() {
                    spoken.push_str(&format!("{number}. "));
                    *number += 1;
                }
            }
            Event::Start(Tag::CodeBlock(_)) => is_in_code = true,
            Event::End(TagEnd::CodeBlock) => is_in_code = false,
            _ => {}
        }
    }
    let words: Vec<&str> = spoken.split_whitespace().collect();
    let speak_word = |(at, one): (usize, &&str)| {
        // A single asterisk between two values is a multiplication, not Markdown. Voices can read the sign ×.
        let neighbour = |at: Option<usize>| at.and_then(|at| words.get(at)).copied();
        let is_times = *one == "*"
            && neighbour(at.checked_sub(1)).zip(neighbour(Some(at + 1))).is_some_and(|(before, after)| {
                before.ends_with(is_value) && after.starts_with(is_value) && (is_term(before) || is_term(after))
            });
        if is_times { "×".to_owned() } else { word(one) }
    };
    let words: Vec<String> = words.iter().enumerate().map(speak_word).filter(|word| !word.is_empty()).collect();
    let spoken = words.join(" ");
    spoken.chars().any(char::is_alphanumeric).then_some(spoken)
}

/// Whether a number, a name or a term in brackets may begin or end with this character.
fn is_value(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '(' | ')')
}

/// Whether a word looks like a term of a formula: a number, a single letter, or something in brackets.
fn is_term(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    bare.chars().count() == 1 || word.contains(['(', ')']) || bare.contains(|c: char| c.is_ascii_digit())
}

/// Converts a word to what is spoken: without unpaired Markdown marks and emoji, and with `link` in place of a URL.
fn word(word: &str) -> String {
    let is_url = word.contains("://") || word.starts_with("www.");
    if is_url {
        let tail: String = word.chars().rev().take_while(|c| matches!(c, '.' | ',' | '!' | '?' | ')')).collect();
        return format!("link{}", tail.chars().rev().filter(|c| *c != ')').collect::<String>());
    }
    let bare = word.trim_matches(|c| matches!(c, '*' | '_' | '`' | '#' | '~' | '|'));
    bare.chars().filter(|c| !is_emoji(*c)).collect()
}

/// Whether a character is an emoji, a dingbat, or a joiner of them.
fn is_emoji(c: char) -> bool {
    matches!(u32::from(c), 0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0xFE00..=0xFE0F | 0x200D | 0x20E3)
}

/// Splits a text into parts of at most `max_chars` characters: at clauses, else at words, else anywhere. Parts without a letter
/// or digit are dropped.
pub(crate) fn split_to(text: &str, max_chars: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while rest.chars().count() > max_chars {
        let hard = rest.char_indices().nth(max_chars).map_or(rest.len(), |(at, _)| at);
        let head = &rest[..hard];
        // A mark before a letter or digit does not end a clause: `3.14`, `10:30`, `1,000`.
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

    /// The chunks of an answer that arrives word by word.
    fn chunks(text: &str) -> Vec<String> {
        let mut splitter = SentenceSplitter::new("en");
        let mut chunks: Vec<String> = Vec::new();
        for token in text.split_inclusive(' ') {
            chunks.extend(splitter.push(token));
        }
        chunks.extend(splitter.finish());
        chunks
    }

    #[test]
    fn sentences_are_split_but_not_at_abbreviations_and_decimals() {
        assert_eq!(
            chunks(
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
    fn the_first_chunk_of_a_long_sentence_ends_at_a_clause() {
        let text = "If you look at the left side of the window you will find: a list of all the files that were changed since yesterday.";
        assert_eq!(chunks(text)[0], "If you look at the left side of the window you will find:");
    }

    #[test]
    fn a_sentence_is_complete_once_the_next_one_begins() {
        let mut splitter = SentenceSplitter::new("en");
        assert!(splitter.push("The port is taken").is_empty());
        assert!(splitter.push(" already.").is_empty());
        assert_eq!(splitter.push(" Close"), ["The port is taken already."]);
    }

    #[test]
    fn markdown_marks_urls_and_emoji_are_not_spoken() {
        assert_eq!(
            chunks(
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
    fn a_code_block_is_announced_once_and_not_spoken() {
        assert_eq!(
            chunks(
                "Run this in a terminal:\n\n```sh\nss -ltn | grep 8000\n```\n\nThen close the program. And again:\n```\nls\n```\n"
            ),
            ["Run this in a terminal:", "The code is on your screen.", "Then close the program. And again:"]
        );
    }

    #[test]
    fn an_indented_code_block_is_not_spoken() {
        assert_eq!(
            chunks(
                "1. Run this:\n   ```sh\n   ss -ltn\n   ```\n2. Use ```inline``` code as it is.\n\nThen close the program.\n"
            ),
            ["1. Run this:", "The code is on your screen.", "2. Use inline code as it is.", "Then close the program."]
        );
        assert_eq!(
            chunks(
                "Run this in a terminal. ```ls``` is a command.\n\n    ```\n    ls\n    ```\n\nThat is all there is."
            ),
            ["Run this in a terminal.", "ls is a command.", "The code is on your screen.", "That is all there is."]
        );
    }

    #[test]
    fn text_is_split_to_the_length_limit_at_clauses_and_words() {
        let text = "one two three, four five six seven eight nine ten eleven twelve thirteen";
        for max_chars in [10, 20, 40, 200] {
            let parts = split_to(text, max_chars);
            assert!(parts.iter().all(|part| part.chars().count() <= max_chars), "{parts:?}");
            assert_eq!(
                parts.join(" ").split_whitespace().collect::<String>(),
                text.split_whitespace().collect::<String>()
            );
        }
        assert_eq!(split_to("äöüäöüäöü", 3), ["äöü", "äöü", "äöü"]);
        assert_eq!(split_to("It is about 3.14 volts", 14), ["It is about", "3.14 volts"], "a number is not split");
        assert_eq!(split_to("Come at 10:30, or so", 14), ["Come at 10:30,", "or so"]);
    }

    #[test]
    fn text_is_split_to_the_limit_of_a_voice_and_text_without_words_is_dropped() {
        let long = format!("{} --- !!! ... {}", "word ".repeat(80), "ä".repeat(400));
        let parts = split_to(&long, 190);
        assert!(parts.len() > 4, "{parts:?}");
        for part in parts {
            assert!(part.chars().count() <= 190 && part.chars().any(char::is_alphanumeric), "{part}");
        }
        assert!(split_to("... !!! — ?", 190).is_empty(), "nothing to speak is not sent");
    }

    proptest! {
        #[test]
        fn plain_text_is_spoken_completely_however_it_is_streamed(words in proptest::collection::vec("[a-z]{1,9}[.,!?]?", 1..60), cut in 1_usize..9) {
            let text = words.join(" ");
            let mut splitter = SentenceSplitter::new("en");
            let mut chunks = Vec::new();
            let letters: Vec<char> = text.chars().collect();
            for part in letters.chunks(cut) {
                chunks.extend(splitter.push(&part.iter().collect::<String>()));
            }
            chunks.extend(splitter.finish());
            prop_assert_eq!(chunks.join(" "), text);
        }

        #[test]
        fn arbitrary_text_does_not_panic(text in "\\PC{0,400}", marks in "[`*_#\\[\\]()\n!. -]{0,80}") {
            let mut splitter = SentenceSplitter::new("en");
            splitter.push(&marks);
            splitter.push(&text);
            splitter.push(&marks);
            splitter.finish();
        }
    }
}
