//! The models that are served here, as data.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::faults::GoneForm;
use crate::kinds::Service;
use crate::refusal::{Cause, Refusal};
use crate::reply::Reply;

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Chat,
    Vision,
    Stt,
    Tts,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) kind: Kind,
    created: u64,
    owned_by: String,
    context_window: u64,
    max_completion_tokens: u64,
    /// Values that `reasoning_effort` may take.
    #[serde(default)]
    pub(super) efforts: Vec<String>,
    /// Reasoning is marked as a channel of its own.
    #[serde(default)]
    pub(super) channel: bool,
    #[serde(default)]
    pub(super) translates: bool,
    #[serde(default)]
    pub(super) voices: Vec<String>,
    #[serde(default)]
    pub(super) language: String,
}

#[derive(Debug, Default, Deserialize)]
struct Models {
    served: Vec<Model>,
    decommissioned: Vec<String>,
}

static MODELS: LazyLock<Models> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// The model, or the way in which Groq says that there is none.
pub(super) fn find(call: &Call, id: &str) -> Result<&'static Model, Refusal> {
    if let Some(model) = MODELS.served.iter().find(|model| model.id == id) {
        return Ok(model);
    }
    let retired = MODELS.decommissioned.iter().any(|known| known == id);
    let form = if retired { GoneForm::Decommissioned } else { GoneForm::NotFound };
    Err(Refusal::of(call.provider, &Cause::Gone(form), id))
}

fn entry(model: &Model) -> Value {
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
pub(super) async fn list(call: &mut Call) -> Result<Reply, Refusal> {
    super::admit(call)?;
    call.meet(Service::Models, "").await?;
    let data: Vec<Value> = MODELS.served.iter().map(entry).collect();
    let at = Duration::from_millis(call.state.delays().models_ms);
    Ok(Reply::json(at, &json!({"object": "list", "data": data})))
}

/// `GET /models/{id}`
pub(super) async fn one(call: &mut Call) -> Result<Reply, Refusal> {
    super::admit(call)?;
    let id = call.path.rsplit_once("/models/").map_or("", |(_, id)| id).replace("%2F", "/").replace("%2f", "/");
    call.meet(Service::Models, &id).await?;
    let model = find(call, &id)?;
    Ok(Reply::json(Duration::from_millis(call.state.delays().models_ms), &entry(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_can_be_read() {
        assert!(MODELS.served.iter().any(|model| model.kind == Kind::Vision));
        assert!(!MODELS.decommissioned.is_empty());
    }
}
