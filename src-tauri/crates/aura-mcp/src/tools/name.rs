//! The names of tools for models.

use sha2::{Digest, Sha256};

/// The longest name that all providers take.
const MAX_NAME: usize = 64;
/// The hexadecimal digits of a suffix.
const DIGITS: usize = 10;

/// The name of a tool for a model: `server__tool` in ASCII letters, digits and `_`, at most 64. It depends on the two names alone. A name
/// that had to be changed, or could be read in two ways, ends with a part of the hash of both.
pub fn model_name(server: &str, tool: &str) -> String {
    let (plain_server, plain_tool) = (plain(server), plain(tool));
    let is_plain = plain_server == server && plain_tool == tool && !server.is_empty() && !tool.is_empty();
    // The first `__` is then where the tool's name begins, and no suffix can be mistaken for one.
    let is_clear = !server.contains("__") && !server.ends_with('_') && !ends_like_suffix(tool);
    let name = format!("{plain_server}__{plain_tool}");
    if is_plain && is_clear && name.len() <= MAX_NAME {
        return name;
    }
    let mut hash = Sha256::new();
    // A length before the first part, so that no two pairs are hashed alike.
    hash.update((server.len() as u64).to_le_bytes());
    hash.update(server);
    hash.update(tool);
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = name.len().min(MAX_NAME - DIGITS - 1);
    format!("{}_{}", &name[..kept], &digits[..DIGITS])
}

/// The name with `_` for each character that a model's tool cannot have.
fn plain(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '_' }).collect()
}

fn ends_like_suffix(tool: &str) -> bool {
    let Some(start) = tool.len().checked_sub(DIGITS) else { return false };
    let bytes = tool.as_bytes();
    bytes[start..].iter().all(u8::is_ascii_hexdigit) && (start == 0 || bytes[start - 1] == b'_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_usual_name_stays_readable() {
        assert_eq!(model_name("github", "create_issue"), "github__create_issue");
        let changed = model_name("Git Hub", "create-issue");
        assert!(changed.starts_with("Git_Hub__create_issue_"), "{changed}");
        assert_eq!(changed.len(), "Git_Hub__create_issue_".len() + DIGITS);
    }

    #[test]
    fn names_that_look_alike_are_told_apart() {
        let pairs = [("a", "b__c"), ("a__b", "c"), ("a_", "b"), ("a", "_b"), ("a b", "c"), ("a-b", "c"), ("a_b", "c")];
        let names: std::collections::BTreeSet<_> =
            pairs.iter().map(|(server, tool)| model_name(server, tool)).collect();
        assert_eq!(names.len(), pairs.len(), "{names:?}");
        // A tool that takes the changed name of another.
        let changed = model_name("a-b", "c");
        let (server, tool) = changed.split_once("__").unwrap();
        assert_ne!(model_name(server, tool), changed);
    }

    proptest! {
        #[test]
        fn names_are_valid_and_unique(pairs in proptest::collection::vec(("[ab_ é-]{0,3}|[a-z]{60}", "[ab_ é-]{0,3}|[a-z]{60}"), 1..60)) {
            let mut seen = BTreeMap::new();
            for pair in pairs {
                let name = model_name(&pair.0, &pair.1);
                prop_assert!(name.len() <= MAX_NAME && !name.is_empty());
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
                if let Some(other) = seen.insert(name, pair.clone()) {
                    prop_assert_eq!(other, pair);
                }
            }
        }
    }
}
