//! Images in requests: decoded, and read by OCR.

use bytes::Bytes;

use crate::programs::{ProgramError, Programs};
use crate::request_log::ImageRecord;

/// An image in a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestImage {
    pub(crate) record: ImageRecord,
    bytes: Bytes,
}

impl RequestImage {
    /// Decodes the whole image, so that a truncated file fails. `None` if it cannot be decoded.
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

    /// Width and height, such as `1280x720`.
    pub(crate) fn size(&self) -> String {
        format!("{}x{}", self.record.width, self.record.height)
    }

    /// The text that tesseract reads in the image, on one line.
    pub(crate) async fn text(&self, programs: &Programs) -> Result<String, ProgramError> {
        let arguments = ["stdin", "stdout", "--psm", "3"];
        let output = programs.run("tesseract", &programs.tesseract, &arguments, &self.bytes).await?;
        Ok(String::from_utf8_lossy(&output).split_whitespace().collect::<Vec<_>>().join(" "))
    }
}
