//! Token estimates, and text split into streamed chunks.

/// Estimated token count: four bytes to a token, rounded up.
pub(crate) fn estimate_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// Splits a text into chunks of `words` words. Joined, they are the original text.
pub(crate) fn split_into_chunks(text: &str, words: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut chunk = String::new();
    let mut count = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        chunk.push_str(word);
        count += 1;
        if count >= words.max(1) {
            out.push(std::mem::take(&mut chunk));
            count = 0;
        }
    }
    if !chunk.is_empty() {
        out.push(chunk);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_join_to_the_original_text() {
        let text = "One, two  three\nfour — café";
        assert_eq!(split_into_chunks(text, 1).concat(), text);
        assert_eq!(split_into_chunks(text, 2).len(), 4);
        assert!(split_into_chunks("", 1).is_empty());
    }
}
