//! Server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use serde_json::Value;

/// A named event with JSON data.
pub(crate) fn event(name: &str, value: &Value) -> Event {
    // Compact JSON is a single line: line breaks inside strings are escaped.
    Event::default().event(name).data(value.to_string())
}

/// A response that streams events, with a comment after each idle `keep_alive`.
pub(crate) fn response(events: impl Stream<Item = Event> + Send + 'static, keep_alive: Duration) -> Response {
    let events = events.map(Ok::<_, Infallible>).boxed();
    Sse::new(events).keep_alive(KeepAlive::new().interval(keep_alive)).into_response()
}
