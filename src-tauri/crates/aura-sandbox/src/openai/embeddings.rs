//! `POST /embeddings`

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::models::{self, OpenAiModelKind};
use crate::embedding::embed;
use crate::error_reply::ErrorReply;
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::request::RequestContext;
use crate::text::estimate_tokens;

/// The length of a vector.
const DIMENSIONS: usize = 1536;

pub(super) async fn handle(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    context.check_bearer()?;
    let body = context.json()?;
    let id = body["model"].as_str().unwrap_or_default();
    context.apply_fault(Service::Embedding, id).await?;
    models::find(context, id, OpenAiModelKind::Embedding)?;
    let texts: Vec<&str> = match &body["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() || texts.iter().any(|text| text.is_empty()) {
        return Err(context.invalid_request("Invalid 'input': input cannot be an empty string."));
    }
    let dimensions = body["dimensions"].as_u64().map_or(DIMENSIONS, |dimensions| dimensions as usize);
    if !(1..=DIMENSIONS).contains(&dimensions) {
        return Err(context.invalid_request(format!("This model supports at most {DIMENSIONS} output dimensions.")));
    }
    let data = texts.iter().enumerate().map(|(index, text)| {
        let vector = embed(text, dimensions);
        let embedding = if body["encoding_format"] == "base64" {
            json!(STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>()))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let tokens: u64 = texts.iter().map(|text| estimate_tokens(text)).sum();
    let body = json!({
        "object": "list", "data": data.collect::<Vec<_>>(), "model": id,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    Ok(HttpReply::json(Duration::ZERO, &body))
}
