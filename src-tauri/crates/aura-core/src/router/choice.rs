//! Which route comes first when the person chose none: by what was measured, what is known of the models, and what they cost.

use super::Candidate;
use crate::catalog;
use crate::config::Preference;
use crate::health::{Figures, Health};
use crate::providers::{Service, Usage};

/// Fewer answers than this are no measurement.
const ENOUGH: u32 = 3;
/// The time of a provider that nobody measured yet, milliseconds: it is tried before one that is known to be slow.
const UNMEASURED_MS: f64 = 1_000.0;
/// How much the quality of a model nobody rated counts, of 5.
const UNRATED: u8 = 2;

/// What speaks for a route.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Merits {
    ms: f64,
    measured: u32,
    quality: f64,
    usd: f64,
    priced: bool,
}

/// Puts the best route first and says why. Local programs that only stand in for a provider stay last.
pub(super) fn order(
    preference: Preference,
    candidates: &mut [Candidate],
    service: Service,
    health: &Health,
) -> Option<String> {
    // The last one is `offline`, whose answers are no match for anyone's; it is never chosen, only fallen back to.
    let chosen_from = match candidates.split_last_mut() {
        Some((last, rest)) if last.stand_in => rest,
        _ => candidates,
    };
    if preference == Preference::Order || chosen_from.len() < 2 {
        return None;
    }
    let mut rated: Vec<(f64, Merits, Candidate)> = chosen_from
        .iter()
        .map(|candidate| (merits(candidate, service, &health.figures(&candidate.route.provider, service)), candidate))
        .map(|(merits, candidate)| (0.0, merits, candidate.clone()))
        .collect();
    let all: Vec<Merits> = rated.iter().map(|(_, merits, _)| *merits).collect();
    for (points, merits, _) in &mut rated {
        *points = score(preference, merits, &all);
    }
    rated.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    let why = explain(preference, &rated);
    for (place, (.., candidate)) in chosen_from.iter_mut().zip(rated) {
        *place = candidate;
    }
    Some(why)
}

fn merits(candidate: &Candidate, service: Service, figures: &Figures) -> Merits {
    let measured = figures.p50_ms.filter(|_| figures.requests >= ENOUGH);
    let usd = typical_cost(&candidate.known_as, &candidate.route.model, service, candidate.local);
    Merits {
        ms: measured.map_or(UNMEASURED_MS, f64::from),
        measured: if measured.is_some() { figures.requests } else { 0 },
        quality: f64::from(catalog::quality(&candidate.known_as, &candidate.route.model).unwrap_or(UNRATED)),
        usd: usd.unwrap_or(f64::MAX),
        priced: usd.is_some(),
    }
}

/// What an ordinary question of this kind costs, US dollars: ten seconds of speech, or a thousand tokens and a short answer.
pub(super) fn typical_cost(known_as: &str, model: &str, service: Service, local: bool) -> Option<f64> {
    if local {
        return Some(0.0);
    }
    let usage = match service {
        Service::Stt => {
            Usage { audio_seconds: Some(10.0), input_tokens: Some(350), output_tokens: Some(40), ..Usage::default() }
        }
        Service::Llm => Usage { input_tokens: Some(1_000), output_tokens: Some(150), ..Usage::default() },
        Service::Vlm => Usage { input_tokens: Some(2_500), output_tokens: Some(150), ..Usage::default() },
        Service::Tts => Usage {
            characters: Some(300),
            input_tokens: Some(80),
            output_tokens: Some(500), // 20 s at 25 tokens a second
            ..Usage::default()
        },
    };
    catalog::price(known_as, model, jiff::Zoned::now().date())?.cost(&usage)
}

/// The smaller the better.
fn score(preference: Preference, of: &Merits, all: &[Merits]) -> f64 {
    // The place among the others: milliseconds, dollars and marks do not add up, places do.
    let place = |better: &dyn Fn(&Merits) -> bool| all.iter().filter(|other| better(other)).count() as f64;
    let speed = || place(&|other| other.ms < of.ms);
    let quality = || place(&|other| other.quality > of.quality);
    let cost = || place(&|other| other.usd < of.usd);
    match preference {
        Preference::Order => 0.0,
        Preference::Speed => speed(),
        Preference::Quality => quality(),
        Preference::Cost => cost(),
        Preference::Balanced => speed() + quality() + cost(),
    }
}

fn explain(preference: Preference, rated: &[(f64, Merits, Candidate)]) -> String {
    let (_, first, winner) = &rated[0];
    let (_, second, other) = &rated[1];
    let (a, b) = (&winner.route, &other.route);
    let time = |merits: &Merits| match merits.measured {
        0 => "not measured yet".to_owned(),
        calls => format!("{:.0} ms in the middle of {calls} calls", merits.ms),
    };
    let price = |merits: &Merits| match merits.priced {
        true => format!("about ${:.5} a question", merits.usd),
        false => "price unknown".to_owned(),
    };
    let mark = |merits: &Merits| format!("quality {:.0} of 5", merits.quality);
    match preference {
        Preference::Speed => {
            format!("{} answers soonest: {}; {}: {}.", a.provider, time(first), b.provider, time(second))
        }
        Preference::Quality => format!(
            "{} has the most capable model, {}: {}; {}: {}.",
            a.provider,
            a.model,
            mark(first),
            b.provider,
            mark(second)
        ),
        Preference::Cost => {
            format!("{} is the cheapest: {}; {}: {}.", a.provider, price(first), b.provider, price(second))
        }
        Preference::Balanced | Preference::Order => format!(
            "{} is the best of all three: {}, {}, {}; {}: {}, {}, {}.",
            a.provider,
            time(first),
            mark(first),
            price(first),
            b.provider,
            time(second),
            mark(second),
            price(second)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Services;
    use crate::record::{Attempt, Route};

    fn candidates() -> Vec<Candidate> {
        let of = |provider: &str, local| Candidate {
            route: Route {
                provider: provider.into(),
                model: catalog::default_model(provider, Service::Llm).unwrap().into(),
                voice: None,
            },
            label: provider.into(),
            known_as: provider.into(),
            services: Services::default(),
            local,
            stand_in: local,
        };
        vec![of("groq", false), of("gemini", false), of("offline", true)]
    }

    fn answered(provider: &str, ms: u32) -> Attempt {
        Attempt {
            service: Service::Llm,
            route: Route { provider: provider.into(), model: "m".into(), voice: None },
            ms,
            first_ms: None,
            class: None,
            message: None,
            usage: Usage::default(),
            cost: crate::usage::Cost::default(),
        }
    }

    fn first(preference: Preference, health: &Health) -> (String, Option<String>) {
        let mut candidates = candidates();
        let why = order(preference, &mut candidates, Service::Llm, health);
        assert_eq!(candidates[2].route.provider, "offline", "what only stands in stays last");
        (candidates[0].route.provider.clone(), why)
    }

    #[tokio::test]
    async fn each_preference_and_its_reason() {
        let health = Health::default();
        for _ in 0..4 {
            health.note(&answered("groq", 900), None);
            health.note(&answered("gemini", 300), None);
        }
        assert_eq!(first(Preference::Order, &health), ("groq".into(), None));
        let (by_speed, why) = first(Preference::Speed, &health);
        assert_eq!(by_speed, "gemini");
        assert!(why.unwrap().contains("300 ms in the middle of 4 calls"));
        let (by_cost, why) = first(Preference::Cost, &health);
        assert_eq!(by_cost, "groq");
        assert!(why.unwrap().contains("cheapest"));
        assert_eq!(first(Preference::Quality, &health).0, "gemini");
    }

    #[test]
    fn an_unmeasured_provider_comes_before_a_slow_one() {
        let fast = Merits { ms: 300.0, measured: 9, quality: 2.0, usd: 1.0, priced: true };
        let slow = Merits { ms: 2_000.0, ..fast };
        let unknown = Merits { ms: UNMEASURED_MS, measured: 0, ..fast };
        let all = [fast, slow, unknown];
        let points: Vec<f64> = all.iter().map(|merits| score(Preference::Speed, merits, &all)).collect();
        assert_eq!(points, [0.0, 2.0, 1.0]);
    }
}
