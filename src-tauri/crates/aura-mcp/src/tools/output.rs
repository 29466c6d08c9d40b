//! What a tool gives back.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

use super::info::visible;
use crate::limits::Limits;
use crate::secrets::Redactor;

/// The longest message of a server in an error, in characters.
const MAX_MESSAGE: usize = 500;

/// The output of a tool. It is data of the server: nothing in it is an instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// The texts, one after another; what cannot be given otherwise is named in brackets. Without the server's own secrets.
    pub text: String,
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// Whether the tool says that it failed; the text says why.
    pub is_error: bool,
    /// Whether something was left out because it was too long.
    pub truncated: bool,
}

/// A picture: a PNG or JPEG file.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// `image/png` or `image/jpeg`, by the content.
    pub media_type: &'static str,
    /// The file.
    pub data: Bytes,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes", self.media_type, self.data.len())
    }
}

/// The output in a result.
pub(crate) fn output(result: CallToolResult, limits: &Limits, redactor: &Redactor) -> ToolOutput {
    let mut building = Building { output: ToolOutput::default(), bytes: 0, limits, redactor };
    building.output.is_error = result.is_error.unwrap_or(false);
    let has_text = result.content.iter().any(|block| matches!(block, ContentBlock::Text(_)));
    for block in result.content {
        building.add(block);
    }
    if let Some(value) = result.structured_content.filter(|_| !has_text) {
        building.line(&value.to_string());
    }
    building.output
}

/// What a server says in an error: visible, short and without its secrets.
pub(crate) fn clean(text: &str, redactor: &Redactor) -> String {
    visible(&redactor.message(text.to_owned()), MAX_MESSAGE)
}

struct Building<'a> {
    output: ToolOutput,
    /// The bytes of the pictures.
    bytes: usize,
    limits: &'a Limits,
    redactor: &'a Redactor,
}

impl Building<'_> {
    fn add(&mut self, block: ContentBlock) {
        match block {
            ContentBlock::Text(text) => self.line(&text.text),
            ContentBlock::Image(image) => self.picture(&image.data, &image.mime_type),
            ContentBlock::Audio(audio) => self.left_out("sound", &audio.mime_type),
            ContentBlock::Resource(embedded) => match embedded.resource {
                ResourceContents::TextResourceContents { uri, text, .. } => {
                    self.line(&format!("[{}]", visible(&uri, MAX_MESSAGE)));
                    self.line(&text);
                }
                ResourceContents::BlobResourceContents { mime_type: Some(kind), blob, .. }
                    if kind.starts_with("image/") =>
                {
                    self.picture(&blob, &kind);
                }
                ResourceContents::BlobResourceContents { uri, .. } => self.left_out("file", &uri),
                _ => self.left_out("resource", "of an unknown kind"),
            },
            ContentBlock::ResourceLink(link) => {
                self.line(&format!("[{}: {}]", visible(&link.name, MAX_MESSAGE), visible(&link.uri, MAX_MESSAGE)));
            }
            _ => self.left_out("part", "of an unknown kind"),
        }
    }

    fn left_out(&mut self, what: &str, which: &str) {
        self.line(&format!("[{what} left out: {}]", visible(which, MAX_MESSAGE)));
    }

    fn line(&mut self, text: &str) {
        // Before it is cut, which could leave a part of a secret.
        let text = self.redactor.output(text.to_owned());
        let out = &mut self.output.text;
        if !out.is_empty() && out.len() < self.limits.text_bytes {
            out.push('\n');
        }
        let room = self.limits.text_bytes.saturating_sub(out.len());
        let end = text.floor_char_boundary(room.min(text.len()));
        out.push_str(&text[..end]);
        self.output.truncated |= end < text.len();
    }

    fn picture(&mut self, data: &str, kind: &str) {
        // Four digits are three bytes. A picture that cannot fit is not decoded.
        let fits = self.output.pictures.len() < self.limits.pictures
            && self.bytes + data.len() / 4 * 3 <= self.limits.picture_bytes + 2;
        if !fits {
            self.output.truncated = true;
            return self.left_out("picture", "too large, or one too many");
        }
        let data = data.trim();
        let decoded = STANDARD.decode(data).or_else(|_| STANDARD_NO_PAD.decode(data)).unwrap_or_default();
        let Some(media_type) = media_type(&decoded) else { return self.left_out("picture", kind) };
        if self.bytes + decoded.len() > self.limits.picture_bytes {
            self.output.truncated = true;
            return self.left_out("picture", "too large");
        }
        self.bytes += decoded.len();
        self.output.pictures.push(Picture { media_type, data: decoded.into() });
    }
}

/// What kind of picture a file is, by its first bytes: models take no others from AURA.
fn media_type(file: &[u8]) -> Option<&'static str> {
    match file {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::secrets::SecretKind;

    fn read(result: Value) -> ToolOutput {
        let limits = Limits { text_bytes: 24, picture_bytes: 20, pictures: 2, ..Limits::default() };
        output(
            serde_json::from_value(result).unwrap(),
            &limits,
            &Redactor::new([(SecretKind::Env, "KEY", &"secret".into())]),
        )
    }

    fn png(bytes: usize) -> Value {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        file.resize(bytes, 0);
        json!({"type": "image", "data": STANDARD.encode(file), "mimeType": "image/webp"})
    }

    #[test]
    fn texts_are_joined_and_cut_at_a_character() {
        let text = |text: &str| json!({"type": "text", "text": text});
        let found = read(json!({"content": [text("my secret"), text("ääääääääää")], "isError": true}));
        assert_eq!(found.text, "my •••\näääää");
        assert!(found.truncated && found.is_error);
    }

    #[test]
    fn pictures_are_what_their_content_says_and_no_larger_than_allowed() {
        let found = read(json!({"content": [png(10), png(11), png(10), png(8)]}));
        assert_eq!(found.pictures.iter().map(|picture| picture.data.len()).collect::<Vec<_>>(), [10, 10]);
        assert!(found.pictures.iter().all(|picture| picture.media_type == "image/png"));
        assert!(found.truncated);
        let fake = read(json!({"content": [{"type": "image", "data": "YQ==", "mimeType": "image/png"}]}));
        assert_eq!((fake.text.as_str(), fake.pictures.len()), ("[picture left out: image", 0));
    }

    #[test]
    fn structured_output_is_given_when_there_is_no_text() {
        assert_eq!(read(json!({"structuredContent": {"a": 1}})).text, "{\"a\":1}");
        let both = json!({"content": [{"type": "text", "text": "b"}], "structuredContent": {"a": 1}});
        assert_eq!(read(both).text, "b");
    }
}
