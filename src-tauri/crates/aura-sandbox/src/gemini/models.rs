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

/// Models on a page unless told otherwise, and at most.
const PAGE: (usize, usize) = (50, 1000);

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Chat,
    Transcribe,
    Tts,
    Live,
    Embedding,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
    name: String,
    pub(super) kind: Kind,
    input: u64,
    output: u64,
    /// Thinking levels; a chat model without any takes a budget.
    #[serde(default)]
    pub(super) levels: Vec<String>,
    /// Speech is a WAV file rather than bare samples.
    #[serde(default)]
    pub(super) wav: bool,
    /// Served, but not in the list.
    #[serde(default)]
    unlisted: bool,
    /// What answers when this is only another name.
    version: Option<String>,
}

impl Model {
    /// What `modelVersion` says.
    pub(super) fn version(&self) -> &str {
        self.version.as_deref().unwrap_or(&self.id)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Models {
    served: Vec<Model>,
    voices: Vec<String>,
}

static MODELS: LazyLock<Models> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// Names of voices, which are case-sensitive.
pub(super) fn voices() -> &'static [String] {
    &MODELS.voices
}

/// A model that answers generateContent.
pub(super) fn find(call: &Call, id: &str) -> Result<&'static Model, Refusal> {
    let generates = |model: &&Model| model.id == id && !matches!(model.kind, Kind::Live | Kind::Embedding);
    // The latest-names exist in the beta version only.
    let beta = call.path.contains("/v1beta/");
    MODELS
        .served
        .iter()
        .find(generates)
        .filter(|model| beta || model.version.is_none())
        .ok_or_else(|| Refusal::of(call.provider, &Cause::Gone(GoneForm::NotFound), id))
}

fn entry(model: &Model) -> Value {
    let methods = match model.kind {
        Kind::Chat => json!(["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]),
        Kind::Transcribe | Kind::Tts => json!(["generateContent", "countTokens"]),
        Kind::Live => json!(["bidiGenerateContent"]),
        Kind::Embedding => json!(["embedContent", "countTokens"]),
    };
    let mut entry = json!({
        "name": format!("models/{}", model.id),
        "version": "001",
        "displayName": model.name,
        "description": "Imitated by the sandbox.",
        "inputTokenLimit": model.input,
        "outputTokenLimit": model.output,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    });
    if model.kind == Kind::Chat {
        entry["thinking"] = Value::from(true);
    }
    entry
}

/// `GET /models?pageSize=…&pageToken=…`
pub(super) async fn list(call: &mut Call) -> Result<Reply, Refusal> {
    super::admit(call)?;
    call.meet(Service::Models, "").await?;
    let size = super::parameter(call, "pageSize").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
    let size = size.unwrap_or(PAGE.0).min(PAGE.1);
    let start: usize = match super::parameter(call, "pageToken") {
        None | Some("") => 0,
        Some(token) => {
            let number = token.strip_prefix("after-").and_then(|number| number.parse().ok());
            number.ok_or_else(|| call.invalid("Invalid page token"))?
        }
    };
    let listed: Vec<&Model> = MODELS.served.iter().filter(|model| !model.unlisted).collect();
    let page: Vec<Value> = listed.iter().skip(start).take(size).map(|model| entry(model)).collect();
    let mut body = json!({"models": page});
    if start + size < listed.len() {
        body["nextPageToken"] = Value::from(format!("after-{}", start + size));
    }
    Ok(Reply::json(Duration::from_millis(call.state.delays().models_ms), &body))
}

/// `GET /models/{id}`
pub(super) async fn one(call: &mut Call) -> Result<Reply, Refusal> {
    super::admit(call)?;
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
        assert!(MODELS.served.iter().any(|model| model.kind == Kind::Tts && model.wav));
        assert_eq!(voices().len(), 30);
    }
}
