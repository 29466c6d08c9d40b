//! `POST /v1/chat/completions`

use std::sync::Arc;

use aura_core::error::Error;
use aura_router::{Sink, sink_fn};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::completion::{ChatCompletion, Choice, TokenUsage};
use super::error::{ApiError, ApiErrorBody};
use super::model_name;
use super::request::ChatBody;
use super::request_trace::{RequestTrace, route_name};
use super::stream::{self, StreamItem};
use super::{json, provenance_headers};
use crate::{LocalApi, body};

/// Items queued for a client that reads slowly. When the queue is full, the provider's stream is read no further.
const QUEUE: usize = 32;

/// Queues text for the response. Waits while the queue is full, which passes the client's back-pressure on to the provider.
struct QueueSink(mpsc::Sender<StreamItem>);

impl Sink<String> for QueueSink {
    async fn send(&mut self, text: String) {
        // The send fails only after the client disconnected, which aborts this task anyway.
        let _ = self.0.send(StreamItem::Text(text)).await;
    }
}

/// Answers a conversation. Disconnecting stops it.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", request_body = ChatBody,
    responses(
        (status = 200, content((ChatCompletion = "application/json"), (String = "text/event-stream"))),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn complete(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = Arc::new(RequestTrace::new(&request));
    let (body, length): (ChatBody, usize) = json(request, body::MAX_JSON_WITH_FILE).await?;
    if length - body.image_length() > body::MAX_JSON {
        return Err(body::too_large("request without its pictures", body::MAX_JSON).into());
    }
    let (service, streamed, include_usage) = (body.service(), body.stream == Some(true), body.include_usage());
    let fallback = body.fallback.unwrap_or(false);
    let plan = model_name::plan(&api.assistant, service, &body.model, fallback, None)?;
    let question = if length > body::INLINE_LIMIT {
        tokio::task::spawn_blocking(|| body.into_request()).await.map_err(Error::internal)?
    } else {
        body.into_request()
    };
    let question = question?;
    let id = format!("chatcmpl-{}", uuid::Uuid::new_v4().simple());
    let created = jiff::Timestamp::now().as_second();
    if !streamed {
        let routed = api.assistant.router().chat(&plan, &question, &*trace, &mut sink_fn(|_: String| {})).await?;
        let body = ChatCompletion {
            id,
            object: "chat.completion",
            created,
            model: route_name(&routed.route),
            choices: [Choice::new(&routed.value)],
            usage: TokenUsage::new(&routed.value.usage),
            aura: trace.provenance(),
        };
        return Ok((provenance_headers(&trace), Json(body)).into_response());
    }
    let (sender, mut items) = mpsc::channel(QUEUE);
    let observer = trace.clone();
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut sink = QueueSink(sender.clone());
        let result = api.assistant.router().chat(&plan, &question, &*observer, &mut sink).await;
        let _ = sender.send(StreamItem::End(result.map(|routed| routed.value).map_err(Error::from))).await;
    }));
    // Nothing is sent before the first content: until then, failover stays invisible to the client.
    let first = match items.recv().await {
        Some(StreamItem::End(Err(error))) => return Err(error.into()),
        Some(first) => first,
        None => return Err(Error::internal("the task that answers the request ended early").into()),
    };
    let headers = provenance_headers(&trace);
    let model = trace.summary().route.as_ref().map(route_name).unwrap_or_default();
    let head = stream::ChunkHead { id, created, model, include_usage };
    Ok(stream::response(headers, head, first, items, task, trace))
}
