//! The table of provider kinds. A new provider is one new module and one line here.

use crate::provider::Provider;
use crate::{gemini, groq, offline, openai_compatible};

/// Every provider kind, in the order of preference that a failover starts with.
pub static PROVIDERS: &[&Provider] = &[
    &groq::PROVIDER,
    &gemini::PROVIDER,
    &openai_compatible::PROVIDER,
    &offline::PROVIDER, // stays last: the last fallback
];

/// The provider kind with this [`Provider::id`].
pub fn find(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.id == id)
}
