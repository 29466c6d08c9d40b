//! A token: a word, a part of one, or a mark.

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Token {
    pub(super) text: String,
    /// The part of speech, as in the Penn Treebank.
    pub(super) tag: String,
    /// Whether white space follows.
    pub(super) has_space: bool,
    pub(super) phonemes: Option<String>,
    /// Whether it begins a word.
    pub(super) is_head: bool,
    /// What it is read as.
    pub(super) alias: Option<&'static str>,
    /// The sign of the currency before a number.
    pub(super) currency: Option<String>,
    /// Whether a space separates its phonemes from those before.
    pub(super) is_apart: bool,
}

/// The token that the tokens are parts of; its phonemes are not set.
pub(super) fn merge(tokens: &[Token]) -> Token {
    let mut text = String::new();
    for (index, token) in tokens.iter().enumerate() {
        text.push_str(&token.text);
        if token.has_space && index + 1 < tokens.len() {
            text.push(' ');
        }
    }
    let weight = |token: &Token| -> usize {
        let is_lower = |character: char| character.to_lowercase().eq([character]);
        token.text.chars().map(|character| if is_lower(character) { 1 } else { 2 }).sum()
    };
    // The first of the heaviest.
    let heaviest = tokens.iter().rev().max_by_key(|token| weight(token));
    Token {
        text,
        tag: heaviest.map(|token| token.tag.clone()).unwrap_or_default(),
        has_space: tokens.last().is_some_and(|token| token.has_space),
        phonemes: None,
        is_head: tokens.first().is_some_and(|token| token.is_head),
        alias: None,
        currency: tokens.iter().filter_map(|token| token.currency.clone()).max(),
        is_apart: tokens.first().is_some_and(|token| token.is_apart),
    }
}

/// The phonemes of the tokens together.
pub(super) fn join(tokens: &[Token]) -> String {
    let mut phonemes = String::new();
    for token in tokens {
        let own = token.phonemes.as_deref().unwrap_or_default();
        if token.is_apart && !own.is_empty() && phonemes.chars().next_back().is_some_and(|last| !last.is_whitespace()) {
            phonemes.push(' ');
        }
        phonemes.push_str(own);
    }
    phonemes
}
