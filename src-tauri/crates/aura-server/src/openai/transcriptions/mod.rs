//! `POST /v1/audio/transcriptions` and `POST /v1/audio/translations`

mod form;
mod reply;
mod subtitles;

use aura_core::error::ErrorCode;
use aura_providers::{FailureKind, Service};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

use self::form::{TranscriptionFields, TranscriptionForm, TranslationForm};
use self::reply::Transcription;
use super::error::{ApiError, ApiErrorBody};
use super::model_name::ModelOrder;
use super::provenance_headers;
use super::request_trace::RequestTrace;
use crate::LocalApi;
use crate::event_stream::ServerSentEvent;

/// Transcribes a sound file: WAV, MP3, OGG Vorbis or FLAC.
#[utoipa::path(
    post, path = "/v1/audio/transcriptions", tag = "openai",
    request_body(content = TranscriptionForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, content(
            (Transcription = "application/json"), (String = "text/plain"), (String = "application/x-subrip"), (String = "text/vtt"),
            (ServerSentEvent = "text/event-stream"),
        )),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn transcribe(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = RequestTrace::new(&request);
    run(&api, TranscriptionFields::read(request).await?, false, trace).await
}

/// Translates the speech in a sound file (WAV, MP3, OGG Vorbis or FLAC) into English text. Routes that cannot translate are passed over.
#[utoipa::path(
    post, path = "/v1/audio/translations", tag = "openai",
    request_body(content = TranslationForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, content(
            (Transcription = "application/json"), (String = "text/plain"), (String = "application/x-subrip"), (String = "text/vtt"),
        )),
        (status = 404, body = ApiErrorBody),
    ),
)]
pub(crate) async fn translate(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = RequestTrace::new(&request);
    let fields = TranscriptionFields::read(request).await?;
    let unsupported = [("stream", fields.stream), ("timestamp_granularities", fields.words || fields.segments)];
    if let Some((name, _)) = unsupported.into_iter().find(|(_, is_set)| *is_set) {
        return Err(ApiError::invalid_request(format!("A translation has no `{name}`. Leave it out."), Some(name)));
    }
    run(&api, fields, true, trace).await
}

async fn run(
    api: &LocalApi,
    mut fields: TranscriptionFields,
    translate: bool,
    trace: RequestTrace,
) -> Result<Response, ApiError> {
    let models = std::mem::take(&mut fields.models);
    let order = ModelOrder::new(fields.model.take(), Some(models), None, Some(fields.fallback))?;
    let plan = order.plan(&api.assistant, Service::Stt, None)?;
    let Some(file) = fields.file.take().filter(|file| !file.is_empty()) else {
        return Err(ApiError::invalid_request("`file` is missing or empty. Send the sound file in it.", Some("file")));
    };
    let (mut request, expects_words) =
        api.assistant.transcription_request(file).await.map_err(|error| match error.code {
            ErrorCode::InvalidRequest => ApiError::invalid_request(error.message, Some("file")),
            _ => error.into(),
        })?;
    request.language = fields.language.take();
    request.prompt = fields.prompt.take();
    request.temperature = fields.temperature;
    request.words = fields.words;
    request.translate = translate;
    let routed = api.assistant.router().transcribe(&plan, &request, expects_words, &trace).await;
    let transcript = routed.map_err(|error| refusal(error, &fields, translate))?.value;
    let task = if translate { "translate" } else { "transcribe" };
    let body = reply::response(&fields, task, transcript, request.duration, &trace);
    Ok((provenance_headers(&trace), body).into_response())
}

/// The error of a request. When every route that could be asked refused what the form asks for, the form is at fault.
fn refusal(error: aura_router::Error, fields: &TranscriptionFields, translate: bool) -> ApiError {
    let attempts = error.attempts();
    let is_unsupported =
        !attempts.is_empty() && attempts.iter().all(|attempt| attempt.kind == Some(FailureKind::Unsupported));
    let (message, param) = match (is_unsupported, fields.words, translate) {
        (true, true, _) => (
            "None of the routes for this request reports the times of words. Leave `word` out of \
             `timestamp_granularities[]`, or choose another model.",
            "timestamp_granularities",
        ),
        (true, _, true) => ("None of the routes for this request translates. Choose another model.", "model"),
        _ => return error.into(),
    };
    ApiError::invalid_request(message, Some(param)).with_attempts(attempts.to_vec())
}
