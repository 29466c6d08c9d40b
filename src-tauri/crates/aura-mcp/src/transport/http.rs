//! Streamable HTTP.

use std::collections::HashMap;
use std::time::Duration;

use aura_providers::{is_this_computer, may_carry_key};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, redirect};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::Failure;
use crate::limits::Limits;

/// The time to open a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Messages that wait between the connection and the protocol. Each may be as long as a message can be.
const MAX_QUEUED: usize = 4;
/// The part of an error page that is read, in bytes.
const ERROR_PAGE: usize = 2_048;

/// Prepares a connection. Nothing is sent yet.
pub(crate) fn transport(
    url: &str,
    headers: Vec<(String, SecretString)>,
    limits: &Limits,
) -> Result<StreamableHttpClientTransport<Client>, Failure> {
    let address = |cause: &str| Failure::Address { cause: cause.to_owned() };
    let url = Url::parse(url).map_err(|_| address("this is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(address("it must be an http or https address without a password"));
    }
    if !headers.is_empty() && !may_carry_key(&url) {
        return Err(address("plain http carries no secret beyond this computer; use https"));
    }
    let mut given = HashMap::new();
    for (name, value) in headers {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| address("a header has a wrong name"))?;
        let wrong = |_| Failure::Address { cause: format!("the value of the header “{name}” cannot be sent") };
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(wrong)?;
        value.set_sensitive(true);
        given.insert(key, value);
    }
    let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
        .custom_headers(given)
        .max_concurrent_requests(limits.calls_at_once + 1)
        .max_sse_event_size(limits.message_bytes)
        .max_json_response_size(limits.message_bytes)
        .max_error_response_size(ERROR_PAGE)
        // AURA connects anew by itself, and repeats no call.
        .reinit_on_expired_session(false);
    config.channel_buffer_capacity = MAX_QUEUED;
    Ok(StreamableHttpClientTransport::with_client(client(&url)?, config))
}

fn client(url: &Url) -> Result<Client, Failure> {
    // Another part of the program may have installed a TLS provider already; either one serves.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        let builder = Client::builder()
            .user_agent(concat!("aura/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            // Headers go to the address of the configuration and to no other.
            .redirect(redirect::Policy::none())
            .referer(false);
        if is_this_computer(url) { builder.no_proxy() } else { builder }
    };
    // Without root certificates, servers on this computer can still be reached.
    let built = builder().build().or_else(|_| builder().tls_certs_only([]).build());
    built.map_err(|error| Failure::Unreachable { cause: reason(&error.without_url()) })
}

/// Why a request failed: what the connection says, without addresses and without what the server wrote.
pub(crate) fn failure(error: &StreamableHttpError<reqwest::Error>) -> Failure {
    let cause = match error {
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => {
            return Failure::Unauthorized;
        }
        StreamableHttpError::HttpStatus(status) if matches!(status.status, 401 | 403) => return Failure::Unauthorized,
        StreamableHttpError::HttpStatus(status) => format!("HTTP status {}", status.status),
        StreamableHttpError::Client(error) => match error.status() {
            Some(status) if matches!(status.as_u16(), 401 | 403) => return Failure::Unauthorized,
            Some(status) => format!("HTTP status {}", status.as_u16()),
            None => reason(error),
        },
        StreamableHttpError::SessionExpired => return Failure::SessionLost,
        StreamableHttpError::Io(error) => error.kind().to_string(),
        StreamableHttpError::UnexpectedContentType(_) | StreamableHttpError::UnexpectedServerResponse(_) => {
            return Failure::Handshake { cause: "its answer is of an unexpected kind".into() };
        }
        StreamableHttpError::ReservedHeaderConflict(name) => {
            return Failure::Address { cause: format!("the header “{name}” belongs to the protocol") };
        }
        _ => "the connection ended".to_owned(),
    };
    Failure::Unreachable { cause }
}

/// The reason at the end of an error's chain. The first error names the address, which may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut found: &dyn std::error::Error = error;
    while let Some(source) = found.source() {
        found = source;
    }
    if std::ptr::addr_eq(found, error) { "the request failed".to_owned() } else { found.to_string() }
}
