//! The HTTP clients of downloads, and what an answer says about a file.

use std::time::Duration;

use aura_providers::is_this_computer;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, LOCATION};
use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use super::error::StoreError;

/// The time to open a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// One client for the internet, which uses the system's proxy, and one for this computer, which does not.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    remote: Client,
    loopback: Client,
}

impl Http {
    pub(crate) fn new() -> Result<Self, StoreError> {
        // Another part of the program may have installed a TLS provider already; either one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self { remote: client(|builder| builder)?, loopback: client(ClientBuilder::no_proxy)? })
    }

    pub(crate) fn client(&self, url: &Url) -> &Client {
        if is_this_computer(url) { &self.loopback } else { &self.remote }
    }
}

fn client(kind: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, StoreError> {
    let builder = || {
        kind(Client::builder())
            .user_agent(concat!("aura/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .redirect(redirect::Policy::none())
            .referer(false)
    };
    // Without root certificates, servers on this computer can still be reached.
    let built = builder().build().or_else(|_| builder().tls_certs_only([]).build());
    built
        .map_err(|error| StoreError::Connection { host: "the internet".into(), cause: error.without_url().to_string() })
}

/// Whether a file may be downloaded from a URL: the connection is encrypted, or the server is on this computer.
pub(crate) fn is_allowed(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_this_computer(url))
}

/// The server of a URL, for users.
pub(crate) fn host(url: &Url) -> String {
    url.host_str().unwrap_or("the server").to_owned()
}

/// The reason at the end of an error's chain, without addresses.
pub(crate) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Where an answer redirects to; `None` when it goes nowhere or where AURA does not follow: only to encrypted connections, and from this
/// computer to itself.
pub(crate) fn target(from: &Url, headers: &HeaderMap) -> Option<Url> {
    let to = from.join(text(headers, &LOCATION)?).ok()?;
    (to.scheme() == "https" || (is_this_computer(from) && is_allowed(&to))).then_some(to)
}

/// The SHA-256 and size of a file in large-file storage, as Hugging Face states them beside the redirect to it.
pub(crate) fn linked(headers: &HeaderMap) -> (Option<String>, Option<u64>) {
    let hash = text(headers, &HeaderName::from_static("x-linked-etag")).map(|tag| tag.trim_matches('"').to_lowercase());
    let hash = hash.filter(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let size = text(headers, &HeaderName::from_static("x-linked-size")).and_then(|size| size.parse().ok());
    (hash, size)
}

/// A tag that changes with each byte of the file; `None` for a weak one.
pub(crate) fn strong_tag(headers: &HeaderMap) -> Option<String> {
    text(headers, &ETAG).filter(|tag| tag.starts_with('"')).map(str::to_owned)
}

pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, &CONTENT_LENGTH)?.parse().ok()
}

/// The start and the total of `Content-Range: bytes START-END/TOTAL` or `bytes */TOTAL`, where they are known.
pub(crate) fn content_range(headers: &HeaderMap) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text(headers, &CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split('-').next().and_then(|start| start.trim().parse().ok());
    Some((start, total.trim().parse().ok()))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
