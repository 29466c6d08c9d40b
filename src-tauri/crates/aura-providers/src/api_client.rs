//! One provider's base URL and API key: builds, authorises and sends requests, and reads replies within size limits.

use std::convert::Infallible;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, Request, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::http::{HttpError, HttpPools, may_carry_key};
use crate::redact::{cause, redact, shorten, without_key};
use crate::response_stream::{self, ResponseStream};
use crate::types::{Failure, FailureKind, RateLimit};
use crate::web_socket::{self, WebSocket};
use crate::wire::decoder::Decoder;
use crate::wire::{error_reply, json, rate_limit};

/// The longest error body that is read, in bytes.
const ERROR_BODY: usize = 64 * 1024;
/// The longest reply that is read whole, in bytes. OpenRouter's model list is close to a megabyte.
const WHOLE_BODY: usize = 16 * 1024 * 1024;

/// The header that carries the API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyHeader {
    /// `Authorization: Bearer …`
    Bearer,
    /// A header with this name, whose value is the key.
    Named(&'static str),
}

/// A client for one provider.
#[derive(Clone)]
pub(crate) struct ApiClient {
    http: HttpPools,
    base: Url,
    key: Option<SecretString>,
    header: KeyHeader,
}

impl ApiClient {
    /// A client for endpoints below `base`, which ends with a slash. An empty key counts as none.
    pub(crate) fn new(http: HttpPools, base: Url, key: Option<SecretString>, header: KeyHeader) -> Self {
        let key = key.filter(|key| !key.expose_secret().trim().is_empty());
        Self { http, base, key, header }
    }

    /// Returns this client if it has an API key, else a failure that names the provider.
    pub(crate) fn with_key(&self, provider: &str) -> Result<&Self, Failure> {
        match self.key {
            Some(_) => Ok(self),
            None => Err(Failure::new(
                FailureKind::KeyRejected,
                format!("There is no API key for {provider}. Add one in its settings."),
            )),
        }
    }

    /// The URL of an endpoint. Segments are escaped, because a model name may contain any character.
    pub(crate) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// The URL of a method that Google serves as a WebSocket: beside the version of the base URL, which becomes a part of its name, as in
    /// `ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent`.
    pub(crate) fn service_url(&self, package: &str, method: &str) -> Url {
        let mut url = self.base.clone();
        let mut segments = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty());
        let version = segments.next_back().unwrap_or_default().to_owned();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().pop().extend(["ws", &format!("{package}.{version}.{method}")]);
        }
        url
    }

    /// Sends a GET request and returns when the headers of a success arrive.
    pub(crate) async fn get(&self, url: Url) -> Result<Reply, Failure> {
        self.send(self.request(Method::GET, url)).await
    }

    /// Posts JSON and returns when the headers of a success arrive.
    pub(crate) async fn post_json(&self, url: Url, body: &Value) -> Result<Reply, Failure> {
        self.post(url, "application/json", body.to_string().into()).await
    }

    /// Posts a body and returns when the headers of a success arrive.
    pub(crate) async fn post(&self, url: Url, content_type: &str, body: Bytes) -> Result<Reply, Failure> {
        self.send(self.request(Method::POST, url).header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// Posts a body that is still being made, and returns when the headers of a success arrive.
    pub(crate) async fn post_stream<S>(&self, url: Url, content_type: &str, body: S) -> Result<Reply, Failure>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let body = Body::wrap_stream(body.map(Ok::<_, Infallible>));
        self.send(self.request(Method::POST, url).header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// Opens a connection and leaves it in the pool. The reply is ignored.
    pub(crate) async fn preconnect(&self) {
        let request = self.request(Method::HEAD, self.base.clone()).timeout(self.http.timeouts().connect);
        drop(request.send().await);
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.client(&url).request(method, url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, Failure> {
        let client = self.http.client(&self.base);
        let response = self.execute(client, request.header(ACCEPT, "*/*")).await?;
        Ok(Reply { response, key: self.key.clone() })
    }

    /// Opens a WebSocket with the API key in a header.
    pub(crate) async fn web_socket(&self, url: Url) -> Result<WebSocket, Failure> {
        let unusable = |error: HttpError| Failure::new(FailureKind::Unreachable, error.to_string());
        let client = self.http.upgradable(&url).await.map_err(unusable)?;
        let (key, request) = web_socket::handshake(client.get(url));
        let response = self.execute(client, request).await?;
        web_socket::open(response, &key).await.map_err(|failure| self.redact(failure))
    }

    /// Authorises and sends a request, and returns when the headers of a success arrive.
    async fn execute(&self, client: &Client, request: RequestBuilder) -> Result<Response, Failure> {
        let failed = |error| self.redact(transport(error, &self.base));
        let mut request = request.build().map_err(failed)?;
        self.authorise(&mut request)?;
        let response = client.execute(request).await.map_err(failed)?;
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = without_key(read_error_body(response, self.http.timeouts().error_body).await, self.key.as_ref());
        Err(self.redact(error_reply::failure(status.as_u16(), &headers, &body)))
    }

    /// Adds the API key. The one place where a key meets a URL.
    fn authorise(&self, request: &mut Request) -> Result<(), Failure> {
        let Some(key) = &self.key else { return Ok(()) };
        if !may_carry_key(request.url()) {
            return Err(Failure::new(
                FailureKind::KeyRejected,
                "The API key was not sent, because the address is not encrypted (http). Use an https address, or remove the key.",
            ));
        }
        let key = key.expose_secret().trim();
        let (name, value) = match self.header {
            KeyHeader::Bearer => ("authorization", format!("Bearer {key}")),
            KeyHeader::Named(name) => (name, key.to_owned()),
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            Failure::new(
                FailureKind::KeyRejected,
                "The API key contains characters that cannot be sent. Copy it again.",
            )
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(HeaderName::from_static(name), value);
        Ok(())
    }

    /// Removes the API key from the message of a failure.
    pub(crate) fn redact(&self, failure: Failure) -> Failure {
        redact(failure, self.key.as_ref())
    }
}

/// A successful reply whose body has not been read.
pub(crate) struct Reply {
    response: Response,
    key: Option<SecretString>,
}

impl Reply {
    /// The response headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The rate limits in the headers.
    pub(crate) fn rate_limit(&self) -> Option<RateLimit> {
        rate_limit::read(self.headers())
    }

    /// The media type with its parameters, in lower case.
    pub(crate) fn content_type(&self) -> String {
        let value = self.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.to_ascii_lowercase()
    }

    /// Reads the whole body.
    async fn body(mut self) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        loop {
            match self.response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > WHOLE_BODY => {
                    return Err(Failure::new(FailureKind::Unsupported, "The provider's reply is larger than 16 MiB."));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => {
                    let failure = error_reply::interrupted(
                        false,
                        format!("The connection broke while the reply arrived: {}", cause(error)),
                    );
                    return Err(redact(failure, self.key.as_ref()));
                }
            }
        }
    }

    /// Reads the whole body and parses it with `parse`.
    pub(crate) async fn read<T>(self, parse: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
        let key = self.key.clone();
        let body = self.body().await?;
        parse(&body).map_err(|failure| redact(failure, key.as_ref()))
    }

    /// Reads the whole body as JSON. Fails when it contains an error in spite of its status.
    pub(crate) async fn json(self) -> Result<Value, Failure> {
        self.read(json::parse).await
    }

    /// Decodes the body as it arrives.
    pub(crate) fn stream<D: Decoder>(self, decoder: D) -> ResponseStream<D::Output> {
        response_stream::decode_stream(self.response, self.key, decoder)
    }
}

async fn read_error_body(mut response: Response, time: Duration) -> String {
    let limit = ERROR_BODY;
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let left = limit - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(left)]);
            if body.len() == limit {
                break;
            }
        }
    };
    // What arrived in time is enough to classify the error.
    drop(tokio::time::timeout(time, read).await);
    String::from_utf8_lossy(&body).into_owned()
}

fn transport(error: reqwest::Error, base: &Url) -> Failure {
    let host = base.host_str().unwrap_or("the provider").to_owned();
    let (kind, what) = if error.is_builder() {
        (FailureKind::InvalidRequest, "The request could not be built for")
    } else if error.is_timeout() && !error.is_connect() {
        (FailureKind::Timeout, "No reply in time from")
    } else {
        (FailureKind::Unreachable, "No connection to")
    };
    Failure::new(kind, shorten(&format!("{what} {host}: {}", cause(error))))
}
