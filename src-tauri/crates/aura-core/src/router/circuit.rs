//! Which routes are left alone for a while: a provider that failed twice in a row for a service, or asked for a pause.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Candidate;
use crate::health;
use crate::providers::{Class, Service};

/// Failures in a row that open the circuit.
const TRIP: u32 = 2;
/// The first pause; it doubles with every failure after it.
const FIRST: Duration = Duration::from_secs(5);
/// The longest pause that AURA makes on its own for who is away only [briefly](BRIEFLY): whoever asks at least every 30 s finds a
/// provider that is back again within 30 s, however the questions fall.
const LONGEST_AT_FIRST: Duration = Duration::from_secs(15);
/// How long that is.
const BRIEFLY: Duration = Duration::from_secs(120);
/// The longest pause for who is away longer.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a probe has the provider to itself.
const PROBE: Duration = Duration::from_secs(10);

type Key = (String, Service);

#[derive(Default)]
pub(super) struct Circuits {
    all: Mutex<HashMap<Key, Circuit>>,
    /// When a provider got another key.
    forgiven: Mutex<HashMap<String, Instant>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Circuit {
    failures: u32,
    /// When the first of them was.
    since: Option<Instant>,
    /// The end of its pause.
    until: Option<Instant>,
    /// Whether the provider asked for that pause.
    asked: bool,
    /// Others keep away from the one who looks whether it is back, until then.
    probe: Option<Instant>,
    /// Its key was refused: nothing but another key helps.
    refused: bool,
}

impl Circuit {
    /// Until when it is left alone, if it is.
    fn away(&self, now: Instant) -> Option<Instant> {
        self.until.max(self.probe).filter(|until| *until > now)
    }

    /// Whether a call now would only be told what is known already.
    fn knows_better(&self, now: Instant) -> bool {
        (self.asked || self.refused) && self.until.is_some_and(|until| until > now)
    }

    /// Makes the pause longer, never shorter.
    fn pause(&mut self, until: Instant, asked: bool) {
        if self.until.is_none_or(|known| known <= until) {
            (self.until, self.asked) = (Some(until), asked);
        }
    }
}

impl Circuits {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Circuit>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The places of the candidates in the order in which they are tried. Who is to be left alone is left out while somebody else
    /// may be asked; the one that is due first is the last resort of a request whose other routes have all failed, unless it asked
    /// for the pause itself. When all are to be left alone, the one due first is tried all the same.
    ///
    /// What this computer can do by itself is no match for a provider's answer, so the last resort comes before it; but a voice is a
    /// voice and a transcript a transcript, so there it comes after it.
    pub(super) fn order(&self, candidates: &[Candidate], service: Service) -> Vec<usize> {
        let circuits = self.lock();
        if circuits.is_empty() || candidates.len() < 2 {
            return (0..candidates.len()).collect();
        }
        let now = Instant::now();
        let (mut order, mut stand_ins, mut resting) = (Vec::new(), Vec::new(), Vec::new());
        for (place, candidate) in candidates.iter().enumerate() {
            let circuit = circuits.get(&(candidate.route.provider.clone(), service)).copied().unwrap_or_default();
            match circuit.away(now) {
                Some(until) => resting.push((circuit.refused, until, circuit.knows_better(now), place)),
                // Where the person put it first it is a choice like any other.
                None if candidate.stand_in && place > 0 => stand_ins.push(place),
                None => order.push(place),
            }
        }
        resting.sort_unstable();
        let all_rest = order.is_empty() && stand_ins.is_empty();
        let resort =
            resting.into_iter().find(|(.., knows_better, _)| all_rest || !knows_better).map(|(.., place)| place);
        if matches!(service, Service::Llm | Service::Vlm) {
            order.extend(resort.into_iter().chain(stand_ins));
        } else {
            order.extend(stand_ins.into_iter().chain(resort));
        }
        order
    }

    /// Whether a provider is left alone now.
    pub(super) fn is_away(&self, provider: &str, service: Service) -> bool {
        let circuits = self.lock();
        !circuits.is_empty()
            && circuits
                .get(&(provider.to_owned(), service))
                .is_some_and(|circuit| circuit.away(Instant::now()).is_some())
    }

    /// A call begins. The first one after a pause is the probe; others keep away until it is known how it went.
    pub(super) fn begins(&self, provider: &str, service: Service) {
        let now = Instant::now();
        let mut circuits = self.lock();
        if circuits.is_empty() {
            return;
        }
        if let Some(circuit) = circuits.get_mut(&(provider.to_owned(), service))
            && circuit.until.is_some_and(|until| until <= now)
        {
            circuit.probe = Some(now + PROBE);
        }
    }

    /// A call answered: whoever took its key once takes it for everything. The services that it was left alone for before.
    pub(super) fn succeeded(&self, provider: &str, service: Service) -> Vec<Service> {
        let mut circuits = self.lock();
        if circuits.is_empty() {
            return Vec::new();
        }
        let mut back = Vec::new();
        circuits.retain(|(of, about), circuit| {
            let over = of == provider && (*about == service || circuit.refused);
            if over && circuit.until.is_some() {
                back.push(*about);
            }
            !over
        });
        back
    }

    /// Counts a failure that says something about the provider; `pause` is what it asked for. True when it is left alone from
    /// now on and was not before.
    pub(super) fn failed(&self, provider: &str, service: Service, class: Class, pause: Option<Duration>) -> bool {
        let telling = matches!(
            class,
            Class::Auth
                | Class::RateLimited
                | Class::Quota
                | Class::Overloaded
                | Class::Unreachable
                | Class::Timeout
                | Class::Interrupted
        );
        let now = Instant::now();
        let mut circuits = self.lock();
        if !telling {
            // It did answer: a probe that ended like this leaves the way free for the next request.
            if let Some(circuit) = circuits.get_mut(&(provider.to_owned(), service)) {
                circuit.probe = None;
            }
            return false;
        }
        let circuit = circuits.entry((provider.to_owned(), service)).or_default();
        let was_closed = circuit.until.is_none();
        circuit.failures += 1;
        circuit.probe = None;
        let since = *circuit.since.get_or_insert(now);
        if circuit.failures >= TRIP {
            let longest = if now - since < BRIEFLY { LONGEST_AT_FIRST } else { LONGEST };
            let own = FIRST.saturating_mul(1 << (circuit.failures - TRIP).min(8)).min(longest);
            circuit.pause(now + own, false);
        }
        if let Some(pause) = pause {
            circuit.pause(now + pause, true);
        }
        was_closed && circuit.until.is_some()
    }

    /// The provider refused its key, which it does for everything. The services that it is left alone for from now on and was
    /// not before.
    pub(super) fn refused(&self, provider: &str, pause: Duration) -> Vec<Service> {
        let until = Instant::now() + pause;
        let mut circuits = self.lock();
        let refuse = |service: &Service| {
            let circuit = circuits.entry((provider.to_owned(), *service)).or_default();
            let was_closed = circuit.until.is_none();
            circuit.refused = true;
            circuit.probe = None;
            circuit.pause(until, true);
            was_closed
        };
        Service::ALL.into_iter().filter(refuse).collect()
    }

    /// A provider has another key: what it said to the old one no longer counts. The services that it was left alone for.
    pub(super) fn forgive(&self, provider: &str, now: Instant) -> Vec<Service> {
        self.forgiven.lock().unwrap_or_else(PoisonError::into_inner).insert(provider.to_owned(), now);
        let mut back = Vec::new();
        self.lock().retain(|(of, service), circuit| {
            if of == provider && circuit.until.is_some() {
                back.push(*service);
            }
            of != provider
        });
        back
    }

    /// Whether a provider got another key after this moment: a refusal of one that was read before says nothing about it.
    pub(super) fn is_forgiven_since(&self, provider: &str, made: Instant) -> bool {
        let forgiven = self.forgiven.lock().unwrap_or_else(PoisonError::into_inner);
        forgiven.get(provider).is_some_and(|at| *at > made)
    }

    /// Whether its key was refused.
    pub(super) fn is_refused(&self, provider: &str) -> bool {
        self.lock().iter().any(|((of, _), circuit)| of == provider && circuit.refused)
    }

    /// Whether calls go there, and how long not.
    pub(super) fn state(&self, provider: &str, service: Service) -> (health::Circuit, Option<Duration>) {
        let now = Instant::now();
        let circuit = self.lock().get(&(provider.to_owned(), service)).copied().unwrap_or_default();
        match (circuit.until, circuit.away(now)) {
            (None, _) => (health::Circuit::Closed, None),
            (Some(_), None) => (health::Circuit::HalfOpen, None),
            (Some(_), Some(until)) => (health::Circuit::Open, Some(until - now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Services;
    use crate::record::Route;

    const LLM: Service = Service::Llm;

    fn candidate(provider: &str) -> Candidate {
        let local = provider == "offline";
        Candidate {
            route: Route { provider: provider.into(), model: "m".into(), voice: None },
            label: provider.into(),
            known_as: provider.into(),
            services: Services::default(),
            local,
            stand_in: local,
        }
    }

    fn order(circuits: &Circuits, service: Service, names: &[&str]) -> Vec<String> {
        let candidates: Vec<Candidate> = names.iter().map(|name| candidate(name)).collect();
        let order = circuits.order(&candidates, service);
        order.into_iter().map(|place| candidates[place].route.provider.clone()).collect()
    }

    fn first(circuits: &Circuits) -> String {
        order(circuits, LLM, &["groq", "gemini"])[0].clone()
    }

    fn trip(circuits: &Circuits, provider: &str, service: Service) {
        for _ in 0..TRIP {
            circuits.failed(provider, service, Class::Timeout, None);
        }
    }

    const MOMENT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn two_failures_open_it_and_the_pause_doubles() {
        let circuits = Circuits::default();
        assert!(!circuits.failed("groq", LLM, Class::Timeout, None));
        assert_eq!(first(&circuits), "groq", "one failure is no reason");
        // Who is away for more than two minutes is asked less often.
        for pause in [5, 10, 15, 15, 15, 15, 15, 15, 15, 60, 60] {
            let news = circuits.failed("groq", LLM, Class::Timeout, None);
            assert_eq!(news, pause == 5, "told once");
            tokio::time::advance(Duration::from_secs(pause) - MOMENT).await;
            assert_eq!(first(&circuits), "gemini", "{pause} s");
            tokio::time::advance(MOMENT).await;
            assert_eq!(first(&circuits), "groq", "the request after {pause} s is the probe");
        }
        assert_eq!(circuits.succeeded("groq", LLM), [LLM]);
        circuits.failed("groq", LLM, Class::Timeout, None);
        assert_eq!(first(&circuits), "groq", "a success forgets the failures");
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_request_probes() {
        let circuits = Circuits::default();
        trip(&circuits, "groq", LLM);
        assert_eq!(circuits.state("groq", LLM).0, health::Circuit::Open);
        tokio::time::advance(FIRST).await;
        assert_eq!(circuits.state("groq", LLM).0, health::Circuit::HalfOpen);
        circuits.begins("groq", LLM);
        assert_eq!(first(&circuits), "gemini", "others keep away from the probe");
        tokio::time::advance(PROBE).await;
        assert_eq!(first(&circuits), "groq", "a probe that never ends does not keep it closed");
        circuits.begins("groq", LLM);
        circuits.failed("groq", LLM, Class::Blocked, None);
        assert_eq!(first(&circuits), "groq", "it answered, if not as one would wish");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_was_asked_for_is_kept_at_the_first_failure() {
        let circuits = Circuits::default();
        circuits.failed("groq", LLM, Class::RateLimited, Some(Duration::from_secs(30)));
        assert_eq!(order(&circuits, LLM, &["groq", "gemini"]), ["gemini"], "it is not even the last resort");
        circuits.failed("gemini", LLM, Class::RateLimited, Some(Duration::from_secs(3)));
        assert_eq!(order(&circuits, LLM, &["groq", "gemini"]), ["gemini"], "when all pause, the one due first");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(order(&circuits, LLM, &["groq", "gemini"]), ["groq", "gemini"]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_makes_a_pause_shorter() {
        let circuits = Circuits::default();
        circuits.failed("groq", LLM, Class::RateLimited, Some(Duration::from_secs(60)));
        // Calls that were under way when it asked for the pause.
        circuits.failed("groq", LLM, Class::Timeout, None);
        for class in [Class::InvalidRequest, Class::Cancelled, Class::Empty] {
            circuits.failed("groq", LLM, class, None);
        }
        circuits.failed("groq", LLM, Class::RateLimited, Some(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(60) - MOMENT).await;
        assert_eq!(first(&circuits), "gemini");
        tokio::time::advance(MOMENT).await;
        assert_eq!(first(&circuits), "groq");
    }

    #[tokio::test(start_paused = true)]
    async fn who_rests_is_the_last_resort() {
        let circuits = Circuits::default();
        trip(&circuits, "gemini", LLM);
        tokio::time::advance(MOMENT).await;
        trip(&circuits, "groq", LLM);
        let all = ["groq", "gemini", "own", "offline"];
        assert_eq!(order(&circuits, LLM, &all), ["own", "gemini", "offline"], "the one due first, and only that one");
        assert_eq!(order(&circuits, LLM, &["groq", "offline"]), ["groq", "offline"], "a sound check is no answer");
        assert_eq!(order(&circuits, LLM, &["offline", "groq"]), ["offline", "groq"], "unless it was chosen");
        trip(&circuits, "groq", Service::Tts);
        assert_eq!(order(&circuits, Service::Tts, &["groq", "offline"]), ["offline", "groq"], "a voice is a voice");
        circuits.refused("own", Duration::from_secs(3_600));
        assert_eq!(order(&circuits, LLM, &["own", "groq"]), ["groq"], "a refused key is the very last to be tried");
        assert_eq!(order(&circuits, LLM, &["own"]), ["own"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_counts_until_there_is_another() {
        let circuits = Circuits::default();
        circuits.failed("groq", Service::Stt, Class::RateLimited, Some(Duration::from_secs(1)));
        let news = circuits.refused("groq", Duration::from_secs(3_600));
        assert_eq!(news, [Service::Llm, Service::Vlm, Service::Tts], "it was left alone for one of them already");
        circuits.failed("groq", LLM, Class::Timeout, None);
        assert!(circuits.is_refused("groq"), "whatever else goes wrong then");
        assert_eq!(first(&circuits), "gemini");
        let began = Instant::now();
        tokio::time::advance(MOMENT).await;
        assert_eq!(circuits.forgive("groq", Instant::now()).len(), 4);
        assert!(circuits.is_forgiven_since("groq", began) && !circuits.is_forgiven_since("gemini", began));
        tokio::time::advance(MOMENT).await;
        assert!(!circuits.is_forgiven_since("groq", Instant::now()));
        assert!(!circuits.is_refused("groq"));
        assert_eq!(first(&circuits), "groq");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_taken_once_is_taken_for_everything() {
        let circuits = Circuits::default();
        circuits.refused("groq", Duration::from_secs(3_600));
        assert_eq!(circuits.succeeded("groq", LLM).len(), 4);
        assert!(!circuits.is_refused("groq"));
    }
}
