//! A reply that is streamed as server-sent events while the request runs.

use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Context, Poll};

use aura_core::error::Result;
use aura_router::Sink;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde::Serialize;
use tokio::sync::mpsc;
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
///
/// The request runs as a part of the response, in the task of the client's connection: no piece changes threads, and when the client
/// disconnects, the request is dropped with the response.
pub(crate) struct EventStream<T, E> {
    /// The first item, until it is sent.
    first: Option<Item<T, E>>,
    running: Running<T, E>,
}

/// A request that runs, and the pieces that it has queued.
struct Running<T, E> {
    pieces: mpsc::Receiver<T>,
    /// `None` after its end.
    request: Option<BoxFuture<'static, Result<E>>>,
    /// The end, until it is sent.
    end: Option<Result<E>>,
}

/// Writes the items of a reply as server-sent events.
pub(crate) trait EventWriter<T, E>: Send + 'static {
    /// Appends the events of an item. Returns whether it was the last.
    fn write(&mut self, item: Item<T, E>, out: &mut String) -> bool;
}

/// Queues pieces for the response. Waits while the queue is full, which passes the client's back-pressure on to the provider.
pub(crate) struct Queue<T>(mpsc::Sender<T>);

impl<T: Send> Sink<T> for Queue<T> {
    async fn send(&mut self, piece: T) {
        // The send fails only after the client disconnected, which drops the request anyway.
        let _ = self.0.send(piece).await;
    }
}

impl<T, E> Running<T, E> {
    /// Lets the request run and takes the next item. Must not be called after the end.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Item<T, E>> {
        if let Some(request) = &mut self.request
            && let Poll::Ready(end) = request.poll_unpin(context)
        {
            self.request = None;
            self.end = Some(end);
        }
        match std::task::ready!(self.pieces.poll_recv(context)) {
            Some(piece) => Poll::Ready(Item::Piece(piece)),
            // The request has dropped its queue, and all pieces are sent.
            None => self.end.take().map_or(Poll::Pending, |end| Poll::Ready(Item::End(end))),
        }
    }
}

impl<T: Send + 'static, E: Send + 'static> EventStream<T, E> {
    /// Starts a request and waits for its first item: until then, failover stays invisible to the client. `length`: the pieces that are
    /// queued for a client that reads slowly. When the queue is full, the provider's stream is read no further.
    ///
    /// # Errors
    /// When every route failed before the first piece.
    pub(crate) async fn start<F>(length: usize, request: impl FnOnce(Queue<T>) -> F) -> Result<Self>
    where
        F: Future<Output = Result<E>> + Send + 'static,
    {
        let (sender, pieces) = mpsc::channel(length);
        let mut running = Running { pieces, request: Some(request(Queue(sender)).boxed()), end: None };
        match poll_fn(|context| running.poll_next(context)).await {
            Item::End(Err(error)) => Err(error),
            first => Ok(Self { first: Some(first), running }),
        }
    }

    /// The response that streams the reply. `headers` are added to it.
    pub(crate) fn into_response(self, mut headers: HeaderMap, writer: impl EventWriter<T, E>) -> Response {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let events = futures::stream::unfold(Some((self, writer)), |state| async move {
            let (mut stream, mut writer) = state?;
            let mut events = String::new();
            let mut next = Some(stream.next().await);
            let mut is_last = false;
            // All that has arrived is sent at once.
            while let Some(item) = next {
                is_last = writer.write(item, &mut events);
                next = stream.running.pieces.try_recv().ok().map(Item::Piece);
            }
            Some((Ok::<Bytes, Infallible>(events.into()), (!is_last).then_some((stream, writer))))
        });
        (headers, Body::from_stream(events.boxed())).into_response()
    }

    async fn next(&mut self) -> Item<T, E> {
        match self.first.take() {
            Some(first) => first,
            None => poll_fn(|context| self.running.poll_next(context)).await,
        }
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
