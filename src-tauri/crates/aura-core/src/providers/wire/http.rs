//! The HTTP client and one provider's address and key: what every call shares.
//!
//! Here a broken connection gets its class, bodies get their bounds, and every message loses the key should it hold it.

use std::collections::HashSet;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, Request, RequestBuilder, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Host;

use super::stream::{self, Pieces};
use super::{errors, limits};
use crate::error::Error;
use crate::providers::{Class, Failure, RateLimit};

/// Whether small pieces are sent at once.
pub(in crate::providers) const NO_DELAY: bool = true;
/// Connections stay open between turns, so that a question finds one; a laptop that slept finds out by the ping.
const IDLE: Duration = Duration::from_secs(600);
/// How often an open HTTP/2 connection is asked whether it still lives, and how long it may take to answer.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(3));
/// The longest error body that is read, in bytes.
const ERROR_BODY: usize = 64 * 1024;
/// The longest reply that is read whole. OpenRouter's model list is close to a megabyte.
const WHOLE_BODY: usize = 16 * 1024 * 1024;

/// What is waited for here; the other clocks of a request are the router's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// For a connection.
    pub connect: Duration,
    /// For the words of an error, whose status is there already.
    pub error_body: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), error_body: Duration::from_secs(3) }
    }
}

/// What all providers share: one pool of connections, no total timeout, no redirects, no compression.
///
/// The clocks of a request belong to the router, redirects could carry a key elsewhere, and compression delays streams.
#[derive(Debug, Clone)]
pub struct Http {
    far: Clients,
    /// For this computer: a proxy that the system has for the network has nothing to do with it.
    near: Clients,
    /// Hosts that have answered, so that a pooled connection to them may exist.
    answered: Arc<Mutex<HashSet<String>>>,
    waits: Waits,
}

impl Http {
    /// The clients; nothing is opened.
    pub fn new(waits: Waits) -> Result<Self, Error> {
        let connect = waits.connect;
        Ok(Self {
            far: Clients::new(|builder| builder.connect_timeout(connect))?,
            near: Clients::new(|builder| builder.connect_timeout(connect).no_proxy())?,
            answered: Arc::default(),
            waits,
        })
    }

    /// How long it waits.
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// The same for servers that speak HTTP/2 without TLS, which only tests do.
    #[cfg(test)]
    pub(crate) fn http2() -> Result<Self, Error> {
        let clients = Clients::new(|builder| builder.no_proxy().http2_prior_knowledge())?;
        Ok(Self { far: clients.clone(), near: clients, answered: Arc::default(), waits: Waits::default() })
    }

    fn clients(&self, url: &Url) -> &Clients {
        if is_loopback(url) { &self.near } else { &self.far }
    }

    fn has_answered(&self, host: &str) -> bool {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }

    fn answers(&self, host: &str) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if !answered.contains(host) {
            answered.insert(host.to_owned());
        }
    }

    /// Sends a request. When a pooled connection breaks before a byte of the reply came, it is sent once more on a new one: a
    /// laptop that slept, or a gate that closes idle connections, is no failure of the provider's.
    async fn send(&self, request: Request) -> reqwest::Result<Response> {
        let clients = self.clients(request.url());
        let place = request.url().authority().to_owned();
        let again = if self.has_answered(&place) { request.try_clone() } else { None };
        let result = match (clients.pooled.execute(request).await, again) {
            (Err(error), Some(again)) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
                clients.fresh.execute(again).await
            }
            (result, _) => result,
        };
        if result.is_ok() {
            self.answers(&place);
        }
        result
    }
}

/// The connections of one kind.
#[derive(Debug, Clone)]
struct Clients {
    pooled: Client,
    /// For one more try when a pooled connection turned out to be dead: it keeps none, so each of its is new.
    fresh: Client,
}

impl Clients {
    fn new(kind: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Self, Error> {
        Ok(Self { pooled: client(usize::MAX, &kind)?, fresh: client(0, &kind)? })
    }
}

/// Whether an address is on this computer.
pub(in crate::providers) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn client(idle: usize, kind: &impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, Error> {
    // Another part of the program may have installed a provider already; one is as good as the other.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        kind(Client::builder())
            .user_agent(concat!("aura/", env!("CARGO_PKG_VERSION"))) // without one Groq's gate answers 403 (error code 1010)
            .tcp_nodelay(NO_DELAY)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(idle)
            .http2_keep_alive_interval(PING.0)
            .http2_keep_alive_timeout(PING.1)
            .http2_keep_alive_while_idle(true)
            .redirect(redirect::Policy::none())
            .referer(false)
    };
    builder().build().or_else(|error| {
        // A machine without root certificates can still reach servers on the computer itself.
        tracing::warn!(error = %error.without_url(), "no root certificates: only http addresses can be reached");
        builder().tls_certs_only([]).build().map_err(|error| Error::internal(error.without_url()))
    })
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::providers) enum KeyHeader {
    /// `Authorization: Bearer …`
    Bearer,
    /// A header of the provider's own.
    Named(&'static str),
}

/// One provider's address and key.
#[derive(Clone)]
pub(in crate::providers) struct Link {
    http: Http,
    base: Url,
    key: Option<SecretString>,
    header: KeyHeader,
}

impl Link {
    /// A link to `base`, which ends with a slash.
    pub(in crate::providers) fn new(http: Http, base: Url, key: Option<SecretString>, header: KeyHeader) -> Self {
        let key = key.filter(|key| !key.expose_secret().trim().is_empty());
        Self { http, base, key, header }
    }

    /// The same link, or what to tell when there is no key.
    pub(in crate::providers) fn with_key(&self, provider: &str) -> Result<&Self, Failure> {
        match self.key {
            Some(_) => Ok(self),
            None => Err(Failure::new(Class::Auth, format!("There is no key for {provider}. Add one under Providers."))),
        }
    }

    /// The address of an endpoint. The segments are escaped: a model's name may hold anything.
    pub(in crate::providers) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Reads from an address.
    pub(in crate::providers) async fn get(&self, url: Url) -> Result<Reply, Failure> {
        self.send(self.request(Method::GET, url)).await
    }

    /// Sends JSON and returns when the headers of a success are there.
    pub(in crate::providers) async fn post_json(&self, url: Url, body: &Value) -> Result<Reply, Failure> {
        self.post(url, "application/json", body.to_string().into()).await
    }

    /// Sends a body and returns when the headers of a success are there.
    pub(in crate::providers) async fn post(&self, url: Url, content_type: &str, body: Bytes) -> Result<Reply, Failure> {
        self.send(self.request(Method::POST, url).header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// Opens a connection and leaves it in the pool. Whatever is answered does not matter.
    pub(in crate::providers) async fn warm(&self) {
        let request = self.request(Method::HEAD, self.base.clone()).timeout(self.http.waits.connect);
        drop(request.send().await);
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.clients(&url).pooled.request(method, url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, Failure> {
        let request = self.authorise(request.header(ACCEPT, "*/*"))?;
        let failed = |error| self.clean(transport(error, &self.base));
        let response = self.http.send(request.build().map_err(failed)?).await.map_err(failed)?;
        let status = response.status();
        if status.is_success() {
            return Ok(Reply { response, key: self.key.clone() });
        }
        let headers = response.headers().clone();
        let body = without_key(error_body(response, self.http.waits.error_body).await, self.key.as_ref());
        Err(self.clean(errors::failure(status.as_u16(), &headers, &body)))
    }

    fn authorise(&self, request: RequestBuilder) -> Result<RequestBuilder, Failure> {
        let Some(key) = &self.key else { return Ok(request) };
        let key = key.expose_secret().trim();
        let (name, value) = match self.header {
            KeyHeader::Bearer => ("authorization", format!("Bearer {key}")),
            KeyHeader::Named(name) => (name, key.to_owned()),
        };
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| Failure::new(Class::Auth, "The key holds characters that no key has. Copy it once more."))?;
        value.set_sensitive(true);
        Ok(request.header(name, value))
    }

    fn clean(&self, failure: Failure) -> Failure {
        clean(failure, self.key.as_ref())
    }
}

/// A success whose body has not been read yet.
pub(in crate::providers) struct Reply {
    response: Response,
    key: Option<SecretString>,
}

impl Reply {
    /// The headers.
    pub(in crate::providers) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// What is left of the allowance.
    pub(in crate::providers) fn rate_limit(&self) -> Option<RateLimit> {
        limits::read(self.headers())
    }

    /// The media type with its parameters, in lower case.
    pub(in crate::providers) fn content_type(&self) -> String {
        let value = self.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.to_ascii_lowercase()
    }

    /// The whole body.
    async fn body(mut self) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        loop {
            match self.response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > WHOLE_BODY => {
                    return Err(Failure::new(Class::Unsupported, "The provider's reply is larger than AURA reads."));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => {
                    let failure = errors::broken(
                        false,
                        format!("The connection broke while the reply was read: {}", cause(error)),
                    );
                    return Err(clean(failure, self.key.as_ref()));
                }
            }
        }
    }

    /// What a reader makes of the whole body.
    pub(in crate::providers) async fn read<T>(
        self,
        reader: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let key = self.key.clone();
        let body = self.body().await?;
        reader(&body).map_err(|failure| clean(failure, key.as_ref()))
    }

    /// The whole body as JSON, unless it is an error in a success's clothes.
    pub(in crate::providers) async fn json(self) -> Result<Value, Failure> {
        self.read(parse).await
    }

    /// The body as pieces, decoded as they arrive.
    pub(in crate::providers) fn stream<D: stream::Decoder>(self, decoder: D) -> Pieces<D::Piece> {
        stream::pieces(self.response, self.key, decoder)
    }
}

/// A JSON reply, or the failure it holds.
pub(in crate::providers) fn parse(body: &[u8]) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(body).map_err(|_| {
        // A sign-in page of a hotel network, or an address that belongs to something else.
        Failure::new(Class::Unreachable, "The reply is not JSON. Check the provider's address and the network.")
    })?;
    match errors::in_success(&value) {
        Some(failure) => Err(failure),
        None => Ok(value),
    }
}

async fn error_body(mut response: Response, time: Duration) -> String {
    let limit = ERROR_BODY;
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = limit - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == limit {
                break;
            }
        }
    };
    // What came in time is enough to tell what went wrong.
    drop(tokio::time::timeout(time, read).await);
    String::from_utf8_lossy(&body).into_owned()
}

fn transport(error: reqwest::Error, base: &Url) -> Failure {
    let host = base.host_str().unwrap_or("the provider").to_owned();
    let (class, what) = if error.is_builder() {
        (Class::InvalidRequest, "The request could not be built for")
    } else if error.is_timeout() && !error.is_connect() {
        (Class::Timeout, "No answer in time from")
    } else {
        (Class::Unreachable, "No connection to")
    };
    Failure::new(class, errors::shorten(&format!("{what} {host}: {}", cause(error))))
}

/// The innermost reason: "Connection refused" says more than "error sending request". Never an address.
pub(super) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if error.source().is_none() { error.to_string() } else { innermost.to_string() }
}

/// The failure without the key, should a provider repeat it.
pub(super) fn clean(mut failure: Failure, key: Option<&SecretString>) -> Failure {
    if let Some(key) = key.map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty()) {
        let message = failure.message.replace(key, "…");
        // The message may have been cut in the middle of the key.
        let parts: Vec<&str> = message.split('…').map(|part| without_beginning_of(key, part)).collect();
        failure.message = parts.join("…");
    }
    failure
}

fn without_key(body: String, key: Option<&SecretString>) -> String {
    match key.map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty()) {
        Some(key) if body.contains(key) => body.replace(key, "…"),
        _ => body,
    }
}

/// A text without the first letters of the key at its end. Three of them tell nothing, and every key of a provider may have them.
fn without_beginning_of<'a>(key: &str, text: &'a str) -> &'a str {
    let lengths = (4..key.len()).rev().filter(|length| key.is_char_boundary(*length));
    lengths.filter_map(|length| text.strip_suffix(&key[..length])).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_is_reached_without_a_proxy() {
        for (address, near) in [
            ("http://127.0.0.1:11434/v1/", true),
            ("http://127.9.9.9/", true),
            ("http://localhost:1234/", true),
            ("http://desk.localhost/", true),
            ("http://[::1]:8080/", true),
            ("http://192.168.1.9/", false),
            ("https://localhost.example/", false),
            ("https://api.example/", false),
        ] {
            assert_eq!(is_loopback(&address.parse().unwrap()), near, "{address}");
        }
        let http = Http::new(Waits::default()).unwrap();
        let of = |address: &str| format!("{:?}", http.clients(&address.parse().unwrap()).pooled);
        assert_eq!(of("http://localhost:1234/"), format!("{:?}", http.near.pooled));
        assert_eq!(of("https://api.example/"), format!("{:?}", http.far.pooled));
    }
}
