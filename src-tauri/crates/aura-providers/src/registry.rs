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

/// Another name of the provider `offline`, accepted wherever a provider is named.
const LOCAL: &str = "local";

/// The provider kind with this [`Provider::id`]; `local` is another name of `offline`.
pub fn find(id: &str) -> Option<&'static Provider> {
    let id = if id == LOCAL { offline::PROVIDER.id } else { id };
    PROVIDERS.iter().copied().find(|provider| provider.id == id)
}
