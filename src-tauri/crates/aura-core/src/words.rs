//! The words of a text, to compare what was said.

/// The words of a text in lower case, with one space between them and no punctuation: `That's all.` becomes `that s all`.
pub(crate) fn plain_words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
