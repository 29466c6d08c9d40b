//! Conversations: continuing, renaming and deleting sessions, and pictures that come without a file.

use aura_core::api::{self, Ask, Nothing, RenameSession, Retry, SessionId, SessionsQuery, Speech, TurnId};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_sandbox::{FixedAnswers, FixedAudio, Service, TestSignal};
use aura_testkit::harness::{Harness, LIMIT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

const PICTURE: &[u8] = include_bytes!("../../../aura-testkit/src/screen.jpg");

fn typed(text: &str) -> Ask {
    Ask { text: text.into(), screen: Some(false), speech: Speech::None, ..Ask::default() }
}

/// The messages of the last request to the model, as text.
async fn last_request(harness: &Harness) -> String {
    let requests = harness.sandbox.requests().await;
    let last = requests.iter().rev().find(|request| request.service == Service::Llm).unwrap();
    last.json.as_ref().unwrap()["messages"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_continued_conversation_is_remembered() {
    let mut harness = Harness::new().await;
    let first = harness.ask_for(typed("My name is Ada.")).await.session;
    api::new_session(&harness.assistant, Nothing {}).await.unwrap();
    let second = harness.ask_for(typed("What is the time?")).await.session;
    assert_ne!(first, second);
    assert!(!last_request(&harness).await.contains("Ada"));
    let sessions = api::sessions(&harness.assistant, SessionsQuery::default()).await.unwrap();
    let titles: Vec<&str> = sessions.iter().map(|session| session.title.as_str()).collect();
    assert_eq!(titles, ["What is the time?", "My name is Ada."]);

    let snapshot = api::continue_session(&harness.assistant, SessionId { id: first.clone() }).await.unwrap();
    assert_eq!(snapshot.session, first);
    harness
        .next(|event| match event {
            Event::Changed { snapshot } => (snapshot.session == first).then_some(()),
            _ => None,
        })
        .await;
    harness.ask_for(typed("And now?")).await;
    assert!(last_request(&harness).await.contains("My name is Ada."));

    let missing = api::continue_session(&harness.assistant, SessionId { id: "none".into() }).await.unwrap_err();
    assert_eq!((missing.code, harness.assistant.session()), (ErrorCode::NotFound, first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_renamed_and_deleted() {
    let harness = Harness::new().await;
    let id = harness.ask_for(typed("What is the time?")).await.session;
    let rename = |title: &str| RenameSession { id: id.clone(), title: title.into() };
    api::rename_session(&harness.assistant, rename(" Clocks ")).await.unwrap();
    assert_eq!(harness.ports.history.titles.lock().unwrap()[&id], "Clocks");
    for bad in ["two\nlines".to_owned(), "x".repeat(201)] {
        let error = api::rename_session(&harness.assistant, rename(&bad)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{bad}");
    }
    let missing = RenameSession { id: "none".into(), title: "Clocks".into() };
    let error = api::rename_session(&harness.assistant, missing).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);

    let deleted = api::delete_session(&harness.assistant, SessionId { id: id.clone() }).await.unwrap();
    assert_eq!(deleted.turns, 1);
    assert_ne!(harness.assistant.session(), id, "the current conversation is gone, so a new one begins");
    assert_eq!(api::sessions(&harness.assistant, SessionsQuery::default()).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_without_a_file_is_kept_with_its_question() {
    let harness = Harness::new().await;
    let ask = Ask { picture: Some(BASE64.encode(PICTURE)), ..typed("What is this?") };
    let record = harness.ask_for(ask.clone()).await;
    assert_eq!(record.error, None);
    let kept = record.picture.clone().unwrap();
    assert!(kept.starts_with(harness.data()), "{}", kept.display());
    assert_eq!(std::fs::read(&kept).unwrap(), PICTURE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = Retry { id: record.id.clone(), ..Retry::default() };
    assert_eq!(api::retry(&harness.assistant, again).await.unwrap().error, None);
    let requests = harness.sandbox.requests().await;
    assert_eq!(requests.iter().filter(|request| request.images.len() == 1).count(), 2, "the retry sends it again");

    api::delete_turn(&harness.assistant, TurnId { id: record.id }).await.unwrap();
    assert!(!kept.exists());
    for bad in ["not base64!".to_owned(), BASE64.encode("no picture")] {
        let error = api::ask(&harness.assistant, Ask { picture: Some(bad), ..ask.clone() }).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_command_begins_a_new_conversation_without_a_model() {
    let mut harness = Harness::new().await;
    let first = harness.ask_for(typed("My name is Ada.")).await.session;
    harness.done().await;
    harness.sandbox.set_fixed(FixedAnswers {
        transcript: Some("Neues Gespräch.".into()),
        audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 400 }),
    });
    let mut events = harness.assistant.subscribe();
    let record = harness.speak().await;
    assert_eq!((record.error.as_ref(), record.answer.as_str()), (None, "Das ist ein neues Gespräch."));
    assert_eq!((record.spoken.as_str(), record.session.as_str()), ("Das ist ein neues Gespräch.", first.as_str()));
    let now = harness.assistant.session();
    assert_ne!(now, first);
    let told = async {
        loop {
            if matches!(events.recv().await.unwrap(), Event::Changed { snapshot } if snapshot.session == now) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, told).await.expect("the interfaces are told");
    let asked = |requests: &[aura_sandbox::RequestRecord]| {
        requests.iter().filter(|request| request.service == Service::Llm).count()
    };
    assert_eq!(asked(&harness.sandbox.requests().await), 1, "no model was asked about the command");
    assert_eq!(harness.ask_for(typed("Who am I?")).await.session, now);
    assert!(!last_request(&harness).await.contains("Ada"));

    // The same words typed are a question.
    harness.ask_for(typed("Neues Gespräch.")).await;
    assert_eq!((harness.assistant.session(), asked(&harness.sandbox.requests().await)), (now, 3));
}
