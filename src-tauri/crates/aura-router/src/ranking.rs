//! Which route comes first when no provider is chosen: by measured latency, the models' quality, and their price.

use aura_providers::catalog::Catalog;
use aura_providers::{Service, Usage};

use crate::cost::today;
use crate::health::{Figures, Health};
use crate::plan::Candidate;
use crate::route_reason::{RouteReason, RouteStanding};
use crate::settings::RoutePreference;

/// The fewest calls from which a measured latency is used.
const MIN_CALLS: u32 = 3;
/// Assumed latency of a provider without enough calls, in milliseconds: it is tried before one that is known to be slow.
const UNMEASURED_MS: f64 = 1_000.0;
/// Assumed quality of a model without a rating, of 5.
const UNRATED_QUALITY: u8 = 2;

/// What a route is ranked by.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RouteScore {
    /// Median latency in milliseconds, measured or assumed.
    ms: f64,
    /// Calls that the latency was measured over; 0 when it is assumed.
    measured_calls: u32,
    /// From 1 (worst) to 5, rated or assumed.
    quality: f64,
    /// US dollars for a typical request; `f64::MAX` when the price is unknown.
    usd: f64,
    has_price: bool,
}

/// Moves the best route to the first place and returns why. The built-in fallback stays last.
pub(crate) fn order(
    catalog: &Catalog,
    preference: RoutePreference,
    candidates: &mut [Candidate],
    service: Service,
    health: &Health,
) -> Option<RouteReason> {
    // The built-in fallback is worse than any provider: it is never preferred.
    let ranked = match candidates.split_last_mut() {
        Some((last, rest)) if last.is_builtin_fallback => rest,
        _ => candidates,
    };
    if preference == RoutePreference::Order || ranked.len() < 2 {
        return None;
    }
    let scores: Vec<RouteScore> = ranked
        .iter()
        .map(|candidate| score(catalog, candidate, service, &health.figures(&candidate.route.provider, service)))
        .collect();
    let mut by_rank: Vec<(f64, RouteScore, Candidate)> = scores
        .iter()
        .zip(ranked.iter())
        .map(|(score, candidate)| (rank(preference, score, &scores), *score, candidate.clone()))
        .collect();
    by_rank.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    let (_, first_score, first) = &by_rank[0];
    let (_, second_score, second) = &by_rank[1];
    let reason =
        RouteReason { by: preference, first: standing(first_score, first), second: standing(second_score, second) };
    for (slot, (.., candidate)) in ranked.iter_mut().zip(by_rank) {
        *slot = candidate;
    }
    Some(reason)
}

fn score(catalog: &Catalog, candidate: &Candidate, service: Service, figures: &Figures) -> RouteScore {
    let p50_ms = figures.p50_ms.filter(|_| figures.requests >= MIN_CALLS);
    let usd = typical_cost(catalog, &candidate.catalog_id, &candidate.route.model, service, candidate.is_local);
    RouteScore {
        ms: p50_ms.map_or(UNMEASURED_MS, f64::from),
        measured_calls: if p50_ms.is_some() { figures.requests } else { 0 },
        quality: f64::from(catalog.quality(&candidate.catalog_id, &candidate.route.model).unwrap_or(UNRATED_QUALITY)),
        usd: usd.unwrap_or(f64::MAX),
        has_price: usd.is_some(),
    }
}

/// US dollars for a typical request: ten seconds of speech, or a thousand tokens with a short answer. `None` when the price is
/// unknown.
pub(crate) fn typical_cost(
    catalog: &Catalog,
    catalog_id: &str,
    model: &str,
    service: Service,
    is_local: bool,
) -> Option<f64> {
    if is_local {
        return Some(0.0);
    }
    let usage = match service {
        Service::Stt => {
            Usage { audio_seconds: Some(10.0), input_tokens: Some(350), output_tokens: Some(40), ..Usage::default() }
        }
        Service::Embedding => Usage { input_tokens: Some(1_000), output_tokens: Some(0), ..Usage::default() },
        Service::Llm => Usage { input_tokens: Some(1_000), output_tokens: Some(150), ..Usage::default() },
        Service::Vlm => Usage { input_tokens: Some(2_500), output_tokens: Some(150), ..Usage::default() },
        Service::Tts => Usage {
            characters: Some(300),
            input_tokens: Some(80),
            output_tokens: Some(500), // 20 s at 25 tokens per second
            ..Usage::default()
        },
    };
    catalog.price(catalog_id, model, today())?.cost(&usage)
}

/// The rank of a score among all scores; lower is better.
fn rank(preference: RoutePreference, score: &RouteScore, all: &[RouteScore]) -> f64 {
    // Milliseconds, dollars and ratings cannot be added up, but ranks can.
    let rank_by = |is_better: &dyn Fn(&RouteScore) -> bool| all.iter().filter(|other| is_better(other)).count() as f64;
    let speed = || rank_by(&|other| other.ms < score.ms);
    let quality = || rank_by(&|other| other.quality > score.quality);
    let cost = || rank_by(&|other| other.usd < score.usd);
    match preference {
        RoutePreference::Order => 0.0,
        RoutePreference::Speed => speed(),
        RoutePreference::Quality => quality(),
        RoutePreference::Cost => cost(),
        RoutePreference::Balanced => speed() + quality() + cost(),
    }
}

fn standing(score: &RouteScore, Candidate { route, .. }: &Candidate) -> RouteStanding {
    RouteStanding {
        provider: route.provider.clone(),
        model: route.model.clone(),
        ms: (score.measured_calls > 0).then_some(score.ms as u32),
        calls: score.measured_calls,
        quality: score.quality as u8,
        usd: score.has_price.then_some(score.usd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn candidates() -> Vec<Candidate> {
        let catalog = Catalog::embedded();
        ["groq", "gemini", "offline"]
            .map(|provider| testing::candidate(provider, catalog.default_model(provider, Service::Llm).unwrap()))
            .into()
    }

    fn first(preference: RoutePreference, health: &Health) -> (String, Option<RouteReason>) {
        let mut candidates = candidates();
        let reason = order(&Catalog::embedded(), preference, &mut candidates, Service::Llm, health);
        assert_eq!(candidates[2].route.provider, "offline", "the built-in fallback stays last");
        (candidates[0].route.provider.clone(), reason)
    }

    #[tokio::test]
    async fn each_preference_chooses_its_best_route_and_explains_it() {
        let health = Health::default();
        for _ in 0..4 {
            health.record(&testing::attempt("groq", 900, None), None);
            health.record(&testing::attempt("gemini", 300, None), None);
        }
        assert_eq!(first(RoutePreference::Order, &health), ("groq".into(), None));
        let (by_speed, reason) = first(RoutePreference::Speed, &health);
        assert_eq!(by_speed, "gemini");
        let reason = reason.unwrap();
        assert!(reason.to_string().contains("gemini is the fastest: median 300 ms over 4 calls; groq:"), "{reason}");
        assert_eq!((reason.first.ms, reason.second.provider.as_str()), (Some(300), "groq"));
        let (by_cost, reason) = first(RoutePreference::Cost, &health);
        assert_eq!(by_cost, "groq");
        assert!(reason.unwrap().to_string().contains("cheapest"));
        assert_eq!(first(RoutePreference::Quality, &health).0, "gemini");
    }

    #[test]
    fn an_unmeasured_provider_ranks_before_a_slow_one() {
        let fast = RouteScore { ms: 300.0, measured_calls: 9, quality: 2.0, usd: 1.0, has_price: true };
        let slow = RouteScore { ms: 2_000.0, ..fast };
        let unmeasured = RouteScore { ms: UNMEASURED_MS, measured_calls: 0, ..fast };
        let all = [fast, slow, unmeasured];
        let ranks: Vec<f64> = all.iter().map(|score| rank(RoutePreference::Speed, score, &all)).collect();
        assert_eq!(ranks, [0.0, 2.0, 1.0]);
    }
}
