//! Who may call. The door listens on the loopback alone; that keeps other computers out, but neither web pages in the person's browser
//! nor other users of this computer.
//!
//! A request must name this door as its host and, if it comes from a page, be from one of this door's own. Then its caller needs the
//! token, or is, as the operating system says, the same user as AURA.

mod caller;
mod limits;
mod token;

use std::net::SocketAddr;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use crate::{Door, Problem};

pub(crate) use limits::{Arrived, Entrance, Places, busy, hold};
pub use token::Token;

/// What a browser says of the page that a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is known of a connection, looked up once when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// The door's own port.
    port: u16,
    /// Whether the operating system says that it is the user who started AURA.
    same_user: bool,
}

impl Caller {
    /// Of a connection that was just made.
    pub(crate) async fn of(peer: SocketAddr, own: SocketAddr) -> Self {
        // The kernel answers at once, but a machine that forbids the question may let it hang for a moment.
        let user = tokio::task::spawn_blocking(move || caller::user_of(peer, own)).await.ok().flatten();
        Self { port: own.port(), same_user: user.is_some() && user == caller::this_user() }
    }

    /// Whether it is known to be none of the person's own programs. Where the operating system does not tell, nobody is.
    fn is_stranger(self) -> bool {
        !self.same_user && caller::this_user().is_some()
    }
}

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admitted {
    /// It brought the token.
    ByToken,
    /// The operating system vouched for its caller.
    AsTheSameUser,
    /// It only wants the page that asks for the token: a browser cannot bring one to an address that is typed.
    ForThePage,
}

/// The microphone, the screen and the keys are never reachable with less than the token: a route that takes this asks for it.
pub(crate) struct WithToken;

impl<S: Sync> FromRequestParts<S> for WithToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get() {
            Some(Admitted::ByToken) => Ok(Self),
            _ => Err(unauthorized(
                "This needs the door's token, whoever calls. Send the one in the file `door-token` of AURA's data folder as \
                 `Authorization: Bearer …`.",
            )),
        }
    }
}

/// Whether a request may come in; it is marked with how it did.
fn check(door: &Door, request: &mut Request) -> Result<(), Problem> {
    let caller = request.extensions().get::<Caller>().copied();
    let admitted = admit(&door.token, caller, request).inspect_err(|problem| {
        tracing::warn!(code = problem.code, "a request at the HTTP door was refused: {}", problem.message);
    })?;
    request.extensions_mut().insert(admitted);
    Ok(())
}

fn admit(token: &Token, caller: Option<Caller>, request: &Request) -> Result<Admitted, Problem> {
    let headers = request.headers();
    let Some(caller) = caller else { return Err(unknown()) };
    let host = one(headers, header::HOST)?;
    // A request line with a whole address names a host of its own.
    let named = request.uri().authority().map(|authority| authority.as_str());
    if !host.is_some_and(|host| is_this_door(host, caller.port))
        || !named.is_none_or(|named| is_this_door(named, caller.port))
    {
        return Err(refused(
            "forbidden_host",
            format!("This door answers as http://localhost:{}, by no other name.", caller.port),
        ));
    }
    let origin = one(headers, header::ORIGIN)?;
    let of_this_door =
        |origin: &str| origin.strip_prefix("http://").is_some_and(|host| is_this_door(host, caller.port));
    if !origin.is_none_or(of_this_door) {
        return Err(refused("forbidden_origin", "Web pages of others may not use AURA."));
    }
    if !matches!(one(headers, SEC_FETCH_SITE)?, None | Some("same-origin" | "none")) {
        return Err(refused("forbidden_origin", "Web pages of others may not use AURA."));
    }
    match one(headers, header::AUTHORIZATION)? {
        // Who brings a token is measured by it: one that is wrong is a mistake to be told.
        Some(given) => match given.split_once(' ') {
            Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") && token.is(given.trim().as_bytes()) => {
                Ok(Admitted::ByToken)
            }
            _ => Err(unauthorized(
                "This is not the door's token. Leave it out when you are the user who started AURA, or send the one in the file \
                 `door-token` of AURA's data folder as `Authorization: Bearer …`.",
            )),
        },
        None if caller.same_user => Ok(Admitted::AsTheSameUser),
        None if crate::app::is_file(request) => Ok(Admitted::ForThePage),
        None => Err(unknown()),
    }
}

/// The only value of a header; twice the same header is how requests are smuggled past guards.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::bad(format!("The header `{name}` is there twice.")));
    }
    first
        .map(|value| value.to_str())
        .transpose()
        .map_err(|_| Problem::bad(format!("The header `{name}` holds characters that it may not.")))
}

/// Whether a `host:port` is this door's.
fn is_this_door(host: &str, port: u16) -> bool {
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        None if port == 80 => host,
        None => return false,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

fn refused(code: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, message)
}

fn unauthorized(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

fn unknown() -> Problem {
    unauthorized(
        "Only the user who started AURA may call without a token. Send the one in the file `door-token` of that user's AURA data \
         folder as `Authorization: Bearer …`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_has_three_names() {
        for host in ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"] {
            assert!(is_this_door(host, 8000), "{host}");
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
            assert!(!is_this_door(host, 8000), "{host}");
        }
        assert!(is_this_door("localhost", 80));
    }
}
