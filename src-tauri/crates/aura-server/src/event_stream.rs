//! A reply that is streamed as server-sent events while the request runs in a task of its own.

use std::convert::Infallible;

use aura_core::error::{Error, Result};
use aura_router::Sink;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use utoipa::ToSchema;

/// The media type of server-sent events.
pub(crate) const MEDIA_TYPE: &str = "text/event-stream; charset=utf-8";

/// A server-sent event of a streamed reply.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what `push_event` writes")]
pub(crate) struct ServerSentEvent {
    /// The type of the event; absent where the format has none.
    event: Option<String>,
    /// The event, as JSON text.
    data: String,
}

/// An item of a streamed reply.
pub(crate) enum Item<T, E> {
    /// The next piece.
    Piece(T),
    /// The end: what is known only then, or why the request failed.
    End(Result<E>),
}

/// A streamed reply whose first item has arrived.
pub(crate) struct EventStream<T, E> {
    /// The first item, until it is sent.
    first: Option<Item<T, E>>,
    items: mpsc::Receiver<Item<T, E>>,
    /// The task that runs the request. Aborted when the client disconnects.
    _task: AbortOnDropHandle<()>,
}

/// Writes the items of a reply as server-sent events.
pub(crate) trait EventWriter<T, E>: Send + 'static {
    /// Appends the events of an item. Returns whether it was the last.
    fn write(&mut self, item: Item<T, E>, out: &mut String) -> bool;
}

/// Queues pieces for the response. Waits while the queue is full, which passes the client's back-pressure on to the provider.
pub(crate) struct Queue<T, E>(mpsc::Sender<Item<T, E>>);

impl<T: Send, E: Send> Sink<T> for Queue<T, E> {
    async fn send(&mut self, piece: T) {
        // The send fails only after the client disconnected, which aborts this task anyway.
        let _ = self.0.send(Item::Piece(piece)).await;
    }
}

impl<T: Send + 'static, E: Send + 'static> EventStream<T, E> {
    /// Starts a request and waits for its first item: until then, failover stays invisible to the client. `length`: the pieces that are
    /// queued for a client that reads slowly. When the queue is full, the provider's stream is read no further.
    ///
    /// # Errors
    /// When every route failed before the first piece.
    pub(crate) async fn start<F>(length: usize, request: impl FnOnce(Queue<T, E>) -> F) -> Result<Self>
    where
        F: Future<Output = Result<E>> + Send + 'static,
    {
        let (sender, mut items) = mpsc::channel(length);
        let running = request(Queue(sender.clone()));
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let end = running.await;
            let _ = sender.send(Item::End(end)).await;
        }));
        match items.recv().await {
            Some(Item::End(Err(error))) => Err(error),
            Some(first) => Ok(Self { first: Some(first), items, _task: task }),
            None => Err(Error::internal("the task that runs the request ended early")),
        }
    }

    /// The response that streams the reply. `headers` are added to it.
    pub(crate) fn into_response(self, mut headers: HeaderMap, writer: impl EventWriter<T, E>) -> Response {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let events = futures::stream::unfold(Some((self, writer)), |state| async move {
            let (mut stream, mut writer) = state?;
            let item = match stream.first.take() {
                Some(item) => item,
                None => stream.items.recv().await?,
            };
            let mut events = String::new();
            let is_last = writer.write(item, &mut events);
            Some((Ok::<Bytes, Infallible>(events.into()), (!is_last).then_some((stream, writer))))
        });
        (headers, Body::from_stream(events.boxed())).into_response()
    }
}

/// Appends an event with JSON data. `name`: its type, empty for none.
pub(crate) fn push_event(out: &mut String, name: &str, value: &impl Serialize) {
    if !name.is_empty() {
        out.push_str("event: ");
        out.push_str(name);
        out.push('\n');
    }
    out.push_str("data: ");
    // Serializing the types of events cannot fail: every key is a string.
    out.push_str(&serde_json::to_string(value).unwrap_or_default());
    out.push_str("\n\n");
}
