//! JSON with comments and trailing commas, as VS Code and others write it.

/// The text as JSON. Comments and trailing commas become spaces, so that lines and columns stay.
pub(super) fn without_comments(text: &str) -> String {
    let mut out: Vec<u8> = text.as_bytes().to_vec();
    let (mut at, mut comma) = (0, None);
    while at < out.len() {
        match out[at] {
            b'"' => {
                comma = None;
                at = end_of_string(&out, at + 1);
                continue;
            }
            b'/' if out.get(at + 1) == Some(&b'/') => {
                let end = out[at..].iter().position(|byte| *byte == b'\n').map_or(out.len(), |found| at + found);
                blank(&mut out[at..end]);
                at = end;
                continue;
            }
            b'/' if out.get(at + 1) == Some(&b'*') => {
                let end = out[at + 2..].windows(2).position(|two| two == b"*/");
                let end = end.map_or(out.len(), |found| at + 2 + found + 2);
                blank(&mut out[at..end]);
                at = end;
                continue;
            }
            b',' => comma = Some(at),
            b'}' | b']' => {
                if let Some(comma) = comma.take() {
                    out[comma] = b' ';
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        at += 1;
    }
    // Only whole characters were replaced: comments begin and end at ASCII.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The index after the closing quotation mark of a string whose content starts at `at`.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::without_comments;

    #[test]
    fn comments_and_trailing_commas_are_skipped() {
        let text = "// first\n{\"a\": \"//x\\\"/*\", /* über, */ \"b\": [1, 2 , // two\n],\n}";
        let read: Value = serde_json::from_str(&without_comments(text)).unwrap();
        assert_eq!(read, json!({"a": "//x\"/*", "b": [1, 2]}));
    }

    proptest! {
        #[test]
        fn json_stays_as_it_is(text in "[ -~äöü\n\"\\\\/*,]{0,40}", number in any::<f64>()) {
            let value = json!({"text": [text, number], "empty": {}});
            let written = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(without_comments(&written), written);
        }

        #[test]
        fn anything_is_taken(text in any::<String>()) {
            prop_assert_eq!(without_comments(&text).lines().count(), text.lines().count());
        }
    }
}
