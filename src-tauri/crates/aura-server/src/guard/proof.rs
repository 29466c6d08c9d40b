//! `POST /proof`: the server proves that it knows the token, before a client sends it.
//!
//! A client that lost its connection cannot know whether the same server listens on the port again, or a program of somebody else. So it
//! sends a random number first, and its token only after the right reply, which nobody can give without the token.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Caller;
use crate::{LocalApi, Problem, body};

/// The path of the route.
const PATH: &str = "/proof";
/// The largest request body, bytes.
const MAX_BODY: usize = 1_000;

pub(crate) fn routes() -> Router<LocalApi> {
    Router::new().route("/proof", post(prove))
}

/// Whether a request is for this route, which needs no token.
pub(super) fn is_asked_for(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == PATH
}

/// A question that only the server with the token can answer.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProofRequest {
    /// A fresh random number: 64 hexadecimal digits.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    nonce: String,
}

/// The answer to a [`ProofRequest`].
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProofReply {
    /// HMAC-SHA256 in hexadecimal digits. Its key is the token, its message `aura:PORT:NONCE`.
    proof: String,
}

/// Proves that this server knows the token. Needs no token.
///
/// A client sends its token only once it has this proof, and asks for it again whenever it lost the connection: another program may have
/// taken the port since. The port in the message is the one that the client connected to, so that nobody can pass the question on.
#[utoipa::path(
    post, path = "/proof", tag = "server", request_body = ProofRequest,
    responses((status = 200, body = ProofReply)),
)]
pub(crate) async fn prove(
    State(api): State<LocalApi>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<ProofReply>, Problem> {
    let ProofRequest { nonce } = body::json(request, MAX_BODY).await?;
    if nonce.len() != 64 || !nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Problem::unprocessable("`nonce` must be 64 hexadecimal digits. Send a new random one."));
    }
    Ok(Json(ProofReply { proof: api.token.sign(&format!("aura:{}:{nonce}", caller.port)) }))
}
