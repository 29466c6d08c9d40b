//! Questions that come back to the picture of an earlier one.

use std::sync::atomic::Ordering;

use aura_core::DetachedTurn;
use aura_core::api::{self, Ask, Nothing, Speech, TurnId};
use aura_core::record::ToolOutcome;
use aura_sandbox::{RequestRecord, Rule, RuleCondition, Script, Service as SandboxService};
use aura_testkit::harness::Harness;
use serde_json::json;

const AGAIN: &str = "look_at_earlier_picture";
const FOLLOW_UP: &str = "And what does the title say?";

/// A model that looks at the screen, and at the earlier picture when it is asked about a title.
async fn harness() -> Harness {
    let harness = Harness::new().await;
    let sees = RuleCondition { service: Some(SandboxService::Vlm), ..RuleCondition::default() };
    harness.sandbox.set_script(Script {
        rules: vec![
            Rule::calling_when_asked("screen", "look_at_screen"),
            Rule::calling_when_asked("title", AGAIN),
            Rule { when: sees, ..Rule::reply("I see {image_size}.") },
            Rule::reply("I see nothing."),
        ],
    });
    harness
}

async fn last_request(harness: &Harness) -> RequestRecord {
    let requests = harness.sandbox.requests().await;
    let is_chat = |request: &&RequestRecord| matches!(request.service, SandboxService::Llm | SandboxService::Vlm);
    requests.iter().filter(|request| request.method == "POST").rfind(is_chat).unwrap().clone()
}

/// Asks the follow-up. Returns whether it was answered from the earlier picture.
async fn is_seen_again(harness: &Harness) -> bool {
    let record = harness.ask(FOLLOW_UP).await;
    assert_eq!(record.error, None);
    record.answer == "I see 320x80."
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_sees_the_picture_again_without_a_new_one() {
    let harness = harness().await;
    assert!(!is_seen_again(&harness).await, "there is no picture yet");
    let first = harness.ask("What is on my screen?").await;
    let record = harness.ask(FOLLOW_UP).await;
    assert_eq!((record.answer.as_str(), &record.seen), ("I see 320x80.", &first.seen));
    assert_eq!(
        record.tools.iter().map(|tool| (tool.name.as_str(), tool.outcome)).collect::<Vec<_>>(),
        [(AGAIN, ToolOutcome::Done)]
    );
    assert_eq!(harness.ports.screen.captures.load(Ordering::SeqCst), 1);
    let sent = last_request(&harness).await;
    assert_eq!(sent.images.len(), 1);
    let sent = sent.json.unwrap().to_string();
    assert!(sent.contains("What is on my screen?"), "{sent}");
    // A question about something else takes no picture along.
    harness.ask("What time is it?").await;
    assert!(last_request(&harness).await.images.is_empty());
    // Another look replaces it.
    assert!(is_seen_again(&harness).await);
    harness.ask("What is on my screen now?").await;
    assert_eq!(last_request(&harness).await.images.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_forgotten_with_its_conversation_its_turn_and_its_permission() {
    let harness = harness().await;
    let look = async || harness.ask("What is on my screen?").await;
    look().await;
    api::new_session(&harness.assistant, Nothing {}).await.unwrap();
    assert!(!is_seen_again(&harness).await, "another conversation");
    let record = look().await;
    api::delete_turn(&harness.assistant, TurnId { id: record.id }).await.unwrap();
    assert!(!is_seen_again(&harness).await, "the turn is deleted");
    look().await;
    harness.change(json!({"screen": {"share": "never"}})).await;
    assert!(!is_seen_again(&harness).await, "the screen may not be shared any more");
    harness.change(json!({"screen": {"share": "when_asked"}})).await;
    assert!(!is_seen_again(&harness).await, "what was forgotten does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_picture_is_seen_again_whatever_the_screen_setting() {
    let harness = harness().await;
    harness.change(json!({"screen": {"share": "never"}})).await;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.jpg");
    std::fs::write(&picture, include_bytes!("../../../aura-testkit/src/screen.jpg")).unwrap();
    let ask = Ask { text: "What is this?".into(), image: Some(picture), speech: Speech::None, ..Ask::default() };
    assert_eq!(harness.ask_for(ask).await.answer, "I see 320x80.");
    assert!(is_seen_again(&harness).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_the_local_api_does_not_see_the_pictures_of_the_user() {
    let harness = harness().await;
    let first = harness.ask("What is on my screen?").await;
    let turn = |image| DetachedTurn {
        text: FOLLOW_UP.into(),
        session: first.session.clone(),
        image,
        ..DetachedTurn::default()
    };
    let outcome = harness.assistant.detached(turn(None)).1.await;
    assert_eq!((outcome.record.answer.as_str(), outcome.record.tools), ("I see nothing.", vec![]));
    // Nor does the user see the caller's.
    let picture = bytes::Bytes::from_static(include_bytes!("../../../aura-testkit/src/screen.jpg"));
    api::new_session(&harness.assistant, Nothing {}).await.unwrap();
    let session = harness.assistant.session();
    harness.assistant.detached(DetachedTurn { session, ..turn(Some(picture)) }).1.await;
    assert!(!is_seen_again(&harness).await);
}
