//! The served models, read from `models.json`.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{check_access, query_parameter};
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::GoneForm;
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::request::RequestContext;

/// Default and largest number of models on a page.
const PAGE: (usize, usize) = (50, 1000);

/// Task of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum GeminiModelKind {
    Chat,
    Transcribe,
    Tts,
    Live,
    Embedding,
}

#[derive(Debug, Deserialize)]
pub(super) struct GeminiModel {
    pub(super) id: String,
    name: String,
    pub(super) kind: GeminiModelKind,
    input: u64,
    output: u64,
    /// Supported thinking levels. A chat model without levels takes a thinking budget.
    #[serde(default)]
    pub(super) levels: Vec<String>,
    /// Whether speech is a WAV file by default. Otherwise it is raw samples.
    #[serde(default)]
    pub(super) wav: bool,
    /// Whether the model is served, but not listed.
    #[serde(default)]
    unlisted: bool,
    /// Id of the model that replies, if this id is an alias.
    version: Option<String>,
}

impl GeminiModel {
    /// Value of `modelVersion` in responses.
    pub(super) fn version(&self) -> &str {
        self.version.as_deref().unwrap_or(&self.id)
    }
}

#[derive(Debug, Default, Deserialize)]
struct GeminiModels {
    served: Vec<GeminiModel>,
    voices: Vec<String>,
}

static MODELS: LazyLock<GeminiModels> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// Names of the voices. They are case-sensitive.
pub(super) fn voices() -> &'static [String] {
    &MODELS.voices
}

/// Finds a model that supports generateContent. `Err` is Gemini's error for an unknown model.
pub(super) fn find(context: &RequestContext, id: &str) -> Result<&'static GeminiModel, ErrorReply> {
    let generates = |model: &&GeminiModel| {
        model.id == id && !matches!(model.kind, GeminiModelKind::Live | GeminiModelKind::Embedding)
    };
    // Aliases exist only in v1beta.
    let beta = context.path.contains("/v1beta/");
    MODELS
        .served
        .iter()
        .find(generates)
        .filter(|model| beta || model.version.is_none())
        .ok_or_else(|| context.dialect.error_reply(&ErrorCause::ModelGone(GoneForm::NotFound), id))
}

/// Whether a model transcribes live speech.
pub(super) fn transcribes_live(id: &str) -> bool {
    id.contains("transcribe") && MODELS.served.iter().any(|model| model.id == id && model.kind == GeminiModelKind::Live)
}

/// Finds a model that supports embedContent. `Err` is Gemini's error for an unknown model.
pub(super) fn find_embedding(context: &RequestContext, id: &str) -> Result<&'static GeminiModel, ErrorReply> {
    let mut embedding = MODELS.served.iter().filter(|model| model.kind == GeminiModelKind::Embedding);
    embedding
        .find(|model| model.id == id)
        .ok_or_else(|| context.dialect.error_reply(&ErrorCause::ModelGone(GoneForm::NotFound), id))
}

fn model_object(model: &GeminiModel) -> Value {
    let methods = match model.kind {
        GeminiModelKind::Chat => {
            json!(["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"])
        }
        GeminiModelKind::Transcribe | GeminiModelKind::Tts => json!(["generateContent", "countTokens"]),
        GeminiModelKind::Live => json!(["bidiGenerateContent"]),
        GeminiModelKind::Embedding => json!(["embedContent", "countTokens", "batchEmbedContents"]),
    };
    let mut model_object = json!({
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
    if model.kind == GeminiModelKind::Chat {
        model_object["thinking"] = Value::from(true);
    }
    model_object
}

/// `GET /models?pageSize=…&pageToken=…`
pub(super) async fn list(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    context.apply_fault(Service::Models, "").await?;
    let size = query_parameter(context, "pageSize").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
    let size = size.unwrap_or(PAGE.0).min(PAGE.1);
    let start: usize = match query_parameter(context, "pageToken") {
        None | Some("") => 0,
        Some(token) => {
            let number = token.strip_prefix("after-").and_then(|number| number.parse().ok());
            number.ok_or_else(|| context.invalid_request("Invalid page token"))?
        }
    };
    let listed: Vec<&GeminiModel> = MODELS.served.iter().filter(|model| !model.unlisted).collect();
    let page: Vec<Value> = listed.iter().skip(start).take(size).map(|model| model_object(model)).collect();
    let mut body = json!({"models": page});
    if start + size < listed.len() {
        body["nextPageToken"] = Value::from(format!("after-{}", start + size));
    }
    Ok(HttpReply::json(Duration::from_millis(context.state.delays().models_ms), &body))
}

/// `GET /models/{id}`
pub(super) async fn retrieve(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
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
        assert!(MODELS.served.iter().any(|model| model.kind == GeminiModelKind::Tts && model.wav));
        assert_eq!(voices().len(), 30);
    }
}
