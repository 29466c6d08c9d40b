//! A JSON object with many keys, kept as its text. Reading 100,000 entries into a map of strings would take most of the time that loading
//! a voice takes.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Where a part of the text is.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
}

/// The object.
#[derive(Debug)]
pub(super) struct Table {
    text: String,
    /// Key and value, in the order of the keys.
    entries: Vec<(Span, Span)>,
}

impl Table {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// When the text is not one.
    pub(super) fn new(mut text: String) -> serde_json::Result<Self> {
        let (mut entries, escaped) =
            serde_json::Deserializer::from_str(&text).deserialize_map(Entries { text: &text })?;
        for (index, key) in escaped {
            entries[index].0 = Span { start: number(text.len()), length: number(key.len()) };
            text.push_str(&key);
        }
        let key = |entry: &(Span, Span)| slice(&text, entry.0);
        if !entries.is_sorted_by_key(key) {
            entries.sort_unstable_by(|a, b| key(a).cmp(key(b)));
        }
        Ok(Self { text, entries })
    }

    /// The JSON of the value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let index = self.entries.binary_search_by(|entry| slice(&self.text, entry.0).cmp(key)).ok()?;
        Some(slice(&self.text, self.entries[index].1))
    }
}

fn slice(text: &str, span: Span) -> &str {
    let start = span.start as usize;
    text.get(start..start + span.length as usize).unwrap_or_default()
}

/// A length in a file that is far smaller than 4 GB.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Finds the entries of an object.
struct Entries<'a> {
    text: &'a str,
}

/// A key, which is part of the text unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Entries<'de> {
    /// The entries, and the keys that the text has only with escapes.
    type Value = (Vec<(Span, Span)>, Vec<(usize, String)>);

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // Both are parts of the same text.
        let span = |part: &str| Span {
            start: number((part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize)),
            length: number(part.len()),
        };
        let (mut entries, mut escaped) = (Vec::new(), Vec::new());
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            match key {
                Cow::Borrowed(key) => entries.push((span(key), span(value.get()))),
                Cow::Owned(key) => {
                    escaped.push((entries.len(), key));
                    entries.push((Span { start: 0, length: 0 }, span(value.get())));
                }
            }
        }
        Ok((entries, escaped))
    }
}

/// A small JSON object, in the order of its file.
#[derive(Debug)]
pub(super) struct Pairs<T>(Vec<(String, T)>);

impl<T> Pairs<T> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, T)> {
        self.0.iter()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.0.iter().find_map(|(other, value)| (other == key).then_some(value))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Pairs<T>;

            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        from.deserialize_map(Collect(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_table_finds_every_key_and_no_other() {
        let table = Table::new(r#"{"b": "x", "a": {"N": null}, "\\": 1, "é": "ˈA"}"#.into()).unwrap();
        assert_eq!(table.get("a"), Some(r#"{"N": null}"#));
        assert_eq!(table.get("b"), Some(r#""x""#));
        assert_eq!(table.get("\\"), Some("1"));
        assert_eq!(table.get("é"), Some(r#""ˈA""#));
        assert_eq!(table.get("c"), None);
        assert!(Table::new("[1]".into()).is_err());
        assert!(Table::new(r#"{"a": "#.into()).is_err());
    }
}
