//! Access control. The local API listens on the loopback interface only, which keeps other computers out, but not web pages in the
//! user's browser or other users of this computer.
//!
//! A request must name this server as its host and, if it comes from a web page, that page must be one of this server's. Its caller must
//! then send the token or, as the operating system reports, be the user who started AURA.
//!
//! The operating system vouches for the program at the other end of the connection. A program of the same user is let in with any key, as
//! many cannot do without one. A proxy or a browser calls for others: then a key must be the token, and behind a proxy there must be one.

mod headers;
mod limiters;
mod middleware;
mod peer_uid;
pub(crate) mod proof;
mod token;

use std::net::SocketAddr;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};

use crate::{LocalApi, Problem};
use headers::{Key, SEC_FETCH_SITE, is_from_browser, is_proxied, single};

pub(crate) use limiters::{ConnectionLimiter, RequestLimiter};
pub(crate) use middleware::{ArrivedAt, protect};
pub(crate) use proof::routes;
pub use token::Token;

/// The peer of a connection, looked up once when the connection is accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// The port of this server.
    port: u16,
    /// Whether the operating system reports the user who started AURA.
    same_user: bool,
}

impl Caller {
    /// Looks up the peer of a new connection; `own` is this server's address.
    pub(crate) async fn of(peer: SocketAddr, own: SocketAddr) -> Self {
        // The kernel replies at once, but where a security policy forbids the query, the lookup may block for a moment.
        let user = tokio::task::spawn_blocking(move || peer_uid::user_of(peer, own)).await.ok().flatten();
        Self { port: own.port(), same_user: user.is_some() && user == peer_uid::this_user() }
    }

    /// Whether the connection is not known to be the user's own. Always false where the operating system does not report users.
    fn is_other_user(self) -> bool {
        !self.same_user && peer_uid::this_user().is_some()
    }
}

/// Why a request was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    /// It has the token.
    Token,
    /// The operating system reports that its caller is the user who started AURA.
    SameUser,
    /// It needs no token, because the response contains nothing of the user's.
    Public,
}

/// An extractor for routes that always need the token, because they give access to the microphone, the screen and the keys.
pub(crate) struct WithToken;

impl<S: Sync> FromRequestParts<S> for WithToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get() {
            Some(Admission::Token) => Ok(Self),
            _ => Err(unauthorized(
                "This route always needs the token. Send the content of the file `api-token` in AURA's data folder as \
                 `Authorization: Bearer …`.",
            )),
        }
    }
}

/// Admits or rejects a request, and stores its [`Admission`] in its extensions.
fn authorize(api: &LocalApi, request: &mut Request) -> Result<(), Problem> {
    let caller = request.extensions().get::<Caller>().copied();
    let admission = admit(&api.token, caller, request).inspect_err(|problem| {
        tracing::warn!(code = problem.code, "the local API rejected a request: {}", problem.message);
    })?;
    request.extensions_mut().insert(admission);
    Ok(())
}

fn admit(token: &Token, caller: Option<Caller>, request: &Request) -> Result<Admission, Problem> {
    let headers = request.headers();
    let Some(caller) = caller else { return Err(token_required()) };
    let host = single(headers, "host")?;
    // A request line with an absolute URL names a host of its own.
    let authority = request.uri().authority().map(|authority| authority.as_str());
    if !host.is_some_and(|host| is_own_host(host, caller.port))
        || !authority.is_none_or(|authority| is_own_host(authority, caller.port))
    {
        return Err(forbidden(
            "forbidden_host",
            format!("AURA answers only under its own address. Use http://localhost:{}.", caller.port),
        ));
    }
    let origin = single(headers, "origin")?;
    let is_own_origin =
        |origin: &str| origin.strip_prefix("http://").is_some_and(|host| is_own_host(host, caller.port));
    if !origin.is_none_or(is_own_origin) {
        return Err(forbidden("forbidden_origin", "Other websites may not call AURA."));
    }
    if !matches!(single(headers, SEC_FETCH_SITE)?, None | Some("same-origin" | "none")) {
        return Err(forbidden("forbidden_origin", "Other websites may not call AURA."));
    }
    let is_proxied = is_proxied(headers);
    match headers::key(headers, token)? {
        Key::Token => Ok(Admission::Token),
        Key::Other if caller.same_user && !is_proxied && !is_from_browser(headers) => Ok(Admission::SameUser),
        // A page or a proxy that sends a wrong token should notice.
        Key::Other => Err(unauthorized(
            "The token is wrong. AURA makes a new one at each start: send the content of the file `api-token` in AURA's data folder as \
             `Authorization: Bearer …`.",
        )),
        Key::None if caller.same_user && !is_proxied => Ok(Admission::SameUser),
        Key::None if is_web_ui_file(request) || proof::is_asked_for(request) => Ok(Admission::Public),
        Key::None if is_proxied => Err(unauthorized(
            "A request through a proxy needs the token. Send the content of the file `api-token` in AURA's data folder as \
             `Authorization: Bearer …`.",
        )),
        Key::None => Err(token_required()),
    }
}

/// Whether a request is for a file of the web UI. These files are part of the program. Their page asks for the token: a browser sends none
/// when a user opens a URL.
fn is_web_ui_file(request: &Request) -> bool {
    let path = request.uri().path();
    request.method() == Method::GET && (path == "/app" || (path.starts_with("/app/") && path != "/app/events"))
}

/// Whether a `host:port` is one of this server's.
fn is_own_host(host: &str, port: u16) -> bool {
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        None if port == 80 => host,
        None => return false,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

fn forbidden(code: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, message)
}

fn unauthorized(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

fn token_required() -> Problem {
    unauthorized(
        "Only the user who started AURA may call without a token. Send the content of the file `api-token` in that user's AURA data \
         folder as `Authorization: Bearer …`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_with_the_own_port_are_own_hosts() {
        for host in ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"] {
            assert!(is_own_host(host, 8000), "{host}");
        }
        for host in [
            "localhost",
            "localhost:8001",
            "evil.example:8000",
            "localhost.evil.example:8000",
            "127.0.0.1.nip.io:8000",
            "user@localhost:8000",
            "localhost:8000:8000",
            "",
            ":8000",
            "0.0.0.0:8000",
        ] {
            assert!(!is_own_host(host, 8000), "{host}");
        }
        assert!(is_own_host("localhost", 80));
    }
}
