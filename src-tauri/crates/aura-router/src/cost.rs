//! The cost of a call, and how that figure was obtained.

use aura_providers::catalog::Catalog;
use aura_providers::{FailureKind, Usage};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Characters of text per token, when the provider reports no tokens: about right for English.
const CHARS_PER_TOKEN: u32 = 4;
/// Tokens per second of audio input, for providers that bill audio in tokens: Gemini's documented rate.
const INPUT_TOKENS_PER_SECOND: f32 = 32.0;
/// Tokens per second of audio output: Gemini's documented rate.
const OUTPUT_TOKENS_PER_SECOND: f32 = 25.0;

/// How a cost was obtained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CostBasis {
    /// The provider reported the cost.
    Reported,
    /// The provider reported the usage, and the catalog has the price.
    Priced,
    /// The provider did not report the usage. AURA estimated it, and the catalog has the price.
    Estimated,
    /// The price or the usage is unknown.
    #[default]
    Unknown,
}

/// The cost of an attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Cost {
    /// US dollars; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub usd: Option<f64>,
    /// How the amount was obtained.
    pub basis: CostBasis,
}

/// What was measured of a call here, besides what the provider reported.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LocalCount {
    /// Characters sent.
    pub(crate) input_chars: u32,
    /// Characters received, or spoken.
    pub(crate) output_chars: u32,
    /// Seconds of audio sent.
    pub(crate) input_seconds: f32,
    /// Seconds of audio received.
    pub(crate) output_seconds: f32,
}

impl LocalCount {
    /// Adds estimates for what the provider did not report.
    fn fill(self, usage: &Usage) -> Usage {
        let text_tokens = |chars: u32| chars.div_ceil(CHARS_PER_TOKEN);
        let audio_tokens = |seconds: f32, rate: f32| (seconds * rate).ceil() as u32;
        let input = text_tokens(self.input_chars) + audio_tokens(self.input_seconds, INPUT_TOKENS_PER_SECOND);
        let output = match self.output_seconds > 0.0 {
            true => audio_tokens(self.output_seconds, OUTPUT_TOKENS_PER_SECOND),
            false => text_tokens(self.output_chars),
        };
        Usage {
            input_tokens: usage.input_tokens.or(Some(input)),
            output_tokens: usage.output_tokens.or(Some(output)),
            audio_seconds: usage.audio_seconds.or(Some(self.input_seconds).filter(|seconds| *seconds > 0.0)),
            characters: usage.characters.or(Some(self.output_chars)),
            ..usage.clone()
        }
    }
}

/// Today, in this computer's time zone.
pub(crate) fn today() -> Date {
    jiff::Zoned::now().date()
}

/// The cost of a call, by today's prices. `kind` is how it failed, `None` when it succeeded.
///
/// A call that was refused at once costs nothing, because no provider bills it. A call that was given up while the provider was
/// working may be billed by an unknown amount.
pub(crate) fn cost(
    catalog: &Catalog,
    catalog_id: &str,
    is_local: bool,
    model: &str,
    kind: Option<FailureKind>,
    usage: &Usage,
    measured: LocalCount,
) -> Cost {
    if let Some(usd) = usage.cost_usd {
        return Cost { usd: Some(usd), basis: CostBasis::Reported };
    }
    let free = Cost { usd: Some(0.0), basis: CostBasis::Priced };
    if is_local {
        return free;
    }
    let is_empty = measured.output_chars == 0 && !has_counts(usage);
    match kind {
        Some(FailureKind::Timeout | FailureKind::Cancelled | FailureKind::Interrupted) if is_empty => {
            return Cost::default();
        }
        Some(_) if is_empty => return free,
        _ => {}
    }
    // A provider may report a more specific model than the one that was requested.
    let reported = usage.model.as_deref().filter(|model| catalog.price(catalog_id, model, today()).is_some());
    let Some(price) = catalog.price(catalog_id, reported.unwrap_or(model), today()) else { return Cost::default() };
    if let Some(usd) = price.cost(usage) {
        return Cost { usd: Some(usd), basis: CostBasis::Priced };
    }
    match price.cost(&measured.fill(usage)) {
        Some(usd) => Cost { usd: Some(usd), basis: CostBasis::Estimated },
        None => Cost::default(),
    }
}

/// Whether the provider reported any usage. The state of a rate limit is not usage.
fn has_counts(usage: &Usage) -> bool {
    usage.input_tokens.is_some()
        || usage.output_tokens.is_some()
        || usage.audio_seconds.is_some()
        || usage.characters.is_some()
}

#[cfg(test)]
mod tests {
    use aura_providers::Service;

    use super::*;

    /// The cost of a call to Gemini's default model for a service.
    fn gemini(service: Service, kind: Option<FailureKind>, usage: &Usage, measured: LocalCount) -> Cost {
        let catalog = Catalog::embedded();
        let model = catalog.default_model("gemini", service).unwrap();
        cost(&catalog, "gemini", false, model, kind, usage, measured)
    }

    #[test]
    fn a_cost_names_its_basis() {
        let reported = Usage { input_tokens: Some(1_000), output_tokens: Some(100), ..Usage::default() };
        let measured = LocalCount { input_chars: 400, output_chars: 80, ..LocalCount::default() };
        let of = |usage: &Usage| gemini(Service::Llm, None, usage, measured);

        assert_eq!(of(&reported).basis, CostBasis::Priced);
        let with_cost = Usage { cost_usd: Some(0.25), ..reported.clone() };
        assert_eq!(of(&with_cost), Cost { usd: Some(0.25), basis: CostBasis::Reported });
        let estimated = of(&Usage::default());
        assert_eq!(estimated.basis, CostBasis::Estimated);
        let as_tokens = Usage { input_tokens: Some(100), output_tokens: Some(20), ..Usage::default() };
        assert_eq!(estimated.usd, of(&as_tokens).usd);
        let unknown = cost(&Catalog::embedded(), "unknown", false, "x", None, &reported, measured);
        assert_eq!(unknown, Cost::default());
    }

    #[test]
    fn audio_tokens_are_estimated_from_its_length() {
        let spoken = LocalCount { input_chars: 40, output_chars: 40, output_seconds: 4.0, ..LocalCount::default() };
        let of = |usage: &Usage| gemini(Service::Tts, None, usage, spoken);
        let characters = Usage { characters: Some(40), audio_seconds: Some(4.0), ..Usage::default() };
        let estimated = of(&characters);
        let as_tokens = Usage { input_tokens: Some(10), output_tokens: Some(100), ..characters.clone() };
        assert_eq!((estimated.basis, estimated.usd), (CostBasis::Estimated, of(&as_tokens).usd));
        assert!(estimated.usd > Some(0.0));

        let heard = LocalCount { output_chars: 40, input_seconds: 10.0, ..LocalCount::default() };
        let of = |usage: &Usage| gemini(Service::Stt, None, usage, heard);
        let as_tokens =
            Usage { input_tokens: Some(320), output_tokens: Some(10), audio_seconds: Some(10.0), ..Usage::default() };
        let estimated = of(&Usage::default());
        assert_eq!((estimated.basis, estimated.usd), (CostBasis::Estimated, of(&as_tokens).usd));
    }

    #[test]
    fn a_refused_call_is_free_and_the_cost_of_an_abandoned_one_is_unknown() {
        let free = Cost { usd: Some(0.0), basis: CostBasis::Priced };
        let offline = cost(&Catalog::embedded(), "offline", true, "x", None, &Usage::default(), LocalCount::default());
        assert_eq!(offline, free);
        let sent = LocalCount { input_chars: 400, ..LocalCount::default() };
        let failed = |kind, usage: &Usage, measured| gemini(Service::Llm, Some(kind), usage, measured);
        let rate_limit = Usage { rate_limit: Some(aura_providers::RateLimit::default()), ..Usage::default() };
        for kind in
            [FailureKind::Unreachable, FailureKind::RateLimited, FailureKind::Overloaded, FailureKind::KeyRejected]
        {
            assert_eq!(failed(kind, &Usage::default(), sent), free, "{kind:?}");
            assert_eq!(failed(kind, &rate_limit, sent), free, "the state of a rate limit is not usage");
        }
        for kind in [FailureKind::Timeout, FailureKind::Cancelled, FailureKind::Interrupted] {
            assert_eq!(failed(kind, &Usage::default(), sent), Cost::default(), "{kind:?}");
        }
        let half = LocalCount { output_chars: 80, ..sent };
        assert_eq!(failed(FailureKind::Interrupted, &Usage::default(), half).basis, CostBasis::Estimated);
    }
}
