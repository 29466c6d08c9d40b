use std::sync::Arc;

use aura_providers::{Chat, FailureKind, Service};

use crate::error::Error;
use crate::plan::RoutePlan;
use crate::router::Router;
use crate::settings::{RouteChoice, RouteOverrides, RoutingSettings};
use crate::testing::{FailingChat, chat_plan, route, router};

fn providers(plan: &RoutePlan) -> Vec<&str> {
    plan.candidates().iter().map(|candidate| candidate.route.provider.as_str()).collect()
}

fn plan(router: &Router, overrides: &RouteOverrides) -> RoutePlan {
    router.plan(Service::Llm, overrides).unwrap()
}

#[tokio::test]
async fn pinning_a_route_moves_its_provider_first_and_keeps_the_order_of_the_others() {
    let router = router();
    let mut plan = plan(&router, &RouteOverrides::default());
    assert_eq!(providers(&plan), ["groq", "gemini", "offline"]);
    plan.pin(&route("offline", "any"));
    assert_eq!(providers(&plan), ["offline", "groq", "gemini"]);
    plan.pin(&route("gemini", "any"));
    assert_eq!(providers(&plan), ["gemini", "offline", "groq"]);
    plan.pin(&route("nowhere", "any"));
    assert_eq!(providers(&plan), ["gemini", "offline", "groq"], "an unknown provider changes nothing");
}

#[tokio::test]
async fn a_plan_is_followed_by_the_routes_of_another() {
    let router = router();
    let only = |provider: &str| plan(&router, &RouteOverrides { llm: Some(provider.into()), ..Default::default() });
    let both = only("gemini").followed_by(only("groq"));
    assert_eq!(providers(&both), ["gemini", "groq"]);
    assert_eq!(both.first().route.provider, "gemini");
    assert_eq!(both.service(), Service::Llm);
}

#[tokio::test]
async fn only_the_first_route_is_called_by_a_plan_of_only_the_first() {
    let router = router();
    let chat: Arc<dyn Chat> = Arc::new(FailingChat(FailureKind::Unreachable));
    let plan = chat_plan(&router, &chat).only_first();
    assert_eq!(providers(&plan), ["groq"]);
    let result = router.chat(&plan, &Default::default(), &(), &mut Vec::new()).await;
    let error = result.unwrap_err();
    assert!(matches!(error, Error::AllFailed { .. }), "{error:?}");
    assert!(error.attempts().iter().all(|attempt| attempt.route.provider == "groq"), "{error:?}");
}

#[tokio::test]
async fn a_plan_always_has_a_route() {
    let router = Router::builder().build().unwrap();
    for service in Service::ALL {
        match router.plan(service, &RouteOverrides::default()) {
            Ok(plan) => assert!(!plan.only_first().candidates().is_empty(), "{service:?}"),
            Err(Error::NoRoute { service: of, reasons }) => {
                assert_eq!(of, service);
                assert!(reasons.iter().any(|(provider, _)| provider == "groq"), "{reasons:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    let mut settings = RoutingSettings { fallback: false, ..RoutingSettings::default() };
    settings.routes.llm = RouteChoice { provider: Some("groq".into()), ..RouteChoice::default() };
    let router = Router::builder().settings(settings).build().unwrap();
    let error = router.plan(Service::Llm, &RouteOverrides::default()).err();
    assert!(matches!(error, Some(Error::NoRoute { .. })), "no key and no fallback: {error:?}");
}

#[tokio::test]
async fn an_unknown_provider_in_an_override_is_an_error_that_names_the_known_ones() {
    let overrides = RouteOverrides { llm: Some("nowhere/m".into()), ..RouteOverrides::default() };
    let Err(Error::UnknownProvider { name, known }) = router().plan(Service::Llm, &overrides) else {
        panic!("the provider is unknown")
    };
    assert_eq!((name.as_str(), known), ("nowhere", vec!["groq".into(), "gemini".into(), "offline".into()]));
}

#[tokio::test]
async fn a_notice_says_why_the_chosen_provider_was_skipped() {
    let mut settings = RoutingSettings::default();
    settings.routes.llm.provider = Some("groq".into());
    let router = Router::builder().settings(settings).build().unwrap();
    let plan = plan(&router, &RouteOverrides::default());
    assert_eq!(plan.first().route.provider, "offline");
    let notices: Vec<&str> = plan.notices().iter().map(|notice| notice.message.as_str()).collect();
    assert_eq!(notices, ["Groq was skipped: it has no API key yet."]);
}

#[tokio::test]
async fn a_voice_that_does_not_speak_the_language_is_passed_over() {
    let router = router();
    let mut plan = router.plan(Service::Tts, &RouteOverrides::default()).unwrap();
    assert_eq!(providers(&plan), ["groq", "gemini", "offline"]);
    assert!(plan.speak_in(router.catalog(), "en"));
    assert_eq!(providers(&plan), ["groq", "gemini", "offline"]);
    assert!(plan.speak_in(router.catalog(), "de"));
    assert_eq!(providers(&plan), ["gemini", "offline", "groq"], "its voices are English");
    assert_eq!(plan.speech.language.as_deref(), Some("de"));
    let mut alone =
        router.plan(Service::Tts, &RouteOverrides { tts: Some("groq".into()), ..RouteOverrides::default() });
    assert!(!alone.as_mut().unwrap().speak_in(router.catalog(), "de"), "no other route is left");
}
