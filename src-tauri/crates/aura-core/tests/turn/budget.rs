//! The limit for the costs of a day.

use aura_core::api::{Ask, Speech};
use aura_core::record::{NoticeKind, TurnRecord};
use aura_router::RouteNoticeReason;
use aura_testkit::harness::Harness;
use serde_json::json;

use super::{answering_provider, notice_kinds};

async fn ask(harness: &Harness) -> TurnRecord {
    let ask = Ask { text: "What time is it?".into(), screen: Some(false), speech: Speech::None, ..Ask::default() };
    harness.ask_for(ask).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reaching_the_limit_is_told_once_and_changes_nothing() {
    let harness = Harness::new().await;
    harness.change(json!({"budget": {"daily_usd": 0.000_001}})).await;
    let first = ask(&harness).await;
    assert_eq!(notice_kinds(&first), [NoticeKind::DailyLimit]);
    assert_eq!(first.notices[0].facts.as_ref().unwrap().limit_cents, Some(0));
    let second = ask(&harness).await;
    assert_eq!((notice_kinds(&second), answering_provider(&second)), (vec![], Some("groq".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_stop_only_this_computer_answers_for_the_rest_of_the_day() {
    let harness = Harness::new().await;
    harness.change(json!({"budget": {"daily_usd": 0.000_001, "stop": true}})).await;
    assert_eq!(answering_provider(&ask(&harness).await), Some("groq".into()));
    let calls = harness.sandbox.requests().await.len();
    let second = ask(&harness).await;
    assert_eq!(answering_provider(&second), Some("offline".into()));
    assert_eq!(notice_kinds(&second), [NoticeKind::NotReady]);
    let facts = second.notices[0].facts.clone().unwrap();
    assert_eq!((facts.provider.as_deref(), facts.reason), (Some("groq"), Some(RouteNoticeReason::DailyLimit)));
    assert_eq!(harness.sandbox.requests().await.len(), calls, "no call is billed");
    // A higher limit lets it go on.
    harness.change(json!({"budget": {"daily_usd": 100.0}})).await;
    assert_eq!(answering_provider(&ask(&harness).await), Some("groq".into()));
}
