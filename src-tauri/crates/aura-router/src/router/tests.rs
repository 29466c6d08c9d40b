use super::*;
use crate::settings::Timeouts;
use crate::testing::router;

fn chat(router: &Router, provider: &str) -> Arc<dyn aura_providers::Chat> {
    let overrides = RouteOverrides { llm: Some(provider.into()), ..RouteOverrides::default() };
    let plan = router.plan(Service::Llm, &overrides).unwrap();
    plan.first().services.chat.clone().unwrap()
}

/// Whether the adapters of Groq and Gemini are the ones of `before`.
fn kept(router: &Router, before: &[Arc<dyn aura_providers::Chat>; 2]) -> (bool, bool) {
    (Arc::ptr_eq(&chat(router, "groq"), &before[0]), Arc::ptr_eq(&chat(router, "gemini"), &before[1]))
}

fn keys(groq: &str) -> ApiKeys {
    [("groq", groq), ("gemini", "k")].into_iter().collect()
}

#[tokio::test]
async fn reconfigure_keeps_the_adapters_of_unchanged_connections() {
    let router = router();
    let adapters = || [chat(&router, "groq"), chat(&router, "gemini")];
    let before = adapters();
    let settings = RoutingSettings { hedge: true, ..RoutingSettings::default() };
    router.reconfigure(settings.clone(), keys("k"));
    assert_eq!(kept(&router, &before), (true, true), "the connections did not change");
    router.reconfigure(settings.clone(), keys("another"));
    assert_eq!(kept(&router, &before), (false, true), "Groq has another key");
    let before = adapters();
    let mut moved = settings.clone();
    moved.providers.entry("gemini".into()).or_default().base_url = Some("http://127.0.0.1:9/".into());
    router.reconfigure(moved.clone(), keys("another"));
    assert_eq!(kept(&router, &before), (true, false), "Gemini has another address");
    let before = adapters();
    moved.timeouts = Timeouts { connect_ms: 1_234, ..moved.timeouts };
    router.reconfigure(moved, keys("another"));
    assert_eq!(kept(&router, &before), (false, false), "the HTTP clients have another timeout");
}

#[tokio::test]
async fn a_snapshot_does_not_change_when_the_router_is_reconfigured() {
    let router = router();
    let snapshot = router.snapshot();
    router.reconfigure(RoutingSettings::default(), ApiKeys::default());
    let first = |plan: RoutePlan| plan.first().route.provider.clone();
    let overrides = RouteOverrides::default();
    assert_eq!(first(router.plan_from(&snapshot, Service::Llm, &overrides).unwrap()), "groq");
    assert_eq!(first(router.plan(Service::Llm, &overrides).unwrap()), "offline", "no provider has a key");
}
