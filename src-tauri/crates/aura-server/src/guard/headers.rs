//! What the headers of a request say about who sent it: the key it carries, and whether a browser or a proxy stands between.

use axum::http::HeaderMap;

use super::Token;
use crate::Problem;

/// The header in which a browser reports how the page of a request relates to the server.
pub(super) const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Headers other than `Authorization` in which the clients of AI providers send their key.
const KEY_HEADERS: &[&str] = &["x-api-key", "api-key"];

/// Headers that proxies add, besides every header whose name begins with [`FORWARDED_PREFIX`].
const PROXY_HEADERS: &[&str] =
    &["via", "forwarded", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip", "cf-connecting-ip"];
const FORWARDED_PREFIX: &str = "x-forwarded";

/// Headers that browsers add, besides every header whose name begins with [`FETCH_PREFIX`].
const BROWSER_HEADERS: &[&str] = &["origin", "referer"];
const FETCH_PREFIX: &str = "sec-fetch-";

/// The key of a request, compared with the token of the local API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The request carries the token.
    Token,
    /// The request carries another key, such as the placeholder of a client that cannot do without one.
    Other,
    /// The request carries no key.
    None,
}

/// The key of a request: in `Authorization`, or in one of [`KEY_HEADERS`].
///
/// # Errors
/// When one of these headers is repeated.
pub(super) fn key(headers: &HeaderMap, token: &Token) -> Result<Key, Problem> {
    let bearer = single(headers, "authorization")?.map(|value| match value.split_once(' ') {
        Some((scheme, value)) if scheme.eq_ignore_ascii_case("bearer") => value,
        _ => "",
    });
    let mut key = Key::None;
    for name in KEY_HEADERS {
        key = key.or(single(headers, name)?, token);
    }
    Ok(key.or(bearer, token))
}

impl Key {
    /// This key, together with the one in another header.
    fn or(self, value: Option<&str>, token: &Token) -> Self {
        match value {
            Some(value) if token.matches(value.trim().as_bytes()) => Self::Token,
            Some(_) if self == Self::None => Self::Other,
            _ => self,
        }
    }
}

/// Whether a proxy passed the request on: then the connection says who runs the proxy, and not who asks.
pub(super) fn is_proxied(headers: &HeaderMap) -> bool {
    has(headers, PROXY_HEADERS, FORWARDED_PREFIX)
}

/// Whether a browser sent the request: then the connection says who runs the browser, and not which page asks.
pub(super) fn is_from_browser(headers: &HeaderMap) -> bool {
    has(headers, BROWSER_HEADERS, FETCH_PREFIX)
}

fn has(headers: &HeaderMap, names: &[&str], prefix: &str) -> bool {
    headers.keys().any(|name| names.contains(&name.as_str()) || name.as_str().starts_with(prefix))
}

/// The only value of a header. A repeated header is rejected: proxies and servers may read different ones (request smuggling).
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::bad_request(format!("The header `{name}` appears more than once. Send it once.")));
    }
    first
        .map(|value| value.to_str())
        .transpose()
        .map_err(|_| Problem::bad_request(format!("The header `{name}` contains characters that are not allowed.")))
}
