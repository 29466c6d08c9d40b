//! Embeddings: texts as vectors, for searching by meaning.

use super::usage::Usage;

/// Texts to embed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmbeddingRequest {
    /// The name of the model.
    pub model: String,
    /// The texts; at least one, none empty.
    pub inputs: Vec<String>,
    /// The length of the vectors, for models that can shorten them; `None` for the model's own.
    pub dimensions: Option<u32>,
}

impl EmbeddingRequest {
    /// A request for texts.
    pub fn new(model: impl Into<String>, inputs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { model: model.into(), inputs: inputs.into_iter().map(Into::into).collect(), dimensions: None }
    }
}

/// The vectors of a request. Vectors of different models cannot be compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddingReply {
    /// One vector for each text, in the order of the texts, all of one length.
    pub vectors: Vec<Vec<f32>>,
    /// What the call consumed.
    pub usage: Usage,
}
