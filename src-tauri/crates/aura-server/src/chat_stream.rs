//! A chat request whose answer is streamed as server-sent events, in whichever format the client speaks.

use std::convert::Infallible;
use std::sync::Arc;

use aura_core::Assistant;
use aura_core::error::{Error, Result};
use aura_providers::ChatRequest;
use aura_router::{ChatResponse, Observer, RoutePlan, Sink};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use utoipa::ToSchema;

/// Items queued for a client that reads slowly. When the queue is full, the provider's stream is read no further.
const QUEUE: usize = 32;

/// A server-sent event of a streamed answer.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what `push_event` writes")]
pub(crate) struct ServerSentEvent {
    /// The type of the event; absent where the format has none.
    event: Option<String>,
    /// The event, as JSON text.
    data: String,
}

/// An item of a streamed answer.
pub(crate) enum StreamItem {
    /// The next part of the text.
    Text(String),
    /// The end: the whole answer, or why it failed.
    End(Result<Box<ChatResponse>>),
}

/// A streamed answer whose first item has arrived.
pub(crate) struct ChatStream {
    /// The first item, until it is sent.
    first: Option<StreamItem>,
    items: mpsc::Receiver<StreamItem>,
    /// The task that runs the request. Aborted when the client disconnects.
    _task: AbortOnDropHandle<()>,
}

/// Writes the items of an answer as server-sent events.
pub(crate) trait EventWriter: Send + 'static {
    /// Appends the events of an item. Returns whether it was the last.
    fn write(&mut self, item: StreamItem, out: &mut String) -> bool;
}

/// Queues text for the response. Waits while the queue is full, which passes the client's back-pressure on to the provider.
struct QueueSink(mpsc::Sender<StreamItem>);

impl Sink<String> for QueueSink {
    async fn send(&mut self, text: String) {
        // The send fails only after the client disconnected, which aborts this task anyway.
        let _ = self.0.send(StreamItem::Text(text)).await;
    }
}

impl ChatStream {
    /// Starts a request and waits for its first item: until then, failover stays invisible to the client.
    ///
    /// # Errors
    /// When every route failed before the first content.
    pub(crate) async fn start(
        assistant: Assistant,
        plan: RoutePlan,
        request: ChatRequest,
        observer: Arc<impl Observer + 'static>,
    ) -> Result<Self> {
        let (sender, mut items) = mpsc::channel(QUEUE);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut sink = QueueSink(sender.clone());
            let result = assistant.router().chat(&plan, &request, &*observer, &mut sink).await;
            let _ =
                sender.send(StreamItem::End(result.map(|routed| Box::new(routed.value)).map_err(Error::from))).await;
        }));
        match items.recv().await {
            Some(StreamItem::End(Err(error))) => Err(error),
            Some(first) => Ok(Self { first: Some(first), items, _task: task }),
            None => Err(Error::internal("the task that answers the request ended early")),
        }
    }

    /// The response that streams the answer. `headers` are added to it.
    pub(crate) fn into_response(self, mut headers: HeaderMap, writer: impl EventWriter) -> Response {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
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
