//! The HTTP connection pools that all providers share.
//!
//! No total timeout, no redirects, no compression: the timeouts of a request belong to its caller, a redirect could carry a key to
//! another host, and compression delays streams.
//!
//! A request is sent once. The client sends it on a new connection only when the provider cannot have seen it or says that it did
//! not process it: when a pooled connection closed before the request was written, and when HTTP/2 refuses the stream
//! (`REFUSED_STREAM`, or `GOAWAY` with a lower stream id). After anything else the provider may have done the work and may bill it,
//! so the call has failed, and the caller decides what comes next.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Url, redirect};
use tokio::sync::OnceCell;
use url::Host;

/// Whether `TCP_NODELAY` is set: small packets are sent at once.
pub(crate) const NO_DELAY: bool = true;
/// How long an idle connection stays in the pool: long enough to serve the next question. Pings detect a connection that broke
/// meanwhile, for example while a laptop slept.
const IDLE: Duration = Duration::from_secs(600);
/// The interval between HTTP/2 pings, and the timeout of each.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(3));

/// The timeouts of the HTTP client. All others, such as the time to first token, belong to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpTimeouts {
    /// To open a connection, TLS handshake included.
    pub connect: Duration,
    /// To read the body of an error reply, after its status has arrived. What arrived by then is used.
    pub error_body: Duration,
}

impl Default for HttpTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), error_body: Duration::from_secs(3) }
    }
}

/// The HTTP clients could not be built, for example because TLS could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The HTTP client could not be set up: {0}")]
pub struct HttpError(String);

/// The HTTP clients with their connection pools: no total timeout, no redirects, no compression. A clone shares the pools.
#[derive(Debug, Clone)]
pub struct HttpPools(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    remote: Client,
    /// For this computer, without the system's proxy.
    loopback: Client,
    /// The same two for WebSockets: HTTP/2, which the others prefer, cannot be upgraded. Set up at the first use, because reading the root
    /// certificates takes tens of milliseconds.
    upgradable: [OnceCell<Client>; 2],
    timeouts: HttpTimeouts,
}

impl HttpPools {
    /// Sets up the clients. Opens no connection.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(timeouts: HttpTimeouts) -> Result<Self, HttpError> {
        let connect = timeouts.connect;
        let remote = client(|builder| builder.connect_timeout(connect))?;
        let loopback = client(|builder| builder.connect_timeout(connect).no_proxy())?;
        Ok(Self(Arc::new(Pools { remote, loopback, upgradable: Default::default(), timeouts })))
    }

    /// Whether `other` is a clone of this value, so that they share their connections.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The timeouts that [`HttpPools::new`] was given.
    pub fn timeouts(&self) -> HttpTimeouts {
        self.0.timeouts
    }

    /// Clients for HTTP/2 without TLS, for tests.
    #[cfg(test)]
    pub(crate) fn http2() -> Result<Self, HttpError> {
        let remote = client(|builder| builder.no_proxy().http2_prior_knowledge())?;
        let (loopback, timeouts) = (remote.clone(), HttpTimeouts::default());
        Ok(Self(Arc::new(Pools { remote, loopback, upgradable: Default::default(), timeouts })))
    }

    pub(crate) fn client(&self, url: &Url) -> &Client {
        if is_loopback(url) { &self.0.loopback } else { &self.0.remote }
    }

    /// A client whose connections can become WebSockets.
    pub(crate) async fn upgradable(&self, url: &Url) -> Result<&Client, HttpError> {
        let (is_local, connect) = (is_loopback(url), self.timeouts().connect);
        let set_up = async || {
            let work = tokio::task::spawn_blocking(move || {
                client(|builder| {
                    let builder = builder.connect_timeout(connect).http1_only();
                    if is_local { builder.no_proxy() } else { builder }
                })
            });
            work.await.unwrap_or_else(|cause| Err(HttpError(cause.to_string())))
        };
        self.0.upgradable[usize::from(is_local)].get_or_try_init(set_up).await
    }
}

/// Whether an API key may be sent to a URL: the connection is encrypted, or the server is on this computer. Plain HTTP would show the
/// key to everybody on the way, an HTTP proxy included.
pub fn may_carry_key(url: &Url) -> bool {
    url.scheme() == "https" || is_this_computer(url)
}

/// Whether a URL is certainly on this computer. A name server may be asked for `desk.localhost`, and may lie; `localhost` itself is in
/// the operating system's own table.
pub fn is_this_computer(url: &Url) -> bool {
    is_loopback(url) && url.host_str().is_none_or(|host| !host.ends_with(".localhost"))
}

/// Whether a URL is on this computer.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn client(kind: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, HttpError> {
    // Another part of the program may have installed a TLS provider already; either one serves.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        kind(Client::builder())
            .user_agent(concat!("aura/", env!("CARGO_PKG_VERSION"))) // without one Groq's gateway replies 403 (error code 1010)
            .tcp_nodelay(NO_DELAY)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(IDLE)
            .http2_keep_alive_interval(PING.0)
            .http2_keep_alive_timeout(PING.1)
            .http2_keep_alive_while_idle(true)
            .redirect(redirect::Policy::none())
            .referer(false)
    };
    builder().build().or_else(|error| {
        // Without root certificates, servers on this computer can still be reached.
        tracing::warn!(error = %error.without_url(), "no root certificates found: only http URLs can be reached");
        builder().tls_certs_only([]).build().map_err(|error| HttpError(error.without_url().to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_bypass_the_proxy() {
        for (address, loopback) in [
            ("http://127.0.0.1:11434/v1/", true),
            ("http://127.9.9.9/", true),
            ("http://localhost:1234/", true),
            ("http://desk.localhost/", true),
            ("http://[::1]:8080/", true),
            ("http://192.168.1.9/", false),
            ("https://localhost.example/", false),
            ("https://api.example/", false),
        ] {
            assert_eq!(is_loopback(&address.parse().unwrap()), loopback, "{address}");
        }
        for (address, carries) in [
            ("https://api.example/", true),
            ("https://192.168.1.9/", true),
            ("http://127.0.0.1:11434/v1/", true),
            ("http://[::1]:8080/", true),
            ("http://localhost:1234/", true),
            ("http://desk.localhost/", false),
            ("http://localhost.example/", false),
            ("http://192.168.1.9/", false),
            ("http://desk.local/", false),
            ("http://127.0.0.1@api.example/", false),
        ] {
            assert_eq!(may_carry_key(&address.parse().unwrap()), carries, "{address}");
        }
        let http = HttpPools::new(HttpTimeouts::default()).unwrap();
        let of = |address: &str| format!("{:?}", http.client(&address.parse().unwrap()));
        assert_eq!(of("http://localhost:1234/"), format!("{:?}", http.0.loopback));
        assert_eq!(of("https://api.example/"), format!("{:?}", http.0.remote));
    }
}
