//! Regular expressions with the meaning that they have in Python, where the package wrote them.

use fancy_regex::{Captures, Regex};

/// Compiles a pattern. `\w` and `[^\W\d_]` mean letters and numbers, as in Python, and no marks.
pub(super) fn regex(pattern: &str) -> Regex {
    let pattern = pattern.replace(r"[^\W\d_]", r"[\p{L}\p{Nl}\p{No}]").replace(r"[^\W_]", r"[\p{L}\p{N}]");
    let pattern = pattern.replace(r"[\w", r"[\p{L}\p{N}_").replace(r"[^\w", r"[^\p{L}\p{N}_");
    // All patterns are in this program, or made of escaped words.
    #[allow(clippy::expect_used, reason = "a test compiles every pattern")]
    Regex::new(&pattern).expect("a valid pattern")
}

/// Any of the words, the longest first.
pub(super) fn any_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    words.iter().map(|word| fancy_regex::escape(word)).collect::<Vec<_>>().join("|")
}

/// The text with every match replaced; `replace` also gets the text and the place behind the match.
pub(super) fn replace_all(regex: &Regex, text: String, replace: impl Fn(&Captures<'_, str>, &str) -> String) -> String {
    let mut replaced = String::new();
    let mut copied = 0;
    for captures in regex.captures_iter(text.as_str()) {
        // A pattern that needs too many steps matches nothing more.
        let Ok(captures) = captures else { break };
        let Some(whole) = captures.get(0) else { break };
        replaced.push_str(&text[copied..whole.start()]);
        replaced.push_str(&replace(&captures, &text[whole.end()..]));
        copied = whole.end();
    }
    if copied == 0 && replaced.is_empty() {
        return text;
    }
    replaced.push_str(&text[copied..]);
    replaced
}

/// The text of a group; empty if it took no part in the match.
pub(super) fn group<'a>(captures: &Captures<'a, str>, index: usize) -> &'a str {
    captures.get(index).map_or("", |group| group.as_str())
}
