//! The interface in an ordinary browser: its files, and the same three ways to Rust that the window has. The files are no secret; what
//! they ask for needs the token, because the microphone, the screen and the keys are behind it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aura_core::Assistant;
use aura_core::api;
use aura_core::event::Event;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::extract::InPath;
use crate::guard::WithToken;
use crate::{Door, Problem, body};

/// Gives a file of the built interface by its path, such as `index.html`.
pub type Interface = Arc<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

/// What the page may do: the same as in the window, and ask this door.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A stream that says nothing for so long says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/app", get(async || Redirect::permanent("/app/")))
        .route("/app/", get(page))
        .route("/app/{*file}", get(file))
        .route("/app/rpc/{operation}", post(rpc))
        .route("/app/events", get(events))
}

/// Whether a request is for one of the interface's files, which hold nothing of the person's.
pub(crate) fn is_file(request: &Request) -> bool {
    let path = request.uri().path();
    request.method() == Method::GET && (path == "/app" || (path.starts_with("/app/") && path != "/app/events"))
}

/// Calls an operation by its name, as the window does.
async fn rpc(
    _: WithToken,
    State(door): State<Door>,
    InPath(operation): InPath,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let request: Value = body::json(request, body::JSON_WITH_FILE).await?;
    Ok(Json(api::call(&door.assistant, &operation, request).await?))
}

/// Every event from now on, the state of things first.
async fn events(_: WithToken, State(door): State<Door>) -> impl IntoResponse {
    let Door { assistant, closing, .. } = door;
    let happening = assistant.subscribe();
    let first = stream::iter([told(&state(&assistant))]);
    let later = stream::unfold((happening, assistant), next).take_until(closing.cancelled_owned());
    let all = first.chain(later).map(Ok::<_, Infallible>);
    Sse::new(all.boxed()).keep_alive(KeepAlive::new().interval(ALIVE))
}

type Listening = (Receiver<Event>, Assistant);

async fn next((mut happening, assistant): Listening) -> Option<(sse::Event, Listening)> {
    let event = match happening.recv().await {
        Ok(event) => told(&event),
        // A page that was slow missed some: it is told how things are.
        Err(RecvError::Lagged(_)) => told(&state(&assistant)),
        Err(RecvError::Closed) => return None,
    };
    Some((event, (happening, assistant)))
}

fn state(assistant: &Assistant) -> Event {
    Event::Changed { snapshot: Box::new(assistant.snapshot()) }
}

fn told(event: &Event) -> sse::Event {
    // An event is plain data, which always becomes JSON; an empty event is ignored by whoever reads it.
    sse::Event::default().json_data(event).unwrap_or_default()
}

async fn page(State(door): State<Door>) -> Result<Response, Problem> {
    found(&door, "index.html")
}

async fn file(State(door): State<Door>, InPath(path): InPath) -> Result<Response, Problem> {
    found(&door, &path)
}

fn found(door: &Door, path: &str) -> Result<Response, Problem> {
    let missing = |message| Problem::new(StatusCode::NOT_FOUND, aura_core::error::Code::NotFound.as_str(), message);
    let Some(interface) = &door.interface else {
        return Err(missing("This program carries no interface. `aura serve` does."));
    };
    let bytes = interface(path).ok_or_else(|| missing("The interface has no such file."))?;
    Ok(([(header::CONTENT_TYPE, media_type(path)), (header::CONTENT_SECURITY_POLICY, POLICY)], bytes).into_response())
}

/// By the ending of its name: the interface's files are of these kinds.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}
