use super::*;
use crate::testing;

const LLM: Service = Service::Llm;
const MOMENT: Duration = Duration::from_millis(1);

fn order(circuits: &CircuitBreakers, service: Service, names: &[&str]) -> Vec<String> {
    let candidates: Vec<Candidate> = names.iter().map(|name| testing::candidate(name, "m")).collect();
    let order = circuits.order(&candidates, service);
    order.into_iter().map(|index| candidates[index].route.provider.clone()).collect()
}

fn first(circuits: &CircuitBreakers) -> String {
    order(circuits, LLM, &["groq", "gemini"])[0].clone()
}

fn trip(circuits: &CircuitBreakers, provider: &str, service: Service) {
    for _ in 0..FAILURE_THRESHOLD {
        circuits.on_failure(provider, service, FailureKind::Timeout, None);
    }
}

#[tokio::test(start_paused = true)]
async fn two_failures_in_a_row_open_a_circuit_and_the_open_period_doubles() {
    let circuits = CircuitBreakers::default();
    assert!(!circuits.on_failure("groq", LLM, FailureKind::Timeout, None));
    assert_eq!(first(&circuits), "groq", "one failure does not open it");
    // After two minutes of failures it stays open for longer.
    for seconds in [5, 10, 15, 15, 15, 15, 15, 15, 15, 60, 60] {
        let opened = circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
        assert_eq!(opened, seconds == 5, "the opening is reported once");
        tokio::time::advance(Duration::from_secs(seconds) - MOMENT).await;
        assert_eq!(first(&circuits), "gemini", "{seconds} s");
        tokio::time::advance(MOMENT).await;
        assert_eq!(first(&circuits), "groq", "the request after {seconds} s is the probe");
    }
    assert_eq!(circuits.on_success("groq", LLM), [LLM]);
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    assert_eq!(first(&circuits), "groq", "a success resets the count");
}

#[tokio::test(start_paused = true)]
async fn a_half_open_circuit_lets_one_probe_through() {
    let circuits = CircuitBreakers::default();
    trip(&circuits, "groq", LLM);
    assert_eq!(circuits.state("groq", LLM).0, CircuitState::Open);
    tokio::time::advance(INITIAL_OPEN).await;
    assert_eq!(circuits.state("groq", LLM).0, CircuitState::HalfOpen);
    circuits.on_call("groq", LLM);
    assert_eq!(first(&circuits), "gemini", "other requests skip the provider during the probe");
    tokio::time::advance(PROBE_TIMEOUT).await;
    assert_eq!(first(&circuits), "groq", "a probe without a result does not block it for ever");
    circuits.on_call("groq", LLM);
    circuits.on_failure("groq", LLM, FailureKind::Blocked, None);
    assert_eq!(first(&circuits), "groq", "blocked content is a response of a working provider");
}

#[tokio::test(start_paused = true)]
async fn a_demanded_pause_opens_the_circuit_at_the_first_failure() {
    let circuits = CircuitBreakers::default();
    circuits.on_failure("groq", LLM, FailureKind::RateLimited, Some(Duration::from_secs(30)));
    assert_eq!(order(&circuits, LLM, &["groq", "gemini"]), ["gemini"], "it is not even the last resort");
    circuits.on_failure("gemini", LLM, FailureKind::RateLimited, Some(Duration::from_secs(3)));
    assert_eq!(order(&circuits, LLM, &["groq", "gemini"]), ["gemini"], "all are open: the one that half-opens first");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(order(&circuits, LLM, &["groq", "gemini"]), ["groq", "gemini"]);
}

#[tokio::test(start_paused = true)]
async fn a_later_failure_never_shortens_the_open_period() {
    let circuits = CircuitBreakers::default();
    circuits.on_failure("groq", LLM, FailureKind::RateLimited, Some(Duration::from_secs(60)));
    // Results of calls that were in flight when the provider demanded the pause.
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    for kind in [FailureKind::InvalidRequest, FailureKind::Cancelled, FailureKind::Empty] {
        circuits.on_failure("groq", LLM, kind, None);
    }
    circuits.on_failure("groq", LLM, FailureKind::RateLimited, Some(Duration::from_secs(2)));
    tokio::time::advance(Duration::from_secs(60) - MOMENT).await;
    assert_eq!(first(&circuits), "gemini");
    tokio::time::advance(MOMENT).await;
    assert_eq!(first(&circuits), "groq");
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_the_last_resort() {
    let circuits = CircuitBreakers::default();
    trip(&circuits, "gemini", LLM);
    tokio::time::advance(MOMENT).await;
    trip(&circuits, "groq", LLM);
    let all = ["groq", "gemini", "own", "offline"];
    assert_eq!(order(&circuits, LLM, &all), ["own", "gemini", "offline"], "only the one that half-opens first");
    assert_eq!(order(&circuits, LLM, &["groq", "offline"]), ["groq", "offline"], "the built-in text is worse");
    assert_eq!(order(&circuits, LLM, &["offline", "groq"]), ["offline", "groq"], "unless it was chosen");
    trip(&circuits, "groq", Service::Tts);
    assert_eq!(order(&circuits, Service::Tts, &["groq", "offline"]), ["offline", "groq"], "built-in speech is as good");
    circuits.reject_key("own");
    assert_eq!(
        order(&circuits, LLM, &["own", "groq"]),
        ["groq"],
        "a rejected key comes after every other open circuit"
    );
    assert_eq!(order(&circuits, LLM, &["own"]), ["own"]);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_opens_every_service_until_there_is_another_key() {
    let circuits = CircuitBreakers::default();
    circuits.on_failure("groq", Service::Stt, FailureKind::RateLimited, Some(Duration::from_secs(1)));
    let opened = circuits.reject_key("groq");
    assert_eq!(opened, [Service::Llm, Service::Vlm, Service::Tts], "one circuit was open already");
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    assert!(circuits.is_key_rejected("groq"), "another failure does not change that");
    assert_eq!(first(&circuits), "gemini");
    let before = Instant::now();
    tokio::time::advance(MOMENT).await;
    assert_eq!(circuits.reset_key("groq", Instant::now()).len(), 4);
    assert!(circuits.was_reset_since("groq", before) && !circuits.was_reset_since("gemini", before));
    tokio::time::advance(MOMENT).await;
    assert!(!circuits.was_reset_since("groq", Instant::now()));
    assert!(!circuits.is_key_rejected("groq"));
    assert_eq!(first(&circuits), "groq");
}

#[tokio::test(start_paused = true)]
async fn an_accepted_key_closes_every_circuit_that_a_rejected_key_opened() {
    let circuits = CircuitBreakers::default();
    circuits.reject_key("groq");
    assert_eq!(circuits.on_success("groq", LLM).len(), 4);
    assert!(!circuits.is_key_rejected("groq"));
}

#[tokio::test(start_paused = true)]
async fn failures_that_are_far_apart_do_not_open_a_circuit() {
    let circuits = CircuitBreakers::default();
    for _ in 0..5 {
        circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
        assert_eq!(first(&circuits), "groq");
        tokio::time::advance(FAILURE_WINDOW + MOMENT).await;
    }
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    tokio::time::advance(FAILURE_WINDOW).await;
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    assert_eq!(first(&circuits), "gemini", "two within the window are in a row");
}

#[tokio::test(start_paused = true)]
async fn a_new_outage_starts_with_short_open_periods_again() {
    let circuits = CircuitBreakers::default();
    // A long outage: the circuit stays open for 60 s at a time.
    trip(&circuits, "groq", LLM);
    while circuits.state("groq", LLM).1 != Some(MAX_OPEN) {
        tokio::time::advance(circuits.state("groq", LLM).1.unwrap_or_default()).await;
        circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    }
    tokio::time::advance(MAX_OPEN + FAILURE_WINDOW).await;
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    assert_eq!(circuits.state("groq", LLM).1, Some(MAX_OPEN), "the time while it was open does not count");
    tokio::time::advance(Duration::from_secs(3 * 24 * 3_600)).await;
    assert_eq!(circuits.state("groq", LLM).0, CircuitState::HalfOpen);
    assert!(circuits.on_failure("groq", LLM, FailureKind::Timeout, None), "its state changed");
    assert_eq!(circuits.state("groq", LLM).0, CircuitState::Closed, "one failure of a new outage");
    for seconds in [5, 10, 15, 15] {
        circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
        let open = Duration::from_secs(seconds);
        assert_eq!(circuits.state("groq", LLM).1, Some(open));
        tokio::time::advance(open).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_neither_a_failure_nor_a_success() {
    let circuits = CircuitBreakers::default();
    for _ in 0..5 {
        circuits.on_failure("groq", LLM, FailureKind::Cancelled, None);
    }
    assert_eq!(circuits.state("groq", LLM).0, CircuitState::Closed);
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    circuits.on_failure("groq", LLM, FailureKind::Cancelled, None);
    circuits.on_failure("groq", LLM, FailureKind::Timeout, None);
    assert_eq!(circuits.state("groq", LLM).1, Some(INITIAL_OPEN), "the failures before and after it are in a row");
    tokio::time::advance(INITIAL_OPEN).await;
    circuits.on_call("groq", LLM);
    circuits.on_failure("groq", LLM, FailureKind::Cancelled, None);
    assert_eq!(circuits.state("groq", LLM).0, CircuitState::HalfOpen, "a cancelled probe decides nothing");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_pauses_for_a_minute_and_then_for_longer_up_to_an_hour() {
    let circuits = CircuitBreakers::default();
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        let pause = Duration::from_secs(minutes * 60);
        circuits.reject_key("groq");
        circuits.reject_key("groq");
        for service in Service::ALL {
            assert_eq!(circuits.state("groq", service), (CircuitState::Open, Some(pause)), "{minutes} min");
        }
        tokio::time::advance(pause - MOMENT).await;
        assert_eq!(first(&circuits), "gemini");
        tokio::time::advance(MOMENT).await;
        assert_eq!(first(&circuits), "groq", "the next request is the probe");
        circuits.on_call("groq", LLM);
        assert_eq!(first(&circuits), "gemini", "other requests skip the provider during the probe");
    }
    assert!(circuits.is_key_rejected("groq"));
    circuits.on_success("groq", Service::Tts);
    circuits.reject_key("groq");
    assert_eq!(circuits.state("groq", LLM).1, Some(Duration::from_secs(60)), "a success starts it over");
}

#[tokio::test(start_paused = true)]
async fn an_accepted_key_closes_only_what_the_rejected_key_had_opened() {
    let circuits = CircuitBreakers::default();
    let hour = Duration::from_secs(3_600);
    circuits.on_failure("groq", LLM, FailureKind::Quota, Some(hour));
    let before = Instant::now();
    tokio::time::advance(MOMENT).await;
    circuits.reject_key("groq");
    circuits.accept_key("groq", before);
    assert!(circuits.is_key_rejected("groq"), "a list that was asked for before says nothing");
    circuits.accept_key("groq", Instant::now());
    assert!(!circuits.is_key_rejected("groq"));
    assert_eq!(circuits.state("groq", LLM), (CircuitState::Open, Some(hour - MOMENT)), "the quota is still used up");
    assert_eq!(circuits.state("groq", Service::Tts).0, CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_call_opens_only_its_own_service() {
    let circuits = CircuitBreakers::default();
    for _ in 0..2 {
        circuits.on_failure("groq", LLM, FailureKind::Forbidden, None);
    }
    assert_eq!(circuits.state("groq", LLM).0, CircuitState::Open);
    for service in [Service::Stt, Service::Vlm, Service::Tts] {
        assert_eq!(circuits.state("groq", service).0, CircuitState::Closed);
    }
}
