//! The HTTP door onto the assistant: the guide's routes, OpenAI's format, events and metrics, behind a guard that lets in the person
//! who started AURA and nobody else.

mod app;
mod body;
pub mod compose;
mod error;
mod extract;
mod guard;
mod metrics;
mod names;
pub(crate) mod openai;
mod openapi;
mod patient;
mod program;
pub(crate) mod routes;
mod serve;

use std::sync::Arc;
use std::time::Instant;

use aura_core::Assistant;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use tokio_util::sync::CancellationToken;

pub use app::Interface;
use error::shortened;
pub use error::{Problem, ProblemBody, ProblemFields};
pub use guard::Token;
pub use program::{asked_to_end, run};
pub use serve::{Listener, listen, serve};

/// The guide's port.
pub const PORT: u16 = 8000;

/// What every request is answered from. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    /// The assistant behind it.
    pub assistant: Assistant,
    token: Arc<Token>,
    metrics: Arc<metrics::Metrics>,
    places: guard::Places,
    opened: Instant,
    /// The interface's files, where the program carries them.
    interface: Option<Interface>,
    /// Cancelled when the door closes: streams that have no end of their own end then.
    closing: CancellationToken,
}

impl Door {
    /// A door onto an assistant, which opens with this token.
    pub fn new(assistant: Assistant, token: Token) -> Self {
        Self {
            assistant,
            token: Arc::new(token),
            metrics: Arc::default(),
            places: guard::Places::default(),
            opened: Instant::now(),
            interface: None,
            closing: CancellationToken::new(),
        }
    }

    /// The same door, with the interface for a browser at `/app`.
    #[must_use]
    pub fn with_interface(self, interface: Interface) -> Self {
        Self { interface: Some(interface), ..self }
    }
}

/// The routes of the door, behind its guard.
pub fn router(door: Door) -> Router {
    routes::routes()
        .merge(openai::routes())
        .merge(openapi::routes())
        .merge(app::routes())
        .fallback(not_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(door.clone(), guard::hold))
        .layer(from_fn(openai::refusals))
        .layer(map_response(private))
        .with_state(door)
}

/// Answers are for the caller alone: neither kept on the way nor guessed at.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn not_there(request: Request) -> Problem {
    let message = format!("There is nothing at {}. GET /docs shows what there is.", shortened(request.uri().path()));
    Problem::new(StatusCode::NOT_FOUND, aura_core::error::Code::NotFound.as_str(), message)
}

async fn wrong_method(request: Request) -> Problem {
    let message = format!(
        "{} does not take {}. GET /docs shows what it takes.",
        shortened(request.uri().path()),
        shortened(request.method().as_str())
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
