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
    Stt,
    Tts,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    id: String,
    kind: Kind,
    created: u64,
    owned_by: String,
    shutdown_date: Option<String>,
    /// Transcribes into more than JSON.
    #[serde(default)]
    pub(super) subtitles: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Models {
    served: Vec<Model>,
    voices: Vec<String>,
}

static MODELS: LazyLock<Models> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// Names of voices.
pub(super) fn voices() -> &'static [String] {
    &MODELS.voices
}

/// A model of that kind.
pub(super) fn find(call: &Call, id: &str, kind: Kind) -> Result<&'static Model, Refusal> {
    let model = MODELS.served.iter().find(|model| model.id == id);
    let model = model.ok_or_else(|| Refusal::of(call.provider, &Cause::Gone(GoneForm::NotFound), id))?;
    if model.kind != kind {
        return Err(call.invalid(format!("The model `{id}` is not supported at this address.")));
    }
    Ok(model)
}

fn entry(model: &Model) -> Value {
    let mut entry = json!({"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by});
    if let Some(date) = &model.shutdown_date {
        entry["shutdown_date"] = Value::from(date.as_str());
    }
    entry
}

/// `GET /models`
pub(super) async fn list(call: &mut Call) -> Result<Reply, Refusal> {
    call.check_bearer()?;
    call.meet(Service::Models, "").await?;
    let data: Vec<Value> = MODELS.served.iter().map(entry).collect();
    let at = Duration::from_millis(call.state.delays().models_ms);
    Ok(Reply::json(at, &json!({"object": "list", "data": data})))
}

/// `GET /models/{id}`
pub(super) async fn one(call: &mut Call) -> Result<Reply, Refusal> {
    call.check_bearer()?;
    let id = call.path.rsplit_once("/models/").map_or("", |(_, id)| id).to_owned();
    call.meet(Service::Models, &id).await?;
    let model = MODELS.served.iter().find(|model| model.id == id);
    let model = model.ok_or_else(|| call.refuse(&Cause::Gone(GoneForm::NotFound)))?;
    Ok(Reply::json(Duration::from_millis(call.state.delays().models_ms), &entry(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_can_be_read() {
        assert!(MODELS.served.iter().any(|model| model.kind == Kind::Tts));
        assert!(!voices().is_empty());
    }
}
