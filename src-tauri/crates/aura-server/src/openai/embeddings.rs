//! `POST /v1/embeddings`

use aura_providers::{EmbeddingReply, EmbeddingRequest, Service};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ApiErrorBody};
use super::model_name::{FallbackName, ModelOrder};
use super::request_trace::{Provenance, RequestTrace, route_name};
use super::{json, provenance_headers};
use crate::{LocalApi, body};

/// The most texts of a request, as at OpenAI.
const MAX_TEXTS: usize = 2_048;
/// The longest vector that a request may ask for: far more than any model has.
const MAX_DIMENSIONS: u32 = 65_536;
/// Characters in a token of English, by OpenAI's own rule of thumb.
const CHARS_PER_TOKEN: usize = 4;

/// A request for embeddings. OpenAI's fields that are not listed here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EmbeddingsBody {
    /// `auto`, `provider/model`, or a model name alone. Vectors of different models cannot be compared, so `auto` falls back only to
    /// providers that have the same model, unless the request names others or has
    /// `fallback: true`.
    #[schema(examples("auto"))]
    model: Option<String>,
    /// The text, or a list of texts. None may be empty.
    input: EmbeddingInput,
    /// The length of the vectors, for models that can shorten them.
    #[schema(minimum = 1, maximum = 65536)]
    dimensions: Option<u32>,
    /// `float` (the default), or `base64`: 32-bit little-endian numbers.
    #[schema(pattern = "^(float|base64)$")]
    encoding_format: Option<String>,
    /// An extension of AURA: further models, tried in this order after `model`, which may then be left out.
    #[schema(max_items = 16)]
    models: Option<Vec<String>>,
    /// An extension of AURA: further models, tried after those.
    #[schema(max_items = 16)]
    fallbacks: Option<Vec<FallbackName>>,
    /// An extension of AURA: whether to fall back to other models. Default false.
    fallback: Option<bool>,
}

/// What to embed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EmbeddingInput {
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// Token numbers of OpenAI's models. Not supported: other models have other tokens.
    Tokens(#[expect(dead_code, reason = "tells them from malformed input")] Vec<serde_json::Value>),
}

/// Embeddings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingList {
    /// Always `list`.
    object: &'static str,
    /// One for each text, in order.
    data: Vec<EmbeddingBody>,
    /// The route of the vectors, as `provider/model`.
    model: String,
    /// The tokens used.
    usage: EmbeddingUsage,
    /// An extension of AURA: the route, attempts and notices.
    aura: Provenance,
}

/// An embedding.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingBody {
    /// Always `embedding`.
    object: &'static str,
    /// The index of its text.
    index: usize,
    /// The vector: numbers, or base64.
    embedding: EmbeddingVector,
}

/// A vector.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EmbeddingVector {
    /// Numbers.
    Numbers(Vec<f32>),
    /// 32-bit little-endian numbers in base64.
    Base64(String),
}

/// Tokens used by a request, estimated at four characters each where the provider did not count them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingUsage {
    /// Input tokens.
    prompt_tokens: usize,
    /// The same number: there is no output.
    total_tokens: usize,
}

/// Turns texts into vectors, for searching by meaning.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingsBody,
    responses((status = 200, body = EmbeddingList), (status = 404, body = ApiErrorBody)),
)]
pub(crate) async fn embed(State(api): State<LocalApi>, request: Request) -> Result<Response, ApiError> {
    let trace = RequestTrace::new(&request);
    let (mut body, _): (EmbeddingsBody, usize) = json(request, body::MAX_JSON).await?;
    let EmbeddingsBody { model, models, fallbacks, fallback, .. } = &mut body;
    let order = ModelOrder::new(model.take(), models.take(), fallbacks.take(), *fallback)?;
    let plan = order.plan(&api.assistant, Service::Embedding, None)?;
    let plan = if order.names_others() { plan } else { plan.same_model() };
    let (request, in_base64) = validate(body)?;
    let routed = api.assistant.router().embed(&plan, &request, &trace).await?;
    let EmbeddingReply { vectors, usage } = routed.value;
    let estimated = || request.inputs.iter().map(|text| text.chars().count().div_ceil(CHARS_PER_TOKEN)).sum();
    let tokens = usage.input_tokens.map_or_else(estimated, |tokens| tokens as usize);
    let data = vectors.into_iter().enumerate().map(|(index, vector)| EmbeddingBody {
        object: "embedding",
        index,
        embedding: if in_base64 { in_base64_of(&vector) } else { EmbeddingVector::Numbers(vector) },
    });
    let list = EmbeddingList {
        object: "list",
        data: data.collect(),
        model: route_name(&routed.route),
        usage: EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens },
        aura: trace.provenance(),
    };
    Ok((provenance_headers(&trace), Json(list)).into_response())
}

fn in_base64_of(vector: &[f32]) -> EmbeddingVector {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    EmbeddingVector::Base64(STANDARD.encode(bytes))
}

/// Validates the body and converts it for the router; true if the vectors are sent in base64.
fn validate(body: EmbeddingsBody) -> Result<(EmbeddingRequest, bool), ApiError> {
    let invalid = |message: String, param| Err(ApiError::invalid_request(message, Some(param)));
    let inputs = match body.input {
        EmbeddingInput::Text(text) => vec![text],
        EmbeddingInput::Texts(texts) => texts,
        EmbeddingInput::Tokens(_) => {
            let message = "`input` must be text. Token numbers mean something else to every model; in LangChain, set \
                           `check_embedding_ctx_length=False`.";
            return invalid(message.to_owned(), "input");
        }
    };
    if inputs.is_empty() || inputs.iter().any(String::is_empty) {
        return invalid(
            "`input` is empty, or contains an empty text. Send at least one character.".to_owned(),
            "input",
        );
    }
    if inputs.len() > MAX_TEXTS {
        return invalid(format!("`input` may have at most {MAX_TEXTS} texts."), "input");
    }
    if body.dimensions.is_some_and(|dimensions| !(1..=MAX_DIMENSIONS).contains(&dimensions)) {
        return invalid(format!("`dimensions` must be from 1 to {MAX_DIMENSIONS}."), "dimensions");
    }
    let in_base64 = match body.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return invalid("`encoding_format` must be float or base64.".to_owned(), "encoding_format"),
    };
    // The router fills in the model of each route.
    Ok((EmbeddingRequest { inputs, dimensions: body.dimensions, ..EmbeddingRequest::default() }, in_base64))
}
