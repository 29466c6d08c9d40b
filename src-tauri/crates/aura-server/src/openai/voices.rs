//! `GET /v1/audio/voices`, as the servers Kokoro and speaches have it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model_name::AUTO;
use crate::LocalApi;
use crate::extract::InQuery;

/// A voice that requests for speech can name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoiceBody {
    /// The name to send as `voice`.
    id: String,
    /// The same name, for clients that show it.
    name: String,
    /// The model that has it, as `provider/model`: the name to send as `model`.
    model: String,
    /// The language that it speaks, an ISO 639-1 code; null when it speaks several, or the provider does not say.
    language: Option<String>,
}

/// A list of voices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoiceList {
    /// The voices.
    voices: Vec<VoiceBody>,
}

/// A filter for voices.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VoiceQuery {
    /// Only those of this model: `provider/model`, a provider, or a model name alone.
    model: Option<String>,
}

/// Lists the voices of every provider that is ready.
#[utoipa::path(
    get, path = "/v1/audio/voices", tag = "openai", params(VoiceQuery), responses((status = 200, body = VoiceList)),
)]
pub(crate) async fn list(State(api): State<LocalApi>, InQuery(query): InQuery<VoiceQuery>) -> Json<VoiceList> {
    let router = api.assistant.router();
    let ready = router.providers().into_iter().filter(|provider| provider.problem.is_none());
    let ready: Vec<String> = ready.map(|provider| provider.name).collect();
    let wanted = query.model.filter(|model| !model.is_empty() && model != AUTO);
    let voices = router.voices(None).await.into_iter().filter(|voice| ready.contains(&voice.provider));
    let voices = voices.filter_map(|voice| {
        let model = format!("{}/{}", voice.provider, voice.model);
        let names = [&model, &voice.provider, &voice.model];
        wanted.as_ref().is_none_or(|wanted| names.contains(&wanted)).then(|| VoiceBody {
            id: voice.name.clone(),
            name: voice.name,
            model,
            language: voice.language,
        })
    });
    Json(VoiceList { voices: voices.collect() })
}
