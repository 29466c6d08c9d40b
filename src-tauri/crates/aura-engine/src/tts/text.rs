//! What every voice does with a text before it speaks: it leaves out what cannot be said, and cuts the text into pieces that are
//! synthesised one after the other.

use aura_local::protocol::FailedKind;

use crate::model::Failed;

/// The shortest piece that a sentence begins with when it is cut for an early first sound, in characters.
const MIN_FIRST: usize = 24;

/// How long the pieces of a text are, in characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    /// A first sentence longer than this is cut at an early clause, so that the first sound comes early.
    pub(super) first: usize,
    /// No piece is longer.
    pub(super) longest: usize,
}

/// The pieces to speak, in order: sentences, or parts of long ones.
///
/// # Errors
/// With [`FailedKind::Invalid`] when nothing in the text can be said.
pub(super) fn pieces(text: &str, language: &str, lengths: Lengths) -> Result<Vec<String>, Failed> {
    let mut pieces = Vec::new();
    for line in clean(text).lines() {
        for sentence in sentencex::segment(language, line) {
            let mut rest = sentence.trim();
            if pieces.is_empty() && rest.chars().count() > lengths.first {
                let cut = clause_ends(rest).find(|end| rest[..*end].chars().count() >= MIN_FIRST);
                if let Some(end) = cut.filter(|end| is_spoken(&rest[*end..])) {
                    rest = push(&mut pieces, rest, end, lengths);
                }
            }
            push(&mut pieces, rest, rest.len(), lengths);
        }
    }
    if pieces.is_empty() {
        return Err(Failed::new(FailedKind::Invalid, "There is nothing in this text that can be said."));
    }
    Ok(pieces)
}

/// Adds the part of `text` before `end` in pieces that are not too long, and returns the rest.
fn push<'a>(pieces: &mut Vec<String>, text: &'a str, end: usize, lengths: Lengths) -> &'a str {
    let (mut part, rest) = text.split_at(end);
    while let Some((limit, _)) = part.char_indices().nth(lengths.longest) {
        let head = &part[..limit];
        // The last third holds a good place to cut, or there is none.
        let cut = clause_ends(head).filter(|cut| *cut > limit / 3).last();
        let cut = cut.or_else(|| head.rfind(char::is_whitespace)).filter(|cut| *cut > 0).unwrap_or(limit);
        add(pieces, &part[..cut]);
        part = &part[cut..];
    }
    add(pieces, part);
    rest.trim_start()
}

fn add(pieces: &mut Vec<String>, piece: &str) {
    let piece = piece.trim();
    if is_spoken(piece) {
        pieces.push(piece.to_owned());
    }
}

/// Whether a voice makes a sound of the text.
pub(super) fn is_spoken(text: &str) -> bool {
    text.chars().any(|character| character.is_alphanumeric() || "%&+@=$€£¥°".contains(character))
}

/// The places behind the punctuation inside a text, in bytes, at which a speaker pauses.
fn clause_ends(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().filter_map(|(at, character)| {
        let end = at + character.len_utf8();
        let after = text[end..].chars().next();
        let is_end = match character {
            ',' | ';' | ':' | '!' | '?' | '…' | '—' | '،' | '؛' => after.is_some_and(char::is_whitespace),
            '、' | '，' | '；' | '：' | '。' | '！' | '？' => true,
            _ => false,
        };
        is_end.then_some(end)
    })
}

/// A clause and the mark behind it, one of `, ; : . ! ?`.
pub(super) type Clause = (String, char);

/// The clauses of one piece. Marks inside numbers, times and abbreviations separate nothing.
pub(super) fn clauses(piece: &str) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut start = 0;
    for (at, character) in piece.char_indices() {
        let end = at + character.len_utf8();
        let is_closed = |rest: &str| {
            let rest = rest.trim_start_matches(|c: char| is_closing(c) || ",;:.!?…".contains(c));
            rest.chars().next().is_none_or(char::is_whitespace)
        };
        let mark = match character {
            ',' | ';' | ':' | '!' | '?' if is_closed(&piece[end..]) => character,
            // The sentence ends only once: a full stop before that belongs to an abbreviation.
            '.' if piece[end..].trim_matches(|c: char| is_closing(c) || c.is_whitespace()).is_empty() => '.',
            '…' | '،' | '、' | '，' => ',',
            '؛' | '；' => ';',
            '：' => ':',
            '。' | '।' => '.',
            '！' => '!',
            '？' | '؟' => '?',
            '—' => ';',
            '–' | '-' if piece[..at].ends_with(char::is_whitespace) && is_closed(&piece[end..]) => ';',
            _ => continue,
        };
        let clause = piece[start..at].trim();
        if is_spoken(clause) {
            clauses.push((clause.to_owned(), mark));
        } else if let Some((_, last)) = clauses.last_mut() {
            // "Really?!" and "so ..." have one mark.
            *last = if matches!(mark, '!' | '?') || end == piece.len() { mark } else { *last };
        }
        start = end;
    }
    let rest = piece[start..].trim();
    if is_spoken(rest) {
        clauses.push((rest.to_owned(), '.'));
    }
    clauses
}

fn is_closing(character: char) -> bool {
    matches!(character, '"' | '\'' | '”' | '’' | '»' | ')' | ']')
}

/// The text without characters that no voice can say: emoji, drawing and control characters.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            // Joiners change letters in Persian and Hindi; elsewhere they hold emoji together.
            '\u{200c}' | '\u{200d}' => {
                if clean.chars().next_back().is_some_and(|before| before.is_alphabetic() && !before.is_ascii()) {
                    clean.push(character);
                }
            }
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {}
            '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e01ef}' => {}
            _ if character.is_whitespace() || character.is_control() || is_picture(character) => {
                if !clean.ends_with(' ') {
                    clean.push(' ');
                }
            }
            _ => clean.push(character),
        }
    }
    clean
}

/// Emoji, arrows of drawing, boxes, and characters that mean something only to one program.
fn is_picture(character: char) -> bool {
    matches!(character,
        '\u{2300}'..='\u{27bf}' | '\u{2900}'..='\u{2bff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}'
        | '\u{1f000}'..='\u{1faff}' | '\u{f0000}'..='\u{10ffff}')
}

/// The ISO 639-1 code at the start of a language tag such as `en-US`, in lower case.
pub(super) fn base(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// Checks that a voice of these languages can read the text.
///
/// # Errors
/// With [`FailedKind::Unsupported`] when the text's language is another one, or most of its letters are of another script.
pub(super) fn check_language(text: &str, language: Option<&str>, languages: &[String]) -> Result<(), Failed> {
    let unsupported = |message: String| Err(Failed::new(FailedKind::Unsupported, message));
    if languages.is_empty() {
        return Ok(());
    }
    if let Some(language) = language.filter(|language| !languages.contains(&base(language))) {
        return unsupported(format!("This voice does not speak the language {language}: choose another voice."));
    }
    if languages.iter().all(|language| is_latin(language)) {
        let (mut latin, mut other) = (0, 0);
        for letter in text.chars().filter(|character| character.is_alphabetic()) {
            // Latin letters with and without accents end there; Greek ones are common in formulas.
            *if letter < '\u{400}' || ('\u{1e00}'..'\u{2000}').contains(&letter) { &mut latin } else { &mut other } +=
                1;
        }
        if other > latin {
            return unsupported("This voice cannot read the script of this text: choose another voice.".into());
        }
    }
    Ok(())
}

/// Whether a language is written in Latin letters.
fn is_latin(language: &str) -> bool {
    !matches!(
        language,
        "ar" | "am"
            | "be"
            | "bg"
            | "bn"
            | "el"
            | "fa"
            | "gu"
            | "he"
            | "hi"
            | "hy"
            | "ja"
            | "ka"
            | "kk"
            | "kn"
            | "ko"
            | "ky"
            | "mk"
            | "ml"
            | "mn"
            | "mr"
            | "my"
            | "ne"
            | "pa"
            | "ru"
            | "sr"
            | "ta"
            | "te"
            | "tg"
            | "th"
            | "uk"
            | "ur"
            | "yi"
            | "zh"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: Lengths = Lengths { first: 60, longest: 100 };

    #[test]
    fn a_text_is_cut_at_sentences_and_a_long_first_sentence_at_an_early_clause() {
        let text = "Dr. Smith paid $3.50 at 10:30. He left, and nobody knew.\nNew line";
        assert_eq!(
            pieces(text, "en", LENGTHS).unwrap(),
            ["Dr. Smith paid $3.50 at 10:30.", "He left, and nobody knew.", "New line"]
        );
        let long = "When the train had left the station, the conductor came, and he asked everybody for a ticket.";
        assert_eq!(
            pieces(long, "en", LENGTHS).unwrap(),
            ["When the train had left the station,", "the conductor came, and he asked everybody for a ticket."]
        );
    }

    #[test]
    fn no_piece_is_too_long_and_no_word_is_lost() {
        let words = "word ".repeat(400);
        let characters = "字".repeat(950);
        for text in [words.as_str(), characters.as_str()] {
            let pieces = pieces(text, "en", LENGTHS).unwrap();
            assert!(pieces.iter().all(|piece| piece.chars().count() <= LENGTHS.longest));
            assert_eq!(pieces.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }

    #[test]
    fn what_cannot_be_said_is_left_out() {
        assert_eq!(clean("A\u{200b}b 👩\u{200d}🚀 c\u{7}d ✅ 5\u{20e3} e\u{ad}f"), "Ab c d 5 ef");
        assert_eq!(clean("می\u{200c}خواهم"), "می\u{200c}خواهم");
        for nothing in ["", " \n\t", "🎉🎉", "...", "—", "?!"] {
            assert_eq!(pieces(nothing, "en", LENGTHS).unwrap_err().kind, FailedKind::Invalid, "{nothing:?}");
        }
    }

    #[test]
    fn clauses_keep_their_marks_and_numbers_their_points() {
        let clauses = |piece| clauses(piece).iter().map(|(text, mark)| format!("{text}{mark}")).collect::<Vec<_>>();
        assert_eq!(
            clauses("Well, Mr. Fox: at 10:30 it was 1,000.5 — really?!"),
            ["Well,", "Mr. Fox:", "at 10:30 it was 1,000.5;", "really!"]
        );
        assert_eq!(clauses("He said \"no.\""), ["He said \"no."]);
        assert_eq!(clauses("No mark"), ["No mark."]);
        assert_eq!(clauses("你好，世界。"), ["你好,", "世界."]);
        assert_eq!(clauses("a well-known e-mail - yes"), ["a well-known e-mail;", "yes."]);
    }

    #[test]
    fn a_text_of_another_language_or_script_is_refused() {
        let english = ["en".to_owned()];
        assert!(check_language("Hello", None, &english).is_ok());
        assert!(check_language("Hello", Some("en-US"), &english).is_ok());
        assert!(check_language("Hallo", Some("de"), &english).is_err());
        assert!(check_language("你好，世界", None, &english).is_err());
        assert!(check_language("The word 你好 means hello", None, &english).is_ok());
        assert!(check_language("Привет", None, &["ru".to_owned()]).is_ok());
    }
}
