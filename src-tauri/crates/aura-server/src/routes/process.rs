//! `POST /process`: a spoken question, optionally with a screenshot.

use aura_core::DetachedTurn;
use aura_core::intent::ActionStep;
use aura_core::record::{Notice, StageTrace};
use aura_providers::{MAX_AUDIO_FILE_BYTES, MAX_IMAGE_BYTES};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::turn::{TurnReply, respond};
use crate::body::{self, MAX_JSON};
use crate::validate::{RouteFields, session};
use crate::{LocalApi, Problem};

/// The largest description of the screen, bytes.
const MAX_UI_TREE: usize = 200_000;
/// The most parts in one form.
const MAX_PARTS: usize = 64;

/// The parts of the form that are used.
#[derive(Debug, Default)]
struct ProcessParts {
    audio: Option<Bytes>,
    screenshot: Option<Bytes>,
    session_id: Option<String>,
    ui_tree: Option<String>,
    routes: RouteFields,
}

/// A spoken question. The route overrides are parts of the form too.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its OpenAPI schema is used")]
pub(crate) struct ProcessForm {
    /// The spoken question: WAV, MP3, OGG or FLAC, at most 25 MB.
    #[schema(value_type = String, format = Binary)]
    audio: Vec<u8>,
    /// A screenshot: PNG or JPEG, at most 20 MB.
    #[schema(value_type = Option<String>, format = Binary)]
    screenshot: Option<Vec<u8>>,
    /// The session, whose turns share memory. If absent, a new one.
    session_id: Option<String>,
    /// A text description of the screen, such as an accessibility tree, at most 200 kB.
    ui_tree: Option<String>,
    /// Route overrides.
    #[serde(flatten)]
    routes: RouteFields,
}

/// The answer to a spoken question.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProcessAnswer {
    /// Always true: failures have an error body and another status.
    pub(crate) success: bool,
    /// The transcript of the question.
    pub(crate) transcript: String,
    /// What the user wants done on the computer, if anything: the step that the others lead up to.
    pub(crate) intent: Option<ActionStep>,
    /// Every step, in order. AURA does not carry them out.
    pub(crate) action_plan: Vec<ActionStep>,
    /// The answer.
    pub(crate) response_text: String,
    /// The spoken answer, a WAV file in base64; null when speech failed, see `notices`.
    pub(crate) tts_audio: Option<String>,
    /// The session of the turn.
    pub(crate) session_id: String,
    /// Seconds from the question to the end of the answer.
    pub(crate) processing_time: f64,
    /// Always null: failures have an error body and another status.
    pub(crate) error_message: Option<String>,
    /// Each stage with its route, its attempts and its duration.
    pub(crate) stages: Vec<StageTrace>,
    /// Notices for the user: fallbacks and replaced models.
    pub(crate) notices: Vec<Notice>,
}

/// Answers a spoken question.
#[utoipa::path(
    post, path = "/process", tag = "questions",
    request_body(content = ProcessForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, content((ProcessAnswer = "application/json"), (String = "text/event-stream"))),
    ),
)]
pub(crate) async fn process(State(api): State<LocalApi>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    if body::media_type(&head.headers).as_deref() != Some("multipart/form-data") {
        return Err(body::unsupported("Send a form (multipart/form-data) with the recording in the part `audio`."));
    }
    let headers = head.headers.clone();
    // The limit for all parts together; each part also has its own.
    let whole = body::read(body, MAX_AUDIO_FILE_BYTES + MAX_IMAGE_BYTES + MAX_UI_TREE + 2 * MAX_JSON).await?;
    let parts = parse(Request::from_parts(head, Body::from(whole))).await?;
    let Some(audio) = parts.audio else {
        return Err(Problem::unprocessable("The part `audio` is missing. Send a sound file in it."));
    };
    body::check_audio(&audio, audio.len())?;
    if let Some(screenshot) = &parts.screenshot {
        body::check_image(screenshot, screenshot.len())?;
    }
    let turn = DetachedTurn {
        sound: Some(audio),
        image: parts.screenshot,
        session: session(parts.session_id.as_deref())?,
        context: parts.ui_tree.filter(|tree| !tree.trim().is_empty()),
        aloud: true,
        plans: true,
        overrides: parts.routes.overrides(&api.assistant)?,
        ..DetachedTurn::default()
    };
    respond(&api, &headers, turn, to_answer).await
}

fn to_answer(reply: TurnReply) -> ProcessAnswer {
    ProcessAnswer {
        success: true,
        tts_audio: reply.speech_wav(),
        stages: reply.stages(),
        notices: reply.notices(),
        processing_time: reply.duration.as_secs_f64(),
        transcript: reply.record.transcript,
        intent: reply.intent,
        action_plan: reply.action_plan,
        response_text: reply.record.answer.trim().to_owned(),
        session_id: reply.record.session,
        error_message: None,
    }
}

/// Parses the form. Its body is in memory already, so the only possible error is a malformed form.
async fn parse(request: Request) -> Result<ProcessParts, Problem> {
    let malformed =
        |cause: &dyn std::fmt::Display| Problem::bad_request("The form is incomplete or malformed.").because(cause);
    let mut form = Multipart::from_request(request, &()).await.map_err(|cause| malformed(&cause.body_text()))?;
    let mut parts = ProcessParts::default();
    for _ in 0..MAX_PARTS {
        let Some(field) = form.next_field().await.map_err(|cause| malformed(&cause.body_text()))? else {
            return Ok(parts);
        };
        let name = field.name().unwrap_or_default().to_owned();
        let value = field.bytes().await.map_err(|cause| malformed(&cause.body_text()))?;
        match name.as_str() {
            "audio" => parts.audio = Some(value),
            // Browsers send an empty file for an empty file field.
            "screenshot" => parts.screenshot = Some(value).filter(|value| !value.is_empty()),
            "ui_tree" if value.len() > MAX_UI_TREE => {
                return Err(Problem::unprocessable(
                    "`ui_tree` is larger than 200 kB. Send only the relevant part of it.",
                ));
            }
            "ui_tree" => parts.ui_tree = Some(text(&name, &value)?),
            "session_id" => parts.session_id = Some(text(&name, &value)?),
            // Unknown parts are ignored.
            _ if value.len() <= MAX_JSON => drop(parts.routes.set(&name, text(&name, &value).unwrap_or_default())?),
            _ => {}
        }
    }
    Err(Problem::unprocessable(format!("The form has more than {MAX_PARTS} parts. Send fewer.")))
}

fn text(name: &str, value: &[u8]) -> Result<String, Problem> {
    String::from_utf8(value.to_vec())
        .map_err(|_| Problem::unprocessable(format!("`{name}` is not text in UTF-8. Encode it as UTF-8.")))
}
