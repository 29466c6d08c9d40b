//! Images: decoded for real, and read for real.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use bytes::Bytes;

use crate::log::ImageRecord;
use crate::speech::{Programs, SpeechError};

/// An image in a request.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) record: ImageRecord,
    bytes: Bytes,
}

impl Picture {
    /// Decodes it fully: a header alone is not an image.
    pub(crate) async fn read(bytes: Bytes) -> Option<Self> {
        let work = bytes.clone();
        let decoded = tokio::task::spawn_blocking(move || {
            let format = image::guess_format(&work).ok()?;
            let image = image::load_from_memory_with_format(&work, format).ok()?;
            Some((format.to_mime_type().to_owned(), image.width(), image.height()))
        });
        let (format, width, height) = decoded.await.ok().flatten()?;
        let record = ImageRecord { format, bytes: bytes.len(), width, height };
        Some(Self { record, bytes })
    }

    /// `1280x720`
    pub(crate) fn size(&self) -> String {
        format!("{}x{}", self.record.width, self.record.height)
    }

    /// The text in it, on one line.
    pub(crate) async fn text(&self, programs: &Programs) -> Result<String, SpeechError> {
        let arguments = ["stdin", "stdout", "--psm", "3"];
        let output = programs.run("tesseract", &programs.tesseract, &arguments, &self.bytes).await?;
        Ok(String::from_utf8_lossy(&output).split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Standard or URL-safe base64.
pub(crate) fn base64(text: &str) -> Option<Bytes> {
    let decoded = BASE64_STANDARD.decode(text).or_else(|_| BASE64_URL_SAFE.decode(text)).ok()?;
    Some(decoded.into())
}

/// The bytes of a `data:image/…;base64,…` address.
pub(crate) fn data_url(url: &str) -> Option<Bytes> {
    let (head, body) = url.strip_prefix("data:")?.split_once(',')?;
    if !head.ends_with(";base64") {
        return None;
    }
    base64(body)
}
