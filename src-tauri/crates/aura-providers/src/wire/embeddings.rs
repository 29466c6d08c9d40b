//! Embeddings in the formats of OpenAI and Gemini.

use serde_json::{Value, json};

use crate::types::{EmbeddingReply, EmbeddingRequest, Failure, FailureKind, Usage};

/// The body of OpenAI's `POST embeddings`.
pub(crate) fn openai_request(request: &EmbeddingRequest) -> Value {
    // Numbers, because not every server has OpenAI's base64.
    let mut body = json!({ "model": request.model, "input": request.inputs, "encoding_format": "float" });
    if let Some(dimensions) = request.dimensions {
        body["dimensions"] = json!(dimensions);
    }
    body
}

/// Reads the reply to OpenAI's `POST embeddings`. Its entries may come in any order.
pub(crate) fn openai_reply(value: &Value, inputs: usize) -> Result<EmbeddingReply, Failure> {
    let mut vectors = vec![Vec::new(); inputs];
    for (at, entry) in value["data"].as_array().into_iter().flatten().enumerate() {
        let index = entry["index"].as_u64().map_or(Some(at), |index| usize::try_from(index).ok());
        if let Some(slot) = index.and_then(|index| vectors.get_mut(index)) {
            *slot = vector(&entry["embedding"]);
        }
    }
    let tokens = value["usage"]["prompt_tokens"].as_u64().and_then(|tokens| u32::try_from(tokens).ok());
    let model = value["model"].as_str().filter(|model| !model.is_empty()).map(str::to_owned);
    checked(vectors, Usage { input_tokens: tokens, model, ..Usage::default() })
}

/// The body of Gemini's `batchEmbedContents`.
pub(crate) fn gemini_request(request: &EmbeddingRequest) -> Value {
    let name = format!("models/{}", request.model);
    let entries = request.inputs.iter().map(|text| {
        let mut entry = json!({ "model": name, "content": { "parts": [{ "text": text }] } });
        if let Some(dimensions) = request.dimensions {
            entry["outputDimensionality"] = json!(dimensions);
        }
        entry
    });
    json!({ "requests": entries.collect::<Vec<_>>() })
}

/// Reads the reply to Gemini's `batchEmbedContents`. Gemini leaves shortened vectors at any length, so they are brought to length 1, as
/// OpenAI's and its own full ones are.
pub(crate) fn gemini_reply(value: &Value, request: &EmbeddingRequest) -> Result<EmbeddingReply, Failure> {
    let entries = value["embeddings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut vectors: Vec<Vec<f32>> = entries.iter().map(|entry| vector(&entry["values"])).collect();
    vectors.resize(request.inputs.len(), Vec::new());
    if request.dimensions.is_some() {
        vectors.iter_mut().for_each(|vector| normalise(vector));
    }
    let tokens = value["usageMetadata"]["promptTokenCount"].as_u64().and_then(|tokens| u32::try_from(tokens).ok());
    checked(vectors, Usage { input_tokens: tokens, ..Usage::default() })
}

fn vector(value: &Value) -> Vec<f32> {
    value.as_array().into_iter().flatten().filter_map(|number| number.as_f64().map(|number| number as f32)).collect()
}

fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number /= length);
    }
}

/// A reply with a vector for every text, all of one length.
fn checked(vectors: Vec<Vec<f32>>, usage: Usage) -> Result<EmbeddingReply, Failure> {
    let length = vectors.first().map_or(0, Vec::len);
    if length == 0 || vectors.iter().any(|vector| vector.len() != length) {
        let usage = Some(Box::new(usage));
        return Err(Failure {
            usage,
            ..Failure::new(FailureKind::Empty, "The provider did not return a vector for every text.")
        });
    }
    Ok(EmbeddingReply { vectors, usage })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openai_vectors_are_put_in_order() {
        let request = EmbeddingRequest { dimensions: Some(2), ..EmbeddingRequest::new("m", ["a", "b"]) };
        let body = openai_request(&request);
        assert_eq!((&body["input"], &body["dimensions"]), (&json!(["a", "b"]), &json!(2)));
        let reply = json!({
            "data": [{ "index": 1, "embedding": [0.5, 1] }, { "index": 0, "embedding": [1.0, 0.0] }],
            "model": "m-1", "usage": { "prompt_tokens": 7, "total_tokens": 7 },
        });
        let found = openai_reply(&reply, 2).unwrap();
        assert_eq!(found.vectors, [[1.0, 0.0], [0.5, 1.0]]);
        assert_eq!((found.usage.input_tokens, found.usage.model.as_deref()), (Some(7), Some("m-1")));
        let unnumbered = json!({ "data": [{ "embedding": [1.0] }, { "embedding": [2.0] }] });
        assert_eq!(openai_reply(&unnumbered, 2).unwrap().vectors, [[1.0], [2.0]]);
    }

    #[test]
    fn gemini_vectors_of_another_length_are_normalised() {
        let mut request = EmbeddingRequest::new("gemini-embedding-001", ["a"]);
        let reply = json!({ "embeddings": [{ "values": [3.0, 4.0] }] });
        assert_eq!(gemini_reply(&reply, &request).unwrap().vectors, [[3.0, 4.0]]);
        request.dimensions = Some(2);
        assert_eq!(gemini_reply(&reply, &request).unwrap().vectors, [[0.6, 0.8]]);
        let body = gemini_request(&request);
        assert_eq!(body["requests"][0]["model"], "models/gemini-embedding-001");
        assert_eq!(body["requests"][0]["outputDimensionality"], 2);
    }

    #[test]
    fn a_missing_or_uneven_vector_is_an_empty_reply() {
        for reply in [
            json!({}),
            json!({ "data": [{ "index": 0, "embedding": [1.0] }] }),
            json!({ "data": [{ "index": 0, "embedding": [1.0] }, { "index": 1, "embedding": [1.0, 2.0] }] }),
            json!({ "data": [{ "index": 0, "embedding": [1.0] }, { "index": 9, "embedding": [1.0] }] }),
        ] {
            assert_eq!(openai_reply(&reply, 2).unwrap_err().kind, FailureKind::Empty, "{reply}");
        }
        let request = EmbeddingRequest::new("m", ["a", "b"]);
        let reply = json!({ "embeddings": [{ "values": [1.0] }] });
        assert_eq!(gemini_reply(&reply, &request).unwrap_err().kind, FailureKind::Empty);
    }
}
