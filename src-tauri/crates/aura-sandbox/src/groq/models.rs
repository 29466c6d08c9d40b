//! The served models, read from `models.json`.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::check_access;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::GoneForm;
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::request::RequestContext;

/// Task of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum GroqModelKind {
    Chat,
    Vision,
    Stt,
    Tts,
}

#[derive(Debug, Deserialize)]
pub(super) struct GroqModel {
    pub(super) id: String,
    pub(super) kind: GroqModelKind,
    created: u64,
    owned_by: String,
    context_window: u64,
    max_completion_tokens: u64,
    /// Accepted values of `reasoning_effort`.
    #[serde(default)]
    pub(super) efforts: Vec<String>,
    /// Whether streamed reasoning has the field `channel`.
    #[serde(default)]
    pub(super) channel: bool,
    /// Whether a speech-to-text model can translate.
    #[serde(default)]
    pub(super) translates: bool,
    #[serde(default)]
    pub(super) voices: Vec<String>,
    /// Language that a text-to-speech model speaks, as espeak-ng names it.
    #[serde(default)]
    pub(super) language: String,
}

#[derive(Debug, Default, Deserialize)]
struct GroqModels {
    served: Vec<GroqModel>,
    decommissioned: Vec<String>,
}

static MODELS: LazyLock<GroqModels> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// Finds a served model. `Err` is Groq's error for an unknown or decommissioned model.
pub(super) fn find(context: &RequestContext, id: &str) -> Result<&'static GroqModel, ErrorReply> {
    if let Some(model) = MODELS.served.iter().find(|model| model.id == id) {
        return Ok(model);
    }
    let retired = MODELS.decommissioned.iter().any(|known| known == id);
    let form = if retired { GoneForm::Decommissioned } else { GoneForm::NotFound };
    Err(context.dialect.error_reply(&ErrorCause::ModelGone(form), id))
}

fn model_object(model: &GroqModel) -> Value {
    json!({
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "active": true,
        "context_window": model.context_window,
        "public_apps": null,
        "max_completion_tokens": model.max_completion_tokens,
    })
}

/// `GET /models`
pub(super) async fn list(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    context.apply_fault(Service::Models, "").await?;
    let data: Vec<Value> = MODELS.served.iter().map(model_object).collect();
    let at = Duration::from_millis(context.state.delays().models_ms);
    Ok(HttpReply::json(at, &json!({"object": "list", "data": data})))
}

/// `GET /models/{id}`
pub(super) async fn retrieve(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    let id = context.path.rsplit_once("/models/").map_or("", |(_, id)| id).replace("%2F", "/").replace("%2f", "/");
    context.apply_fault(Service::Models, &id).await?;
    let model = find(context, &id)?;
    Ok(HttpReply::json(Duration::from_millis(context.state.delays().models_ms), &model_object(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_json_can_be_parsed() {
        assert!(MODELS.served.iter().any(|model| model.kind == GroqModelKind::Vision));
        assert!(!MODELS.decommissioned.is_empty());
    }
}
