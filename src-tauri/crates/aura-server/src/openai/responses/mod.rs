//! `POST /v1/responses` and `POST /v1/responses/input_tokens`: OpenAI's Responses API, without state: nothing is stored between two
//! requests.

mod input;
mod item;
mod request;
mod response;
mod stream;
mod tools;

use std::sync::Arc;

use aura_core::error::Error;
use aura_providers::ChatRequest;
use aura_router::sink_fn;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::request::ResponsesBody;
use self::response::{ResponseBody, Template};
use self::stream::ResponseWriter;
use self::tools::Tools;
use super::error::{ApiError, ApiErrorBody};
use super::model_name::{ModelOrder, check_names};
use super::request_trace::{RequestTrace, route_name};
use super::{json, provenance_headers};
use crate::chat_stream::stream_chat;
use crate::event_stream::ServerSentEvent;
use crate::{LocalApi, body, token_count};

/// A number of input tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputTokens {
    /// Always `response.input_tokens`.
    object: &'static str,
    /// The estimated input tokens: four characters each, 1,400 for a picture. No provider is asked.
    input_tokens: u32,
}

/// Reads a body and checks its size without pictures, which have a limit of their own.
async fn read(request: Request) -> Result<(ResponsesBody, usize), ApiError> {
    let (body, length): (ResponsesBody, usize) = json(request, body::MAX_JSON_WITH_FILE).await?;
    if length.saturating_sub(body.image_length()) > body::MAX_JSON {
        return Err(body::too_large("request without its pictures", body::MAX_JSON).into());
    }
    check_names(body.models.as_ref().map_or(0, Vec::len), body.fallbacks.as_ref().map_or(0, Vec::len))?;
    Ok((body, length))
}

/// Converts a body of this many bytes; a large one on the blocking pool.
async fn convert(body: ResponsesBody, length: usize) -> Result<(Template, ChatRequest), ApiError> {
    if length > body::INLINE_LIMIT {
        tokio::task::spawn_blocking(|| converted(body)).await.map_err(Error::internal)?
    } else {
        converted(body)
    }
}

/// What every state of the response repeats, and the request for the router.
pub(crate) fn converted(body: ResponsesBody) -> Result<(Template, ChatRequest), ApiError> {
    let tools = Tools::new(body.tools.as_deref().unwrap_or_default())?;
    let template = Template::new(&body, tools.clone());
    body.into_request(&tools).map(|request| (template, request))
}

/// Answers a conversation in the format of the Responses API. Nothing is stored: send the whole conversation. Disconnecting stops it.
#[utoipa::path(
    post, path = "/v1/responses", tag = "openai", request_body = ResponsesBody,
    responses(
        (status = 200, content((ResponseBody = "application/json"), (ServerSentEvent = "text/event-stream"))),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn create(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = Arc::new(RequestTrace::new(&request));
    let (mut body, length) = read(request).await?;
    let streamed = body.stream == Some(true);
    let order = ModelOrder::new(body.model.take(), body.models.take(), body.fallbacks.take(), body.fallback)?;
    let plan = order.plan(&api.assistant, body.service(), None)?;
    let (mut template, question) = convert(body, length).await?;
    if question.messages.is_empty() {
        return Err(ApiError::invalid_request("`input` is empty. Send at least one message.", Some("input")));
    }
    if streamed {
        let stream = stream_chat(api.assistant, plan, question, trace.clone()).await?;
        template.model = trace.summary().route.as_ref().map(route_name).unwrap_or_default();
        let headers = provenance_headers(&trace);
        return Ok(stream.into_response(headers, ResponseWriter::new(template, trace)));
    }
    let routed = api.assistant.router().chat(&plan, &question, &*trace, &mut sink_fn(|_: String| {})).await?;
    template.model = route_name(&routed.route);
    let response = template.completed(&routed.value, Some(trace.provenance()));
    Ok((provenance_headers(&trace), Json(response)).into_response())
}

/// Estimates the input tokens of a request for a response.
#[utoipa::path(
    post, path = "/v1/responses/input_tokens", tag = "openai", request_body = ResponsesBody,
    responses((status = 200, body = InputTokens)),
)]
pub(crate) async fn count_input_tokens(request: Request) -> Result<Json<InputTokens>, ApiError> {
    let (body, length) = read(request).await?;
    let (_, request) = convert(body, length).await?;
    Ok(Json(InputTokens { object: "response.input_tokens", input_tokens: token_count::input_tokens(&request) }))
}
