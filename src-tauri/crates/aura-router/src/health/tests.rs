use super::*;
use crate::testing;

fn attempt(ms: u32, kind: Option<FailureKind>) -> Attempt {
    testing::attempt("groq", ms, kind)
}

#[tokio::test(start_paused = true)]
async fn the_figures_cover_one_hour() {
    let health = Health::default();
    for ms in 1..=100 {
        health.record(&attempt(ms, None), None);
    }
    health.record(&attempt(9_999, Some(FailureKind::Overloaded)), None);
    let figures = health.figures("groq", Service::Llm);
    assert_eq!((figures.requests, figures.p50_ms, figures.p95_ms), (101, Some(50), Some(95)));
    assert_eq!(figures.hour[BUCKETS - 1], HealthBucket { ok: 100, failed: 1 });
    assert_eq!(figures.last_error.unwrap().kind, FailureKind::Overloaded);

    tokio::time::advance(WINDOW / 2).await;
    health.record(&attempt(7, None), Some(3));
    let figures = health.figures("groq", Service::Llm);
    assert_eq!((figures.hour[BUCKETS - 1].ok, figures.hour[BUCKETS / 2 - 1].ok), (1, 100));

    tokio::time::advance(WINDOW / 2 + Duration::from_secs(1)).await;
    let figures = health.figures("groq", Service::Llm);
    assert_eq!((figures.requests, figures.success_rate, figures.p50_ms), (1, Some(1.0), Some(3)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_request_caused_is_not_counted() {
    let health = Health::default();
    for kind in [FailureKind::InvalidRequest, FailureKind::Blocked, FailureKind::Unsupported, FailureKind::Cancelled] {
        health.record(&attempt(1, Some(kind)), None);
    }
    assert_eq!(health.figures("groq", Service::Llm).requests, 0);
    assert_eq!(health.p95("groq", Service::Llm), None);
}

#[test]
fn the_status_follows_the_circuit_and_the_failure_rate() {
    let figures = |rate| Figures { requests: 10, success_rate: Some(rate), ..Figures::default() };
    let health = figures(1.0).health(Service::Llm, CircuitState::Closed, None);
    assert_eq!((health.status, health.reason), (Status::Healthy, None));
    assert_eq!(figures(0.8).health(Service::Llm, CircuitState::Closed, None).status, Status::Degraded);
    let open = figures(1.0).health(Service::Llm, CircuitState::Open, Some(Duration::from_secs(5)));
    assert!(open.status == Status::Unhealthy && open.cooldown_until.is_some() && open.reason.is_some());
}

#[test]
fn the_overall_status_is_that_of_the_worst_service() {
    let of = |status, services: &[(Service, Status)]| ProviderHealth {
        name: "x".into(),
        label: "X".into(),
        status,
        reason: None,
        services: services
            .iter()
            .map(|(service, status)| ServiceHealth {
                status: *status,
                ..Figures::default().health(*service, CircuitState::Closed, None)
            })
            .collect(),
    };
    let all = |status| Service::ALL.map(|service| (service, status));
    let bad = of(Status::Unhealthy, &all(Status::Unhealthy));
    let good = of(Status::Healthy, &all(Status::Healthy));
    assert_eq!(overall(&[bad.clone(), good]), Status::Healthy);
    let some = of(Status::Healthy, &[(Service::Llm, Status::Healthy)]);
    assert_eq!(overall(&[bad, some]), Status::Unhealthy);
    let off = of(Status::Unavailable, &all(Status::Healthy));
    assert_eq!(overall(&[off]), Status::Unavailable);
}
