//! The vocabulary: names and terms that every transcription expects.

use crate::error::{Error, Result};

/// The most terms.
const MAX_TERMS: usize = 200;
/// The longest term, in characters.
const MAX_CHARS: usize = 80;

/// Checks the vocabulary of the settings.
///
/// # Errors
/// When there are too many terms, or one is empty, too long, or has more than one line.
pub(super) fn check(terms: &[String]) -> Result<()> {
    if terms.len() > MAX_TERMS {
        return Err(Error::invalid(format!("The vocabulary can have at most {MAX_TERMS} terms. Remove some.")));
    }
    let is_valid = |term: &&String| {
        !term.trim().is_empty() && term.chars().count() <= MAX_CHARS && !term.contains(char::is_control)
    };
    match terms.iter().find(|term| !is_valid(term)) {
        Some(term) if term.trim().is_empty() => Err(Error::invalid("A term of the vocabulary is empty. Remove it.")),
        Some(term) => {
            let beginning: String = term.chars().filter(|c| !c.is_control()).take(20).collect();
            let rule = format!("A term of the vocabulary has one line of at most {MAX_CHARS} characters");
            Err(Error::invalid(format!("{rule}. Shorten the one that begins with “{beginning}”.")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_short_and_few() {
        let is_valid = |terms: &[&str]| check(&terms.iter().map(|term| (*term).to_owned()).collect::<Vec<_>>()).is_ok();
        assert!(is_valid(&[]) && is_valid(&["Tauri", "São Paulo", &"é".repeat(80)]) && is_valid(&["x"; 200]));
        for bad in [vec![""], vec![" "], vec!["a\nb"], vec!["x"; 201]] {
            assert!(!is_valid(&bad), "{bad:?}");
        }
        assert!(!is_valid(&[&"x".repeat(81)]));
    }
}
