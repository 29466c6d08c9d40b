//! `POST /v1/chat/completions`

use std::sync::Arc;

use aura_core::error::Error;
use aura_router::sink_fn;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

use super::completion::{ChatCompletion, Choice, TokenUsage};
use super::error::{ApiError, ApiErrorBody};
use super::model_name::ModelOrder;
use super::request::ChatBody;
use super::request_trace::{RequestTrace, route_name};
use super::stream::{ChunkHead, ChunkWriter};
use super::{json, provenance_headers};
use crate::chat_stream::stream_chat;
use crate::event_stream::ServerSentEvent;
use crate::{LocalApi, body};

/// Answers a conversation. Disconnecting stops it.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", request_body = ChatBody,
    responses(
        (status = 200, content((ChatCompletion = "application/json"), (ServerSentEvent = "text/event-stream"))),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn complete(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = Arc::new(RequestTrace::new(&request));
    let (mut body, length): (ChatBody, usize) = json(request, body::MAX_JSON_WITH_FILE).await?;
    if length - body.image_length() > body::MAX_JSON {
        return Err(body::too_large("request without its pictures", body::MAX_JSON).into());
    }
    let (service, streamed, include_usage) = (body.service(), body.stream == Some(true), body.include_usage());
    let order = ModelOrder::new(body.model.take(), body.models.take(), body.fallbacks.take(), body.fallback)?;
    let plan = order.plan(&api.assistant, service, None)?;
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
    let stream = stream_chat(api.assistant, plan, question, trace.clone()).await?;
    let headers = provenance_headers(&trace);
    let model = trace.summary().route.as_ref().map(route_name).unwrap_or_default();
    let head = ChunkHead { id, created, model, include_usage };
    Ok(stream.into_response(headers, ChunkWriter::new(head, trace)))
}
