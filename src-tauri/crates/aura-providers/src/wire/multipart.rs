//! `multipart/form-data`. A form with a whole file has a known length, can be sent again, and tests can compare it byte by byte; of a form
//! whose file is still being written, there is what comes before and after the file.

use bytes::Bytes;

/// A form whose last field, `file`, is sent separately.
pub(crate) struct OpenForm {
    /// The content type of the body.
    pub(crate) content_type: String,
    /// The body up to the file.
    pub(crate) before: Vec<u8>,
    /// The body after the file.
    pub(crate) after: Vec<u8>,
}

/// A form with `fields` and a file with this name and media type.
pub(crate) fn open_form(fields: &[(&str, &str)], name: &str, mime: &str) -> OpenForm {
    open_form_with(&format!("aura-{}", uuid::Uuid::new_v4().simple()), fields, name, mime)
}

fn open_form_with(boundary: &str, fields: &[(&str, &str)], name: &str, mime: &str) -> OpenForm {
    let mut before = String::new();
    for (field, value) in fields {
        before
            .push_str(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"));
    }
    before.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {mime}\r\n\r\n"
    ));
    OpenForm {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        before: before.into_bytes(),
        after: format!("\r\n--{boundary}--\r\n").into_bytes(),
    }
}

impl OpenForm {
    /// The content type, and the whole body with this file.
    pub(crate) fn with(self, file: &[u8]) -> (String, Bytes) {
        (self.content_type, [&self.before, file, &self.after].concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded_byte_by_byte() {
        let open = open_form_with("b", &[("model", "m"), ("language", "en")], "audio.wav", "audio/wav");
        let (content_type, body) = open.with(b"RIFF\r\n--");
        assert_eq!(content_type, "multipart/form-data; boundary=b");
        assert_eq!(
            body.as_ref(),
            b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n\
              --b\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nen\r\n\
              --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"audio.wav\"\r\nContent-Type: audio/wav\r\n\r\n\
              RIFF\r\n--\r\n--b--\r\n"
        );
        assert_ne!(open_form(&[], "a", "b").content_type, open_form(&[], "a", "b").content_type);
    }
}
