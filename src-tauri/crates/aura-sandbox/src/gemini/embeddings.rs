//! `POST /models/{id}:embedContent` and `:batchEmbedContents`

use std::time::Duration;

use serde_json::{Value, json};

use super::auth::check_access;
use super::fields;
use super::models;
use crate::embedding::embed;
use crate::error_reply::ErrorReply;
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::request::RequestContext;

/// The length of a vector.
const DIMENSIONS: usize = 3072;
/// The most texts in one request.
const MAX_TEXTS: usize = 100;

pub(super) async fn handle(context: &mut RequestContext, id: &str, is_batch: bool) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    let body = fields::to_camel_case(&context.json()?);
    context.apply_fault(Service::Embedding, id).await?;
    models::find_embedding(context, id)?;
    let entries = if is_batch { body["requests"].as_array().cloned().unwrap_or_default() } else { vec![body] };
    if entries.is_empty() || entries.len() > MAX_TEXTS {
        return Err(context.invalid_request(format!("at most {MAX_TEXTS} requests can be in one batch")));
    }
    let mut embeddings = Vec::with_capacity(entries.len());
    for entry in &entries {
        if is_batch && entry["model"] != format!("models/{id}") {
            return Err(context.invalid_request("The model of a request in a batch must be that of the batch."));
        }
        let parts = entry["content"]["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        if text.concat().is_empty() {
            return Err(context.invalid_request("content is empty"));
        }
        let dimensions = entry["outputDimensionality"].as_u64().map_or(DIMENSIONS, |dimensions| dimensions as usize);
        if !(1..=DIMENSIONS).contains(&dimensions) {
            return Err(context.invalid_request(format!("outputDimensionality must be from 1 to {DIMENSIONS}")));
        }
        // A shortened vector of Gemini is not of length 1.
        let scale = if dimensions == DIMENSIONS { 1.0 } else { 0.5 };
        let vector: Vec<f32> = embed(&text.join(" "), dimensions).into_iter().map(|number| number * scale).collect();
        embeddings.push(json!({"values": vector}));
    }
    let body: Value = if is_batch { json!({"embeddings": embeddings}) } else { json!({"embedding": embeddings[0]}) };
    Ok(HttpReply::json(Duration::ZERO, &body))
}
