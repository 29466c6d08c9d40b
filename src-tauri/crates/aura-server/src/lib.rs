//! The local API of the assistant: the guide's routes, routes in the formats of OpenAI and Anthropic, the web UI, events and metrics, behind
//! a guard that admits only the user who started AURA and programs that have the token.

mod anthropic;
mod body;
pub mod bootstrap;
mod chat_stream;
mod descriptors;
mod env_file;
mod environment;
mod error;
mod event_stream;
mod extract;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod guard;
mod limits;
mod log;
mod manual;
mod metrics;
pub(crate) mod openai;
mod openapi;
mod process;
mod program;
pub(crate) mod routes;
mod serve;
mod sse;
mod token_count;
mod validate;
mod wav;
mod web_ui;
mod write_timeout;

use std::sync::Arc;
use std::time::Instant;

use aura_core::Assistant;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use error::shortened;
pub use error::{Problem, ProblemBody, ProblemFields};
pub use guard::Token;
pub use limits::ServerLimits;
pub use log::{close_log, start_log};
pub use manual::write_manual;
pub use process::{forbid_inspection, prepare_process};
pub use program::{ServerOptions, run, shutdown_signal};
pub use serve::{Listener, listen, serve};
pub use web_ui::WebUi;

/// The default port, which the guide uses.
pub const PORT: u16 = 8000;

/// The state that every handler shares. Cheap to clone.
#[derive(Clone)]
pub struct LocalApi {
    /// The assistant that requests act on.
    pub assistant: Assistant,
    token: Arc<Token>,
    metrics: Arc<metrics::Metrics>,
    limiter: guard::RequestLimiter,
    limits: ServerLimits,
    started: Instant,
    /// Whether the assistant uses the sandbox providers. Fixed at start.
    sandbox: bool,
    /// The files of the web UI, if the program contains them.
    web_ui: Option<WebUi>,
    /// Cancelled when the server shuts down: endless streams end then.
    closing: CancellationToken,
}

impl LocalApi {
    /// The local API of an assistant, protected by this token.
    pub fn new(assistant: Assistant, token: Token) -> Self {
        Self {
            sandbox: assistant.snapshot().sandbox,
            assistant,
            token: Arc::new(token),
            metrics: Arc::default(),
            limiter: guard::RequestLimiter::default(),
            limits: ServerLimits::default(),
            started: Instant::now(),
            web_ui: None,
            closing: CancellationToken::new(),
        }
    }

    /// Serves the web UI at `/app`.
    #[must_use]
    pub fn with_web_ui(self, web_ui: WebUi) -> Self {
        Self { web_ui: Some(web_ui), ..self }
    }

    /// Replaces the timeouts.
    #[must_use]
    pub fn with_limits(self, limits: ServerLimits) -> Self {
        Self { limits, ..self }
    }
}

/// Every route of the local API, behind the guard.
pub fn router(api: LocalApi) -> Router {
    routes::routes()
        .merge(openai::routes())
        .merge(anthropic::routes())
        .merge(openapi::routes())
        .merge(web_ui::routes())
        .merge(guard::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(api.clone(), guard::protect))
        // Whichever format converts an error first decides its body.
        .layer(from_fn(anthropic::convert_errors))
        .layer(from_fn(openai::convert_errors))
        .layer(map_response(forbid_caching_and_sniffing))
        .with_state(api)
}

async fn forbid_caching_and_sniffing(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn not_found(request: Request) -> Problem {
    let message = format!("There is nothing at {}. GET /docs lists the routes.", shortened(request.uri().path()));
    Problem::new(StatusCode::NOT_FOUND, aura_core::error::ErrorCode::NotFound.as_str(), message)
}

async fn method_not_allowed(request: Request) -> Problem {
    let message = format!(
        "{} does not accept {}. GET /docs lists the routes and their methods.",
        shortened(request.uri().path()),
        shortened(request.method().as_str())
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
