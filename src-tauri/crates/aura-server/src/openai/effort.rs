//! How much a model reasons, in OpenAI's words.

use aura_providers::ReasoningEffort;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much the model reasons.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effort {
    /// Not at all.
    None,
    /// The least that the model can do.
    Minimal,
    /// Little.
    Low,
    /// A moderate amount.
    Medium,
    /// A lot.
    High,
    /// As much as possible.
    XHigh,
}

impl From<Effort> for ReasoningEffort {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::None => Self::None,
            Effort::Minimal => Self::Minimal,
            Effort::Low => Self::Low,
            Effort::Medium => Self::Medium,
            Effort::High | Effort::XHigh => Self::High,
        }
    }
}
