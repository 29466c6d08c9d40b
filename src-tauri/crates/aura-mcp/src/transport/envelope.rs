//! The id of a message that is not kept, and how much there is in one that is.

use rmcp::model::RequestId;

/// The longest id, in bytes.
const MAX_TOKEN: usize = 100;

/// Reads a JSON-RPC message in pieces and remembers only its id and the number of values in it.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// The name or value that is being read, of the outermost object.
    token: Vec<u8>,
    is_id: bool,
    id: Option<RequestId>,
    has_method: bool,
    values: usize,
}

impl Envelope {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.in_string {
                self.keep(byte);
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.in_string = true;
                    self.keep(byte);
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    self.values += 1;
                    match self.depth {
                        1 => self.token.clear(),
                        // The value is no id.
                        2 => self.is_id = false,
                        _ => {}
                    }
                }
                b'}' | b']' => {
                    self.end_of_member();
                    self.depth = self.depth.saturating_sub(1);
                }
                b',' => {
                    self.values += 1;
                    self.end_of_member();
                }
                b':' if self.depth == 1 => {
                    self.is_id = self.token == b"\"id\"";
                    self.has_method |= self.token == b"\"method\"";
                    self.token.clear();
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => self.keep(byte),
            }
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() <= MAX_TOKEN {
            self.token.push(byte);
        }
    }

    fn end_of_member(&mut self) {
        if self.depth == 1 {
            if self.is_id && self.token.len() <= MAX_TOKEN {
                self.id = serde_json::from_slice(&self.token).ok();
            }
            self.is_id = false;
            self.token.clear();
        }
    }

    /// The id, when the message is an answer.
    pub(super) fn answered(&self) -> Option<RequestId> {
        self.id.clone().filter(|_| !self.has_method)
    }

    /// About how many values there are: memory for a small one is many times its text.
    pub(super) fn values(&self) -> usize {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str, cut: usize) -> Envelope {
        let mut envelope = Envelope::default();
        text.as_bytes().chunks(cut.max(1)).for_each(|piece| envelope.push(piece));
        envelope
    }

    #[test]
    fn an_answer_is_known_by_its_id() {
        let nested =
            r#"{"result":{"id":1,"content":[{"text":"{\"id\":2,\"x\": [\\\"}"}]},"jsonrpc":"2.0", "id" : 33 }"#;
        assert_eq!(read(nested, 1).answered(), Some(RequestId::Number(33)));
        let text = r#"{"id":"a,\"b","error":{"code":1}}"#;
        assert_eq!(read(text, 3).answered(), Some(RequestId::String("a,\"b".into())));
        for none in [r#"{"id":1,"method":"ping"}"#, r#"{"method":"x"}"#, r#"[{"id":1}]"#, r#"{"id":[1]}"#, "no JSON"] {
            assert_eq!(read(none, 2).answered(), None, "{none}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<i32>().prop_map(Value::from), "[a-z\"\\\\{}:,\\[\\] ]{0,9}".prop_map(Value::from)];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("id|method|[a-z\"]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_id_is_that_of_a_parser(id in any::<i64>(), result in any_json(), cut in 1..9_usize, pretty in any::<bool>()) {
            let message = json!({"a": result, "id": id, "result": result, "z": result});
            let text = if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) };
            prop_assert_eq!(read(&text.unwrap(), cut).answered(), Some(RequestId::Number(id)));
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut envelope = Envelope::default();
            envelope.push(&bytes);
            prop_assert!(envelope.token.len() <= MAX_TOKEN + 1 && envelope.values() <= bytes.len());
        }
    }
}
