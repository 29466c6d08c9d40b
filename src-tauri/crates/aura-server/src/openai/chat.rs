//! `POST /v1/chat/completions`

use std::sync::Arc;

use aura_core::error::Error;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::answer::{Choice, Completion, Used};
use super::error::{Refused, RefusedBody};
use super::names;
use super::request::ChatBody;
use super::stream::{self, Piece};
use super::watch::{Watch, route_name};
use super::{json, provenance};
use crate::{Door, body};

/// Answers a conversation. Whoever goes away stops it.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", request_body = ChatBody,
    responses(
        (status = 200, content((Completion = "application/json"), (String = "text/event-stream"))),
        (status = 404, body = RefusedBody),
    ),
)]
pub(crate) async fn complete(State(door): State<Door>, request: Request) -> Result<Response, Refused> {
    let watch = Arc::new(Watch::of(&request));
    let (body, length): (ChatBody, usize) = json(request, body::JSON_WITH_FILE).await?;
    if length - body.pictures() > body::JSON {
        return Err(body::too_large("request without its pictures", body::JSON).into());
    }
    let (service, streamed, told_usage) = (body.service(), body.stream == Some(true), body.include_usage());
    let fallback = body.fallback.unwrap_or(false);
    let plan = names::plan(&door.assistant, service, &body.model, fallback, None)?;
    let question = if length > body::AT_ONCE {
        tokio::task::spawn_blocking(|| body.question()).await.map_err(Error::internal)?
    } else {
        body.question()
    };
    let question = question?;
    let id = format!("chatcmpl-{}", uuid::Uuid::new_v4().simple());
    let created = jiff::Timestamp::now().as_second();
    if !streamed {
        let answered = door.assistant.router().chat(&plan, &question, &*watch, &mut |_| {}).await?;
        let body = Completion {
            id,
            object: "chat.completion",
            created,
            model: route_name(&answered.route),
            choices: [Choice::of(&answered.value)],
            usage: Used::of(&answered.value.usage),
            aura: watch.provenance(),
        };
        return Ok((provenance(&watch), Json(body)).into_response());
    }
    let (pieces, mut written) = mpsc::unbounded_channel();
    let watching = watch.clone();
    let work = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut on_text = |text: &str| {
            // A caller that went away drops this task with its stream.
            let _ = pieces.send(Piece::Text(text.to_owned()));
        };
        let answered = door.assistant.router().chat(&plan, &question, &*watching, &mut on_text).await;
        let _ = pieces.send(Piece::End(answered.map(|answered| answered.value)));
    }));
    // Nothing is sent before the first content: until then the next route can take over without a trace.
    let first = match written.recv().await {
        Some(Piece::End(Err(error))) => return Err(error.into()),
        Some(first) => first,
        None => return Err(Error::internal("the answer's task ended").into()),
    };
    let headers = provenance(&watch);
    let model = watch.seen().route.as_ref().map(route_name).unwrap_or_default();
    let head = stream::Head { id, created, model, told_usage };
    Ok(stream::response(headers, head, first, written, work, watch))
}
