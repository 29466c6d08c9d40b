//! `multipart/form-data`, encoded as a whole: the body has a known length, can be sent again, and tests can compare it byte by byte.

use bytes::Bytes;

/// A file to upload.
pub(crate) struct FormFile<'a> {
    /// The file name; providers take the format from its extension.
    pub(crate) name: &'a str,
    /// The media type.
    pub(crate) mime: &'a str,
    /// The content.
    pub(crate) bytes: &'a [u8],
}

/// The content type and the body of a form with `fields` and one file in the field `file`.
pub(crate) fn form(fields: &[(&str, &str)], file: &FormFile<'_>) -> (String, Bytes) {
    form_with(&format!("aura-{}", uuid::Uuid::new_v4().simple()), fields, file)
}

fn form_with(boundary: &str, fields: &[(&str, &str)], file: &FormFile<'_>) -> (String, Bytes) {
    let mut body = Vec::with_capacity(file.bytes.len() + 1024);
    for (name, value) in fields {
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    body.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            file.name, file.mime
        )
        .as_bytes(),
    );
    body.extend_from_slice(file.bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded_byte_by_byte() {
        let file = FormFile { name: "audio.wav", mime: "audio/wav", bytes: b"RIFF\r\n--" };
        let (content_type, body) = form_with("b", &[("model", "m"), ("language", "en")], &file);
        assert_eq!(content_type, "multipart/form-data; boundary=b");
        assert_eq!(
            body.as_ref(),
            b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n\
              --b\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nen\r\n\
              --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"audio.wav\"\r\nContent-Type: audio/wav\r\n\r\n\
              RIFF\r\n--\r\n--b--\r\n"
        );
        assert_ne!(form(&[], &file).0, form(&[], &file).0);
    }
}
