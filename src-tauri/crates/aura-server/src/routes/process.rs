//! `POST /process`: a spoken question, with or without a picture of the screen.

use aura_core::Aside;
use aura_core::intent::Step;
use aura_core::record::{Notice, StageTrace};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::turn::{Done, respond};
use crate::body::{self, AUDIO, IMAGE, JSON};
use crate::names::{RouteFields, session};
use crate::{Door, Problem};

/// The largest description of the screen, bytes.
const UI_TREE: usize = 200_000;
/// Parts in one request at most.
const PARTS: usize = 64;

/// The parts of a request.
#[derive(Debug, Default)]
struct Parts {
    audio: Option<Bytes>,
    screenshot: Option<Bytes>,
    session_id: Option<String>,
    ui_tree: Option<String>,
    routes: RouteFields,
}

/// The form of a request. The routes are parts of it as well.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form")]
pub(crate) struct ProcessForm {
    /// The spoken question: WAV, MP3, OGG or FLAC, at most 25 MB.
    #[schema(value_type = String, format = Binary)]
    audio: Vec<u8>,
    /// A picture of the screen: PNG or JPEG, at most 20 MB.
    #[schema(value_type = Option<String>, format = Binary)]
    screenshot: Option<Vec<u8>>,
    /// The turns it shares memory with; absent: new ones.
    session_id: Option<String>,
    /// A description of what is on the screen, at most 200 kB.
    ui_tree: Option<String>,
    /// The routes.
    #[serde(flatten)]
    routes: RouteFields,
}

/// Its answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProcessAnswer {
    /// Always true: what failed has another form and status.
    pub(crate) success: bool,
    /// What was understood.
    pub(crate) transcript: String,
    /// What the person wants done on the computer, if anything: the step that the others lead up to.
    pub(crate) intent: Option<Step>,
    /// Every step of it. Nothing is carried out.
    pub(crate) action_plan: Vec<Step>,
    /// The answer.
    pub(crate) response_text: String,
    /// The answer's speech, a base64 WAV file; null when it could not be spoken, see the notices.
    pub(crate) tts_audio: Option<String>,
    /// The turns it shares memory with.
    pub(crate) session_id: String,
    /// Seconds from the question to the end of the answer.
    pub(crate) processing_time: f64,
    /// Always null: what failed has another form and status.
    pub(crate) error_message: Option<String>,
    /// Each stage with its route, its attempts and its time.
    pub(crate) stages: Vec<StageTrace>,
    /// What the person should know: who stood in for whom, which model was replaced.
    pub(crate) notices: Vec<Notice>,
}

/// Answers it.
#[utoipa::path(
    post, path = "/process", tag = "questions",
    request_body(content = ProcessForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, content((ProcessAnswer = "application/json"), (String = "text/event-stream"))),
    ),
)]
pub(crate) async fn process(State(door): State<Door>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    if body::media_type(&head.headers).as_deref() != Some("multipart/form-data") {
        return Err(body::unsupported("Send a form, multipart/form-data, with the recording in the part `audio`."));
    }
    let headers = head.headers.clone();
    // Each part has its own limit; this one is for all of them.
    let whole = body::read(body, AUDIO + IMAGE + UI_TREE + 2 * JSON).await?;
    let parts = read(Request::from_parts(head, Body::from(whole))).await?;
    let Some(audio) = parts.audio else {
        return Err(Problem::unusable("The part `audio` is missing. Send a sound file in it."));
    };
    body::check_audio(&audio, audio.len())?;
    if let Some(screenshot) = &parts.screenshot {
        body::check_image(screenshot, screenshot.len())?;
    }
    let aside = Aside {
        sound: Some(audio),
        image: parts.screenshot,
        session: session(parts.session_id.as_deref())?,
        context: parts.ui_tree.filter(|tree| !tree.trim().is_empty()),
        aloud: true,
        plans: true,
        wishes: parts.routes.wishes(&door.assistant)?,
        ..Aside::default()
    };
    respond(&door.assistant, &headers, aside, answer).await
}

fn answer(done: Done) -> ProcessAnswer {
    ProcessAnswer {
        success: true,
        tts_audio: done.wav(),
        stages: done.stages(),
        notices: done.notices(),
        processing_time: done.took.as_secs_f64(),
        transcript: done.record.transcript,
        intent: done.intent,
        action_plan: done.action_plan,
        response_text: done.record.answer.trim().to_owned(),
        session_id: done.record.session,
        error_message: None,
    }
}

/// The parts of a form. Its body is in memory already; what is read here can only be badly formed.
async fn read(request: Request) -> Result<Parts, Problem> {
    let broken =
        |cause: &dyn std::fmt::Display| Problem::bad("The form is not complete or not well formed.").because(cause);
    let mut form = Multipart::from_request(request, &()).await.map_err(|cause| broken(&cause.body_text()))?;
    let mut parts = Parts::default();
    for _ in 0..PARTS {
        let Some(field) = form.next_field().await.map_err(|cause| broken(&cause.body_text()))? else {
            return Ok(parts);
        };
        let name = field.name().unwrap_or_default().to_owned();
        let value = field.bytes().await.map_err(|cause| broken(&cause.body_text()))?;
        match name.as_str() {
            "audio" => parts.audio = Some(value),
            // A browser sends an empty file for a field that was left open.
            "screenshot" => parts.screenshot = Some(value).filter(|value| !value.is_empty()),
            "ui_tree" if value.len() > UI_TREE => {
                return Err(Problem::unusable("`ui_tree` is larger than 200 kB. Send the part that matters."));
            }
            "ui_tree" => parts.ui_tree = Some(text(&name, &value)?),
            "session_id" => parts.session_id = Some(text(&name, &value)?),
            // A part that is not known belongs to somebody else.
            _ if value.len() <= JSON => drop(parts.routes.set(&name, text(&name, &value).unwrap_or_default())?),
            _ => {}
        }
    }
    Err(Problem::unusable(format!("The form has more than {PARTS} parts.")))
}

fn text(name: &str, value: &[u8]) -> Result<String, Problem> {
    String::from_utf8(value.to_vec()).map_err(|_| Problem::unusable(format!("`{name}` is not UTF-8 text.")))
}
