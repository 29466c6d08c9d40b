//! Parts of speech (Penn Treebank tags) by an averaged perceptron: the lexicon reads "read", "live" and "record" by them.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::tts::hibari::table::Table;

/// The weights.
#[derive(Debug)]
pub(super) struct Tagger {
    tags: Vec<String>,
    /// The index of each tag.
    index: HashMap<String, usize>,
    /// The words that have one tag.
    known: HashMap<String, String>,
    /// The words whose neighbours have features of them; others are replaced by their shape.
    vocabulary: HashSet<String>,
    weights: Table,
}

#[derive(Deserialize)]
struct File<'a> {
    tags: Vec<String>,
    tagdict: HashMap<String, String>,
    vocab: HashSet<String>,
    #[serde(borrow)]
    weights: &'a RawValue,
}

impl Tagger {
    pub(super) fn new(json: &str) -> serde_json::Result<Self> {
        let File { tags, tagdict, vocab, weights } = serde_json::from_str(json)?;
        let index = tags.iter().cloned().zip(0..).collect();
        Ok(Self { tags, index, known: tagdict, vocabulary: vocab, weights: Table::new(weights.get().to_owned())? })
    }

    /// The tag of each word of a sentence.
    pub(super) fn tag(&self, words: &[&str]) -> Vec<String> {
        let normal = words.iter().map(|word| {
            let normal = normal(word);
            if self.vocabulary.contains(&normal) { normal } else { format!("<{}>", shape(word)) }
        });
        let start = ["-START2-", "-START-"].map(String::from).into_iter();
        let context: Vec<String> = start.chain(normal).chain(["-END-", "-END2-"].map(String::from)).collect();
        let mut tags: Vec<String> = Vec::with_capacity(words.len());
        let (mut before, mut before2) = ("-START-".to_owned(), "-START2-".to_owned());
        for (index, word) in words.iter().enumerate() {
            let tag = match self.known.get(*word) {
                Some(tag) => tag.clone(),
                None => self.predict(&features(index, word, &context, &before, &before2)),
            };
            before2 = std::mem::replace(&mut before, tag.clone());
            tags.push(tag);
        }
        tags
    }

    fn predict(&self, features: &[String]) -> String {
        let mut scores = Scores { index: &self.index, of: vec![0.0; self.tags.len()], is_known: false };
        for weights in features.iter().filter_map(|feature| self.weights.get(feature)) {
            // The table was read as JSON when the voice was loaded.
            let _ = serde_json::Deserializer::from_str(weights).deserialize_map(&mut scores);
        }
        let best = self
            .tags
            .iter()
            .zip(&scores.of)
            .max_by(|(tag, score), (other, other_score)| score.total_cmp(other_score).then_with(|| tag.cmp(other)));
        best.filter(|_| scores.is_known).map_or_else(|| "NN".into(), |(tag, _)| tag.clone())
    }
}

/// The sums of the weights of each tag. It takes weights without keeping them.
struct Scores<'a> {
    index: &'a HashMap<String, usize>,
    of: Vec<f64>,
    is_known: bool,
}

impl<'de> Visitor<'de> for &mut Scores<'_> {
    type Value = ();

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((tag, weight)) = map.next_entry::<&str, f64>()? {
            if let Some(index) = self.index.get(tag) {
                self.of[*index] += weight;
                self.is_known = true;
            }
        }
        Ok(())
    }
}

/// What the weights know of a word and its neighbours.
fn features(index: usize, word: &str, context: &[String], before: &str, before2: &str) -> [String; 15] {
    let at = index + 2;
    let first: String = word.chars().take(1).collect();
    [
        "b".into(),
        format!("s3={}", last3(word)),
        format!("p1={first}"),
        format!("w={}", context[at]),
        format!("sh={}", shape(word)),
        if index == 0 { "i0".into() } else { "i+".into() },
        format!("t-1={before}"),
        format!("t-2={before2}"),
        format!("t-12={before},{before2}"),
        format!("w-1={}", context[at - 1]),
        format!("s3-1={}", last3(&context[at - 1])),
        format!("w-2={}", context[at - 2]),
        format!("w+1={}", context[at + 1]),
        format!("s3+1={}", last3(&context[at + 1])),
        format!("w+2={}", context[at + 2]),
    ]
}

fn last3(word: &str) -> &str {
    word.char_indices().rev().nth(2).map_or(word, |(at, _)| &word[at..])
}

fn normal(word: &str) -> String {
    if word.contains('-') && !word.starts_with('-') {
        "!HYPHEN".into()
    } else if word.chars().all(is_digit) && word.chars().count() == 4 {
        "!YEAR".into()
    } else if word.starts_with(is_digit) {
        "!DIGITS".into()
    } else {
        word.to_lowercase()
    }
}

fn shape(word: &str) -> String {
    let lower = |word: &str| word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase);
    let upper = |word: &str| word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase);
    if word.chars().all(char::is_alphabetic) {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        return if lower(word) {
            "x"
        } else if upper(word) {
            if rest.is_empty() { "X1" } else { "XX" }
        } else if upper(first) && lower(rest) {
            "Xx"
        } else {
            "xX"
        }
        .into();
    }
    if word.chars().all(is_digit) {
        return "d".into();
    }
    let kind = |character: char| match character {
        _ if is_digit(character) => 'd',
        _ if character.is_alphabetic() => 'x',
        _ => character,
    };
    word.chars().take(4).map(kind).collect()
}

/// A digit of any script, or a raised or lowered one; no fraction.
fn is_digit(character: char) -> bool {
    character.is_numeric()
        && !character.is_alphabetic()
        && !matches!(character, '¼' | '½' | '¾' | '\u{2150}'..='\u{218f}')
}
