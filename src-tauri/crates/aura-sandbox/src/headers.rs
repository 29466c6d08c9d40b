//! Response headers.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Inserts `more` into `headers`. An ordered fault may name an invalid header; it is left out with a warning.
pub(crate) fn insert_headers(headers: &mut HeaderMap, more: impl IntoIterator<Item = (String, String)>) {
    for (name, value) in more {
        match (HeaderName::try_from(&name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            _ => tracing::warn!(header = name, "left out an invalid response header"),
        }
    }
}
