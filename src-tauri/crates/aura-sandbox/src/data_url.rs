//! Base64 and `data:` URLs.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use bytes::Bytes;

/// Decodes standard or URL-safe base64. `None` if `text` is neither.
pub(crate) fn decode_base64(text: &str) -> Option<Bytes> {
    let decoded = BASE64_STANDARD.decode(text).or_else(|_| BASE64_URL_SAFE.decode(text)).ok()?;
    Some(decoded.into())
}

/// Decodes a base64 data URL such as `data:image/png;base64,…`. `None` for any other URL.
pub(crate) fn decode_data_url(url: &str) -> Option<Bytes> {
    let (head, body) = url.strip_prefix("data:")?.split_once(',')?;
    if !head.ends_with(";base64") {
        return None;
    }
    decode_base64(body)
}
