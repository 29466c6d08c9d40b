//! Makes messages safe to show and to log: short, without the API key, without the query of any URL.

use std::error::Error as _;

use secrecy::{ExposeSecret, SecretString};

use crate::types::Failure;

/// The innermost cause of an error, without its URL: "Connection refused" says more than "error sending request".
pub(crate) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if error.source().is_none() { error.to_string() } else { innermost.to_string() }
}

/// Removes the key from the message of a failure, in case the provider repeated it.
pub(crate) fn redact(mut failure: Failure, key: Option<&SecretString>) -> Failure {
    if let Some(key) = key.map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty()) {
        let message = failure.message.replace(key, "…");
        // The message may have been truncated in the middle of the key.
        let parts: Vec<&str> = message.split('…').map(|part| without_key_prefix(key, part)).collect();
        failure.message = parts.join("…");
    }
    failure
}

/// Removes the key from the body of an error reply.
pub(crate) fn without_key(body: String, key: Option<&SecretString>) -> String {
    match key.map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty()) {
        Some(key) if body.contains(key) => body.replace(key, "…"),
        _ => body,
    }
}

/// Removes a prefix of the key from the end of a text. Prefixes of up to three characters stay: they reveal nothing, and all keys of
/// a provider may share them.
fn without_key_prefix<'a>(key: &str, text: &'a str) -> &'a str {
    let lengths = (4..key.len()).rev().filter(|length| key.is_char_boundary(*length));
    lengths.filter_map(|length| text.strip_suffix(&key[..length])).next().unwrap_or(text)
}

/// The longest message, in characters.
const MAX_MESSAGE: usize = 300;

/// A message as one line of at most [`MAX_MESSAGE`] characters, without the queries of URLs.
pub(crate) fn shorten(message: &str) -> String {
    let mut text = String::new();
    for word in message.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        match word.split_once('?') {
            Some((address, _)) if address.contains("://") => text.push_str(address),
            _ => text.push_str(word),
        }
    }
    truncate(&text, MAX_MESSAGE)
}

/// The first `limit` characters; the last one is `…` where text was cut.
pub(crate) fn truncate(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}
