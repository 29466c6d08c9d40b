//! The served models, read from `models.json`.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::GoneForm;
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::request::RequestContext;

/// Task of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OpenAiModelKind {
    Chat,
    Stt,
    /// Transcribes live speech, and nothing else.
    Live,
    Tts,
    Embedding,
}

#[derive(Debug, Deserialize)]
pub(super) struct OpenAiModel {
    id: String,
    kind: OpenAiModelKind,
    created: u64,
    owned_by: String,
    shutdown_date: Option<String>,
    /// Whether a speech-to-text model also returns plain text and subtitles.
    #[serde(default)]
    pub(super) subtitles: bool,
}

#[derive(Debug, Default, Deserialize)]
struct OpenAiModels {
    served: Vec<OpenAiModel>,
    voices: Vec<String>,
}

static MODELS: LazyLock<OpenAiModels> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// Names of the voices.
pub(super) fn voices() -> &'static [String] {
    &MODELS.voices
}

/// Finds a model for a task. `Err` is OpenAI's error for an unknown or unsuitable model.
pub(super) fn find(
    context: &RequestContext,
    id: &str,
    kind: OpenAiModelKind,
) -> Result<&'static OpenAiModel, ErrorReply> {
    let model = MODELS.served.iter().find(|model| model.id == id);
    let model = model.ok_or_else(|| context.dialect.error_reply(&ErrorCause::ModelGone(GoneForm::NotFound), id))?;
    if model.kind != kind {
        return Err(context.invalid_request(format!("The model `{id}` is not supported at this address.")));
    }
    Ok(model)
}

/// Whether a model transcribes live speech.
pub(super) fn is_live(id: &str) -> bool {
    MODELS.served.iter().any(|model| model.id == id && model.kind == OpenAiModelKind::Live)
}

fn model_object(model: &OpenAiModel) -> Value {
    let mut model_object =
        json!({"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by});
    if let Some(date) = &model.shutdown_date {
        model_object["shutdown_date"] = Value::from(date.as_str());
    }
    model_object
}

/// `GET /models`
pub(super) async fn list(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    context.check_bearer()?;
    context.apply_fault(Service::Models, "").await?;
    let data: Vec<Value> = MODELS.served.iter().map(model_object).collect();
    let at = Duration::from_millis(context.state.delays().models_ms);
    Ok(HttpReply::json(at, &json!({"object": "list", "data": data})))
}

/// `GET /models/{id}`
pub(super) async fn retrieve(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    context.check_bearer()?;
    let id = context.path.rsplit_once("/models/").map_or("", |(_, id)| id).to_owned();
    context.apply_fault(Service::Models, &id).await?;
    let model = MODELS.served.iter().find(|model| model.id == id);
    let model = model.ok_or_else(|| context.error(&ErrorCause::ModelGone(GoneForm::NotFound)))?;
    Ok(HttpReply::json(Duration::from_millis(context.state.delays().models_ms), &model_object(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_json_can_be_parsed() {
        assert!(MODELS.served.iter().any(|model| model.kind == OpenAiModelKind::Tts));
        assert!(!voices().is_empty());
    }
}
