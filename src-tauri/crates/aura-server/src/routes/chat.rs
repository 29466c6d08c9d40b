//! `POST /chat`: a typed question.

use aura_core::Aside;
use aura_core::intent::Step;
use aura_core::record::{Notice, StageTrace};
use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::turn::{Done, respond};
use crate::body::{self, JSON};
use crate::names::{RouteFields, session};
use crate::{Door, Problem, shortened};

/// A typed question. The routes may also be in the query, or be form pairs after the JSON in one body, which is what
/// curl makes of `-d '{…}' --data-urlencode "llm_provider=…"`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct ChatQuestion {
    /// The question.
    #[schema(value_type = String, required = true, pattern = r"\S")]
    pub(crate) text: Option<String>,
    /// The turns it shares memory with; absent: new ones.
    pub(crate) session_id: Option<String>,
    /// The routes.
    #[serde(flatten)]
    pub(crate) routes: RouteFields,
}

/// Its answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ChatAnswer {
    /// Always true: what failed has another form and status.
    pub(crate) success: bool,
    /// The answer.
    pub(crate) response: String,
    /// What the person wants done on the computer, if anything: the step that the others lead up to.
    pub(crate) intent: Option<Step>,
    /// Every step of it. Nothing is carried out.
    pub(crate) action_plan: Vec<Step>,
    /// The turns it shares memory with.
    pub(crate) session_id: String,
    /// Each stage with its route, its attempts and its time.
    pub(crate) stages: Vec<StageTrace>,
    /// What the person should know: who stood in for whom, which model was replaced.
    pub(crate) notices: Vec<Notice>,
}

/// Answers it.
#[utoipa::path(
    post, path = "/chat", tag = "questions", params(RouteFields), request_body = ChatQuestion,
    responses(
        (status = 200, content((ChatAnswer = "application/json"), (String = "text/event-stream"))),
    ),
)]
pub(crate) async fn chat(State(door): State<Door>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let media = body::media_type(&parts.headers);
    if !matches!(media.as_deref(), None | Some("application/json" | "application/x-www-form-urlencoded")) {
        return Err(body::unsupported("Send JSON, with the content type application/json."));
    }
    let body = body::read(body, JSON).await?;
    let mut question = read(&body)?;
    let mut in_query = ChatQuestion::default();
    pairs(parts.uri.query().unwrap_or_default().as_bytes(), &mut in_query)?;
    question.routes = in_query.routes.or(question.routes);
    let text = question.text.as_deref().map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Err(Problem::unusable("`text` is missing or empty. Write what you want to know."));
    }
    let aside = Aside {
        text: text.to_owned(),
        session: session(question.session_id.as_deref())?,
        plans: true,
        wishes: question.routes.wishes(&door.assistant)?,
        ..Aside::default()
    };
    respond(&door.assistant, &parts.headers, aside, answer).await
}

fn answer(done: Done) -> ChatAnswer {
    ChatAnswer {
        success: true,
        stages: done.stages(),
        notices: done.notices(),
        response: done.record.answer.trim().to_owned(),
        intent: done.intent,
        action_plan: done.action_plan,
        session_id: done.record.session,
    }
}

/// A question in its three forms: JSON, JSON with form pairs after it, or form pairs alone.
fn read(body: &[u8]) -> Result<ChatQuestion, Problem> {
    let mut question = ChatQuestion::default();
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(body.len());
    let body = &body[start..];
    if body.is_empty() {
        return Err(Problem::bad("The request has no body. Send JSON with the question in `text`."));
    }
    if body[0] != b'{' && body.contains(&b'=') {
        pairs(body, &mut question)?;
        return Ok(question);
    }
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let value = values
        .next()
        .transpose()
        .map_err(|cause| Problem::bad("The request is not valid JSON.").because(cause))?
        .unwrap_or_default();
    let rest = &body[values.byte_offset()..];
    if !value.is_object() {
        return Err(Problem::unusable("The request is a JSON object with the question in `text`."));
    }
    question = serde_json::from_value(value).map_err(|cause| {
        Problem::unusable(format!("The request cannot be used: {}.", shortened(&cause.to_string())))
    })?;
    match rest.iter().position(|byte| !byte.is_ascii_whitespace()) {
        None => Ok(question),
        Some(at) if rest[at] == b'&' => {
            pairs(&rest[at + 1..], &mut question)?;
            Ok(question)
        }
        Some(_) => Err(Problem::bad("There is something after the JSON that does not belong there.")),
    }
}

/// Form pairs; names that are not known belong to somebody else and are left out, as in JSON.
fn pairs(text: &[u8], question: &mut ChatQuestion) -> Result<(), Problem> {
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
    fn the_three_forms_of_a_question() {
        let plain = read(br#" {"text": "Hello", "session_id": "test", "llm_provider": "groq"}"#).unwrap();
        assert_eq!((plain.text.as_deref(), plain.routes.llm_provider.as_deref()), (Some("Hello"), Some("groq")));
        let mixed =
            read(br#"{"text": "1 + 1 = ?", "session_id": "test"}&llm_provider=gemini&llm_model=a%2Fb"#).unwrap();
        assert_eq!(mixed.session_id.as_deref(), Some("test"));
        assert_eq!(mixed.routes.llm_provider.as_deref(), Some("gemini"));
        assert_eq!(mixed.routes.llm_model.as_deref(), Some("a/b"));
        let form = read(b"text=Hello%20there&session_id=test&fallback=true").unwrap();
        assert_eq!((form.text.as_deref(), form.routes.fallback), (Some("Hello there"), Some(true)));
    }

    #[test]
    fn what_is_no_question() {
        let status = |body: &[u8]| read(body).unwrap_err().status;
        for broken in [b"" as &[u8], b"  ", b"{\"text\": ", b"hello", b"{} {}", b"{\"text\": \"\xFF\"}"] {
            assert_eq!(status(broken), StatusCode::BAD_REQUEST, "{}", String::from_utf8_lossy(broken));
        }
        for unusable in [b"[]" as &[u8], b"7", b"{\"text\": 7}", b"{\"fallback\": \"yes\"}", b"{}&fallback=perhaps"] {
            assert_eq!(status(unusable), StatusCode::UNPROCESSABLE_ENTITY, "{}", String::from_utf8_lossy(unusable));
        }
    }
}
