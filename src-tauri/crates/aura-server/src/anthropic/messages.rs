//! `POST /v1/messages` and `POST /v1/messages/count_tokens`

use std::sync::Arc;

use aura_core::error::Error;
use aura_providers::ChatRequest;
use aura_router::sink_fn;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{MessageError, MessageErrorBody};
use super::reply::{MessageReply, MessageUsage, ReplyBlock, stop_reason};
use super::request::MessagesBody;
use super::stream::MessageWriter;
use crate::chat_stream::stream_chat;
use crate::event_stream::ServerSentEvent;
use crate::openai::{RequestTrace, json, provenance_headers, route_name};
use crate::{LocalApi, body, token_count};

/// A number of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenCount {
    /// The estimated input tokens: four characters each, 1,400 for a picture. No provider is asked.
    input_tokens: u32,
}

/// Reads a body and checks its size without pictures, which have a limit of their own.
async fn read(request: Request) -> Result<(MessagesBody, usize), MessageError> {
    let (body, length): (MessagesBody, usize) = json(request, body::MAX_JSON_WITH_FILE).await?;
    if length.saturating_sub(body.image_length()) > body::MAX_JSON {
        return Err(body::too_large("request without its pictures", body::MAX_JSON).into());
    }
    body.check_names()?;
    Ok((body, length))
}

/// Converts a body of this many bytes; a large one on the blocking pool.
async fn convert(body: MessagesBody, length: usize) -> Result<ChatRequest, MessageError> {
    if length > body::INLINE_LIMIT {
        tokio::task::spawn_blocking(|| body.into_request()).await.map_err(Error::internal)?
    } else {
        body.into_request()
    }
}

/// Answers a conversation. Disconnecting stops it.
#[utoipa::path(
    post, path = "/v1/messages", tag = "anthropic", request_body = MessagesBody,
    responses(
        (status = 200, content((MessageReply = "application/json"), (ServerSentEvent = "text/event-stream"))),
        (status = 404, body = MessageErrorBody),
    ),
)]
pub(crate) async fn create(State(api): State<LocalApi>, request: Request) -> Result<Response, MessageError> {
    let trace = Arc::new(RequestTrace::new(&request));
    let (mut body, length) = read(request).await?;
    if body.max_tokens.is_none() {
        return Err(MessageError::invalid_request("`max_tokens` is missing. Set the longest answer in tokens."));
    }
    let (service, streamed) = (body.service(), body.stream == Some(true));
    let plan = body.take_order()?.plan(&api.assistant, service, None)?;
    let question = convert(body, length).await?;
    let estimated = token_count::input_tokens(&question);
    let mut message = MessageReply {
        id: format!("msg_{}", uuid::Uuid::new_v4().simple()),
        kind: "message",
        role: "assistant",
        model: String::new(),
        content: Vec::new(),
        stop_reason: None,
        stop_sequence: None,
        usage: MessageUsage::estimated(estimated),
        aura: None,
    };
    if streamed {
        let stream = stream_chat(api.assistant, plan, question, trace.clone()).await?;
        message.model = trace.summary().route.as_ref().map(route_name).unwrap_or_default();
        let headers = provenance_headers(&trace);
        return Ok(stream.into_response(headers, MessageWriter::new(message, trace, estimated)));
    }
    let routed = api.assistant.router().chat(&plan, &question, &*trace, &mut sink_fn(|_: String| {})).await?;
    message.model = route_name(&routed.route);
    message.content = ReplyBlock::all(&routed.value);
    message.stop_reason = Some(stop_reason(&routed.value));
    message.usage = MessageUsage::of(&routed.value, estimated);
    message.aura = Some(trace.provenance());
    Ok((provenance_headers(&trace), Json(message)).into_response())
}

/// Estimates the tokens of a request.
#[utoipa::path(
    post, path = "/v1/messages/count_tokens", tag = "anthropic", request_body = MessagesBody,
    responses((status = 200, body = TokenCount)),
)]
pub(crate) async fn count_tokens(request: Request) -> Result<Json<TokenCount>, MessageError> {
    let (body, length) = read(request).await?;
    let request = convert(body, length).await?;
    Ok(Json(TokenCount { input_tokens: token_count::input_tokens(&request) }))
}
