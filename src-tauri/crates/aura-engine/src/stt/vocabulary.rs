//! From tokens to text: the vocabulary of a model, from `tokenizer.bin` (Moonshine) or `tokenizer.json` (Hugging Face).

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::bad_file;
use crate::model::LoadFailed;

/// The character for a space in vocabularies of SentencePiece.
const SPACE: &str = "\u{2581}";

/// A model's tokens by their ids.
#[derive(Default)]
pub(super) struct Vocabulary {
    /// The bytes of each token; `None` for those that are not text.
    texts: Vec<Option<Vec<u8>>>,
    /// The ids of the tokens that are not text, such as `<|endoftext|>`.
    specials: HashMap<String, u32>,
    /// The ids of the tokens that are text.
    ids: HashMap<Vec<u8>, u32>,
}

#[derive(Deserialize)]
struct Json {
    #[serde(default)]
    added_tokens: Vec<Added>,
    model: JsonModel,
    decoder: Option<Kind>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
struct JsonModel {
    vocab: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

/// The most tokens of a vocabulary that is believed.
const MOST: usize = 1 << 20;

impl Vocabulary {
    /// Reads the file, whichever of the two it is.
    pub(super) fn read(file: &Path) -> Result<Self, LoadFailed> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(file).map_err(|error| bad_file(format!("{name} cannot be read: {error}")))?;
        let vocabulary = if bytes.first() == Some(&b'{') {
            let json =
                serde_json::from_slice(&bytes).map_err(|error| bad_file(format!("{name} is damaged: {error}")))?;
            Self::from_json(json)
        } else {
            Self::from_bin(&bytes)
        };
        vocabulary.ok_or_else(|| bad_file(format!("{name} is damaged, or it is not a vocabulary.")))
    }

    /// Reads a file of lines of a token and its id, as NeMo's exports have.
    pub(super) fn read_lines(file: &Path) -> Result<Self, LoadFailed> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text =
            std::fs::read_to_string(file).map_err(|error| bad_file(format!("{name} cannot be read: {error}")))?;
        Self::from_lines(&text).ok_or_else(|| bad_file(format!("{name} is damaged, or it is not a vocabulary.")))
    }

    fn from_lines(text: &str) -> Option<Self> {
        let mut vocabulary = Self::default();
        for line in text.lines() {
            let (token, id) = line.rsplit_once(' ')?;
            let id: u32 = id.parse().ok().filter(|id| (*id as usize) < MOST)?;
            let at = id as usize;
            vocabulary.texts.resize(vocabulary.texts.len().max(at + 1), None);
            if is_mark(token) {
                vocabulary.specials.insert(token.to_owned(), id);
            } else {
                vocabulary.texts[at] = Some(unmark(token.as_bytes()));
            }
        }
        (!vocabulary.texts.is_empty()).then_some(vocabulary)
    }

    /// The number of tokens.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether a token has a space before its text.
    pub(super) fn begins_word(&self, token: u32) -> bool {
        self.texts.get(token as usize).and_then(Option::as_deref).is_some_and(|text| text.starts_with(b" "))
    }

    /// Reads tokens one after the other, each with its length before it: one byte, or two from 128 on.
    fn from_bin(mut bytes: &[u8]) -> Option<Self> {
        let mut vocabulary = Self::default();
        while let Some((first, rest)) = bytes.split_first() {
            let mut length = usize::from(*first);
            bytes = rest;
            if length >= 128 {
                let (second, rest) = bytes.split_first()?;
                length = usize::from(*second) * 128 + length - 128;
                bytes = rest;
            }
            let (token, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            let id = vocabulary.texts.len();
            let special = std::str::from_utf8(token).ok().filter(|text| is_mark(text));
            if let Some(special) = special {
                vocabulary.specials.insert(special.to_owned(), u32::try_from(id).ok()?);
            }
            vocabulary.texts.push(special.is_none().then(|| unmark(token)));
        }
        (vocabulary.texts.len() > 256).then_some(vocabulary)
    }

    fn from_json(json: Json) -> Option<Self> {
        let byte_level = json.decoder.is_some_and(|decoder| decoder.r#type == "ByteLevel");
        let bytes = bytes_of_chars();
        let mut vocabulary = Self::default();
        let ids = json.model.vocab.values().chain(json.added_tokens.iter().map(|added| &added.id));
        let count = usize::try_from(*ids.max()?).ok()? + 1;
        if count > MOST {
            return None;
        }
        vocabulary.texts.resize(count, None);
        for (token, id) in json.model.vocab {
            let text = if byte_level {
                token.chars().map(|char| bytes.get(&char).copied()).collect::<Option<Vec<u8>>>()
            } else {
                Some(byte_fallback(&token).map_or_else(|| unmark(token.as_bytes()), |byte| vec![byte]))
            };
            vocabulary.texts[id as usize] = text;
        }
        for added in json.added_tokens {
            vocabulary.texts[added.id as usize] = None;
            vocabulary.specials.insert(added.content, added.id);
        }
        let texts = vocabulary.texts.iter().zip(0..);
        vocabulary.ids = texts.filter_map(|(text, id)| Some((text.clone()?, id))).collect();
        Some(vocabulary)
    }

    /// The text of tokens, trimmed. Those that are not text are left out. A text without a letter or a digit, such as a note for music, is
    /// none.
    pub(super) fn text(&self, tokens: &[u32]) -> String {
        let known = tokens.iter().filter_map(|token| self.texts.get(*token as usize)?.as_deref());
        let bytes: Vec<u8> = known.flatten().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(char::is_alphanumeric) { text.trim().to_owned() } else { String::new() }
    }

    /// The ids of the tokens that are not text, by their names.
    pub(super) fn all_special(&self) -> &HashMap<String, u32> {
        &self.specials
    }

    /// The id of the token with exactly this text.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The tokens of a text, for a byte-level vocabulary: the pair that forms the lowest token is joined first, as in tiktoken.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        words(text).flat_map(|word| self.encode_word(word.as_bytes())).collect()
    }

    fn encode_word(&self, word: &[u8]) -> Vec<u32> {
        let mut cuts: Vec<usize> = (0..=word.len()).collect();
        let lowest = |cuts: &[usize]| {
            let pairs = cuts.windows(3).enumerate();
            pairs.filter_map(|(at, pair)| Some((self.find(&word[pair[0]..pair[2]])?, at + 1))).min()
        };
        while let Some((_, cut)) = lowest(&cuts) {
            cuts.remove(cut);
        }
        cuts.windows(2).filter_map(|part| self.find(&word[part[0]..part[1]])).collect()
    }

    /// The id of a token that is not text.
    pub(super) fn special(&self, name: &str) -> Option<u32> {
        self.specials.get(name).copied()
    }
}

/// The words of a text, each with the space before it, and runs of digits and of other characters.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let kind = |char: char| match char {
        char if char.is_whitespace() => 0,
        char if char.is_alphabetic() => 1,
        char if char.is_numeric() => 2,
        _ => 3,
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut kinds = rest.char_indices().map(|(at, char)| (at, kind(char))).peekable();
        let (_, first) = kinds.next()?;
        // A space belongs to what follows it.
        let first = kinds.peek().filter(|_| first == 0).map_or(first, |(_, second)| *second);
        let end = kinds.find(|(_, kind)| *kind != first).map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Whether a token of `tokenizer.bin` is not text, such as `<s>` or `<<ST_1>>`.
fn is_mark(token: &str) -> bool {
    token.len() > 2 && token.starts_with('<') && token.ends_with('>')
}

/// The byte that a token such as `<0xE2>` stands for.
fn byte_fallback(token: &str) -> Option<u8> {
    u8::from_str_radix(token.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// Puts spaces where SentencePiece has its own character.
fn unmark(token: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(token) {
        Ok(text) => text.replace(SPACE, " ").into_bytes(),
        Err(_) => token.to_vec(),
    }
}

/// The bytes that the printable characters of a byte-level vocabulary stand for: the table of GPT-2.
fn bytes_of_chars() -> HashMap<char, u8> {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 256;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let code = if plain(byte) {
                u32::from(byte)
            } else {
                next += 1;
                next - 1
            };
            Some((char::from_u32(code)?, byte))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_the_short_format_become_text() {
        let mut bytes = vec![3];
        bytes.extend(b"<s>");
        (0..=u8::MAX).for_each(|byte| bytes.extend([1, byte]));
        for token in ["\u{2581}Hel", "lo", "\u{2581}there"] {
            bytes.push(u8::try_from(token.len()).unwrap());
            bytes.extend(token.bytes());
        }
        // A token of 130 bytes has a length of two bytes.
        bytes.extend([0x82, 1]);
        bytes.extend([b'x'; 130]);
        let vocabulary = Vocabulary::from_bin(&bytes).unwrap();
        assert_eq!(vocabulary.text(&[0, 257, 258, 259]), "Hello there");
        // "ü" from its two bytes.
        assert_eq!(vocabulary.text(&[257, 1 + 0xc3, 1 + 0xbc]), "Helü");
        assert_eq!(vocabulary.text(&[260]).len(), 130);
        assert_eq!(vocabulary.text(&[1 + u32::from(b'!')]), "");
        assert_eq!(vocabulary.special("<s>"), Some(0));
        assert!(Vocabulary::from_bin(&bytes[..bytes.len() - 1]).is_none());
    }

    #[test]
    fn tokens_with_their_ids_in_lines_become_text() {
        let vocabulary =
            Vocabulary::from_lines("<unk> 0\n\u{2581}Ever 1\n\u{2581}tri 2\ned 3\n. 4\n<blk> 5\n").unwrap();
        assert_eq!((vocabulary.len(), vocabulary.special("<blk>")), (6, Some(5)));
        assert_eq!(vocabulary.text(&[0, 1, 2, 3, 4, 5]), "Ever tried.");
        assert!(vocabulary.begins_word(2) && !vocabulary.begins_word(3));
        assert!(Vocabulary::from_lines("").is_none());
        assert!(Vocabulary::from_lines("no number\n").is_none());
    }

    #[test]
    fn both_kinds_of_tokenizer_json_become_text() {
        let sentence_piece = serde_json::json!({
            "added_tokens": [{ "id": 0, "content": "<s>" }],
            "model": { "vocab": { "<s>": 0, "\u{2581}Gr": 1, "<0xC3>": 2, "<0xBC>": 3, "n": 4 } },
            "decoder": { "type": "Sequence" },
        });
        let vocabulary = Vocabulary::from_json(serde_json::from_value(sentence_piece).unwrap()).unwrap();
        assert_eq!(vocabulary.text(&[0, 1, 2, 3, 4]), "Grün");
        let byte_level = serde_json::json!({
            "added_tokens": [{ "id": 3, "content": "<|endoftext|>" }],
            "model": { "vocab": { "\u{120}gr": 0, "\u{c3}\u{bc}": 1, "n": 2 } },
            "decoder": { "type": "ByteLevel" },
        });
        let vocabulary = Vocabulary::from_json(serde_json::from_value(byte_level).unwrap()).unwrap();
        assert_eq!(vocabulary.text(&[0, 1, 2, 3]), "grün");
        assert_eq!(vocabulary.special("<|endoftext|>"), Some(3));
    }

    #[test]
    fn a_text_becomes_the_tokens_that_were_joined_first() {
        let tokens = ["a", "b", "c", "\u{120}", "1", ".", "ab", "bc", "\u{120}ab", "abc"];
        let vocab: HashMap<&str, usize> = tokens.iter().zip(0..).map(|(token, id)| (*token, id)).collect();
        let json = serde_json::json!({ "model": { "vocab": vocab }, "decoder": { "type": "ByteLevel" } });
        let vocabulary = Vocabulary::from_json(serde_json::from_value(json).unwrap()).unwrap();
        assert_eq!(vocabulary.encode("abc"), [9]);
        assert_eq!(vocabulary.encode("abab"), [6, 6]);
        assert_eq!(vocabulary.encode(" ab 1.bc"), [8, 3, 4, 5, 7]);
        let text = " ab 1.bc";
        assert_eq!(words(text).collect::<Vec<_>>(), [" ab", " 1", ".", "bc"]);
    }
}
