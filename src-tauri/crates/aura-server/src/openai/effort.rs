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

/// The effort for the router.
pub(crate) fn to_effort(effort: Effort) -> ReasoningEffort {
    match effort {
        Effort::None => ReasoningEffort::None,
        Effort::Minimal => ReasoningEffort::Minimal,
        Effort::Low => ReasoningEffort::Low,
        Effort::Medium => ReasoningEffort::Medium,
        Effort::High | Effort::XHigh => ReasoningEffort::High,
    }
}
