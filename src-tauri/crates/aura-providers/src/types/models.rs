//! Entries of a provider's own lists: models with their prices, and voices.

use serde::{Deserialize, Serialize};

use super::service::Service;

/// A model as its provider lists it. What a list does not say is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListedModel {
    /// The model's name in requests.
    pub id: String,
    /// The services it can provide, as far as the list or its name says.
    pub services: Vec<Service>,
    /// The context length, in tokens.
    pub context: Option<u32>,
    /// The longest answer, in tokens.
    pub max_output: Option<u32>,
    /// The number of its parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<u64>,
    /// The price of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<ListedPrice>,
    /// The ids of its voices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub voices: Vec<String>,
    /// The announced day on which the provider shuts it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_on: Option<jiff::civil::Date>,
}

/// A listed price, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ListedPrice {
    /// Input tokens.
    pub input: f64,
    /// Output tokens.
    pub output: f64,
}

/// A voice as its provider lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedVoice {
    /// The voice's name in requests.
    pub id: String,
    /// The name to show to a user.
    pub label: String,
}

impl ListedVoice {
    /// A voice with its name in requests and its name for users.
    pub fn new(id: impl Into<String>, label: impl Into<String>) -> Self {
        Self { id: id.into(), label: label.into() }
    }
}

/// A number of parameters as lists and names write it: `8.8B`, `135M`.
pub(crate) fn parameter_count(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = match text.chars().next_back()? {
        'b' | 'B' => 1e9,
        'm' | 'M' => 1e6,
        _ => return None,
    };
    let number: f64 = text[..text.len() - 1].parse().ok()?;
    (number > 0.0 && number < 1e5).then_some((number * unit) as u64)
}
