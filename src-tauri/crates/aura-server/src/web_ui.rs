//! The web UI for an ordinary browser: its files, and the operations and events that the app's window uses too. The files are public;
//! operations and events need the token, because they give access to the microphone, the screen and the keys.

use std::sync::Arc;

use aura_core::Assistant;
use aura_core::api as operations;
use aura_core::event::Event;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::sse::Event as SseEvent;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::extract::InPath;
use crate::guard::WithToken;
use crate::{LocalApi, Problem, body, sse};

/// Returns a file of the built web UI by its path, such as `index.html`.
pub type WebUi = Arc<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

/// The content security policy of the page: as in the app's window, plus requests to this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<LocalApi> {
    Router::new()
        .route("/app", get(async || Redirect::permanent("/app/")))
        .route("/app/", get(page))
        .route("/app/{*file}", get(file))
        .route("/app/rpc/{operation}", post(rpc))
        .route("/app/events", get(events))
}

/// Calls an operation by its name, as the app's window does.
async fn rpc(
    _: WithToken,
    State(api): State<LocalApi>,
    InPath(operation): InPath,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let request: Value = body::json(request, body::MAX_JSON_WITH_FILE).await?;
    Ok(Json(operations::call(&api.assistant, &operation, request).await?))
}

/// Streams a snapshot, then every event.
async fn events(_: WithToken, State(api): State<LocalApi>) -> Response {
    let LocalApi { assistant, closing, limits, .. } = api;
    let receiver = assistant.subscribe();
    let first = stream::iter([to_sse(&snapshot(&assistant))]);
    let later = stream::unfold((receiver, assistant), next).take_until(closing.cancelled_owned());
    sse::response(first.chain(later), limits.keep_alive)
}

async fn next(
    (mut receiver, assistant): (Receiver<Event>, Assistant),
) -> Option<(SseEvent, (Receiver<Event>, Assistant))> {
    let event = match receiver.recv().await {
        Ok(event) => to_sse(&event),
        // A page that reads too slowly missed events; the snapshot brings it up to date.
        Err(RecvError::Lagged(_)) => to_sse(&snapshot(&assistant)),
        Err(RecvError::Closed) => return None,
    };
    Some((event, (receiver, assistant)))
}

fn snapshot(assistant: &Assistant) -> Event {
    Event::Changed { snapshot: Box::new(assistant.snapshot()) }
}

fn to_sse(event: &Event) -> SseEvent {
    // Events always serialize to JSON. Clients ignore the empty event that would be sent otherwise.
    SseEvent::default().json_data(event).unwrap_or_default()
}

async fn page(State(api): State<LocalApi>) -> Result<Response, Problem> {
    send_file(&api, "index.html")
}

async fn file(State(api): State<LocalApi>, InPath(path): InPath) -> Result<Response, Problem> {
    send_file(&api, &path)
}

fn send_file(api: &LocalApi, path: &str) -> Result<Response, Problem> {
    let not_found =
        |message| Problem::new(StatusCode::NOT_FOUND, aura_core::error::ErrorCode::NotFound.as_str(), message);
    let Some(web_ui) = &api.web_ui else {
        return Err(not_found("This program does not contain the web UI. Start `aura serve` instead."));
    };
    let bytes = web_ui(path).ok_or_else(|| not_found("The web UI has no such file."))?;
    Ok(([(header::CONTENT_TYPE, media_type(path)), (header::CONTENT_SECURITY_POLICY, POLICY)], bytes).into_response())
}

/// The media type of a file of the web UI, by its extension.
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
