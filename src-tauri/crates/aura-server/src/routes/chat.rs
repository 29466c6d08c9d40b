//! `POST /chat`: a typed question.

use aura_core::DetachedTurn;
use aura_core::intent::ActionStep;
use aura_core::record::{Notice, StageTrace};
use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::turn::{TurnReply, respond};
use crate::body::{self, MAX_JSON};
use crate::validate::{RouteFields, session};
use crate::{LocalApi, Problem, shortened};

/// A typed question.
///
/// Route overrides may also be in the query, or follow the JSON as form pairs in one body, which is what curl sends for
/// `-d '{…}' --data-urlencode "llm_provider=…"`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct ChatQuestion {
    /// The question.
    #[schema(value_type = String, required = true, pattern = r"\S")]
    pub(crate) text: Option<String>,
    /// The session, whose turns share memory. If absent, a new one.
    pub(crate) session_id: Option<String>,
    /// Route overrides.
    #[serde(flatten)]
    pub(crate) routes: RouteFields,
}

/// The answer to a typed question.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ChatAnswer {
    /// Always true: failures have an error body and another status.
    pub(crate) success: bool,
    /// The answer.
    pub(crate) response: String,
    /// What the user wants done on the computer, if anything: the step that the others lead up to.
    pub(crate) intent: Option<ActionStep>,
    /// Every step, in order. AURA does not carry them out.
    pub(crate) action_plan: Vec<ActionStep>,
    /// The session of the turn.
    pub(crate) session_id: String,
    /// Each stage with its route, its attempts and its duration.
    pub(crate) stages: Vec<StageTrace>,
    /// Notices for the user: fallbacks and replaced models.
    pub(crate) notices: Vec<Notice>,
}

/// Answers a typed question.
#[utoipa::path(
    post, path = "/chat", tag = "questions", params(RouteFields), request_body = ChatQuestion,
    responses(
        (status = 200, content((ChatAnswer = "application/json"), (String = "text/event-stream"))),
    ),
)]
pub(crate) async fn chat(State(api): State<LocalApi>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let media = body::media_type(&parts.headers);
    if !matches!(media.as_deref(), None | Some("application/json" | "application/x-www-form-urlencoded")) {
        return Err(body::unsupported("Send JSON, with the content type application/json."));
    }
    let body = body::read(body, MAX_JSON).await?;
    let mut question = parse(&body)?;
    let mut query = ChatQuestion::default();
    parse_pairs(parts.uri.query().unwrap_or_default().as_bytes(), &mut query)?;
    question.routes = query.routes.or(question.routes);
    let text = question.text.as_deref().map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Err(Problem::unprocessable("`text` is missing or empty. Send the question in it."));
    }
    let turn = DetachedTurn {
        text: text.to_owned(),
        session: session(question.session_id.as_deref())?,
        plans: true,
        overrides: question.routes.overrides(&api.assistant)?,
        ..DetachedTurn::default()
    };
    respond(&api, &parts.headers, turn, to_answer).await
}

fn to_answer(reply: TurnReply) -> ChatAnswer {
    ChatAnswer {
        success: true,
        stages: reply.stages(),
        notices: reply.notices(),
        response: reply.record.answer.trim().to_owned(),
        intent: reply.intent,
        action_plan: reply.action_plan,
        session_id: reply.record.session,
    }
}

/// Parses the three formats of the body: JSON, JSON followed by form pairs, or form pairs alone.
fn parse(body: &[u8]) -> Result<ChatQuestion, Problem> {
    let mut question = ChatQuestion::default();
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(body.len());
    let body = &body[start..];
    if body.is_empty() {
        return Err(Problem::bad_request("The request has no body. Send JSON with the question in `text`."));
    }
    if body[0] != b'{' && body.contains(&b'=') {
        parse_pairs(body, &mut question)?;
        return Ok(question);
    }
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let value = values
        .next()
        .transpose()
        .map_err(|cause| Problem::bad_request("The request is not valid JSON.").because(cause))?
        .unwrap_or_default();
    let rest = &body[values.byte_offset()..];
    if !value.is_object() {
        return Err(Problem::unprocessable("The request must be a JSON object with the question in `text`."));
    }
    question = serde_json::from_value(value).map_err(|cause| {
        Problem::unprocessable(format!("The request is not valid: {}.", shortened(&cause.to_string())))
    })?;
    match rest.iter().position(|byte| !byte.is_ascii_whitespace()) {
        None => Ok(question),
        Some(at) if rest[at] == b'&' => {
            parse_pairs(&rest[at + 1..], &mut question)?;
            Ok(question)
        }
        Some(_) => Err(Problem::bad_request("The body continues after the JSON object. Send one JSON object.")),
    }
}

/// Parses form pairs. Unknown names are ignored, as in JSON.
fn parse_pairs(text: &[u8], question: &mut ChatQuestion) -> Result<(), Problem> {
    for (name, value) in url::form_urlencoded::parse(text) {
        match name.as_ref() {
            "text" => question.text = Some(value.into_owned()),
            "session_id" => question.session_id = Some(value.into_owned()),
            name => drop(question.routes.set(name, value.into_owned())?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn a_question_may_be_json_form_pairs_or_both() {
        let plain = parse(br#" {"text": "Hello", "session_id": "test", "llm_provider": "groq"}"#).unwrap();
        assert_eq!((plain.text.as_deref(), plain.routes.llm_provider.as_deref()), (Some("Hello"), Some("groq")));
        let mixed =
            parse(br#"{"text": "1 + 1 = ?", "session_id": "test"}&llm_provider=gemini&llm_model=a%2Fb"#).unwrap();
        assert_eq!(mixed.session_id.as_deref(), Some("test"));
        assert_eq!(mixed.routes.llm_provider.as_deref(), Some("gemini"));
        assert_eq!(mixed.routes.llm_model.as_deref(), Some("a/b"));
        let form = parse(b"text=Hello%20there&session_id=test&fallback=true").unwrap();
        assert_eq!((form.text.as_deref(), form.routes.fallback), (Some("Hello there"), Some(true)));
    }

    #[test]
    fn malformed_questions_are_400_and_invalid_values_422() {
        let status = |body: &[u8]| parse(body).unwrap_err().status;
        for broken in [b"" as &[u8], b"  ", b"{\"text\": ", b"hello", b"{} {}", b"{\"text\": \"\xFF\"}"] {
            assert_eq!(status(broken), StatusCode::BAD_REQUEST, "{}", String::from_utf8_lossy(broken));
        }
        for unusable in [b"[]" as &[u8], b"7", b"{\"text\": 7}", b"{\"fallback\": \"yes\"}", b"{}&fallback=perhaps"] {
            assert_eq!(status(unusable), StatusCode::UNPROCESSABLE_ENTITY, "{}", String::from_utf8_lossy(unusable));
        }
    }
}
