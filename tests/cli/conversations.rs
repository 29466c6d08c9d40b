//! `aura conversations`, and questions that go on with an earlier conversation.

use aura_sandbox::Service;
use aura_tests::aura::{Aura, Ended};
use aura_tests::desktop::with_desktop;
use aura_tests::providers::Providers;
use serde_json::Value;

/// The session of the turn that a command printed.
fn session(ended: &Ended) -> String {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()["session"].as_str().expect("a turn has a session").to_owned()
}

/// The messages of the last request to a model, as text.
fn last_messages(providers: &Providers) -> String {
    let requests = providers.requests(Service::Llm);
    let json = requests.last().and_then(|request| request.json.as_ref()).expect("a model was asked");
    json["messages"].to_string()
}

fn list(aura: &Aura, arguments: &[&str]) -> Vec<Value> {
    let ended = aura.run(&[&["conversations", "--json"], arguments].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json().as_array().cloned().expect("a list")
}

#[test]
fn a_question_goes_on_with_the_newest_conversation_or_a_named_one() {
    let providers = Providers::answering("Hello.");
    let aura = Aura::new().with_all(providers.groq());
    let began = aura.run(&["ask", "My name is Ada.", "--continue", "--json"]);
    assert!(began.err.contains("no earlier conversation"), "{began:?}");
    let first = session(&began);
    let second = session(&aura.run(&["ask", "What is the time?", "--json"]));
    assert_ne!(first, second);
    assert!(!last_messages(&providers).contains("Ada"));

    assert_eq!(session(&aura.run(&["ask", "And now?", "--continue", "--json"])), second);
    assert!(last_messages(&providers).contains("What is the time?"));
    assert_eq!(session(&aura.run(&["ask", "Who am I?", "--conversation", &first, "--json"])), first);
    let messages = last_messages(&providers);
    assert!(messages.contains("Ada") && !messages.contains("What is the time?"), "{messages}");

    let listed = list(&aura, &[]);
    let shown: Vec<_> = listed.iter().map(|it| (it["id"].as_str(), it["turns"].as_u64())).collect();
    assert_eq!(shown, [(Some(first.as_str()), Some(2)), (Some(second.as_str()), Some(2))]);
    assert_eq!(list(&aura, &["--limit", "1"]).len(), 1);
    assert_eq!(list(&aura, &["--search", "time"])[0]["id"], second.as_str());
    let table = aura.run(&["conversations"]);
    assert!(table.code == 0 && table.out.contains(&first) && table.out.contains("My name is Ada."), "{table:?}");
}

#[test]
fn a_conversation_that_does_not_exist_is_an_error_and_nothing_is_asked() {
    let providers = Providers::answering("Hello.");
    let aura = Aura::new().with_all(providers.groq());
    let ended = aura.run(&["ask", "Who am I?", "--conversation", "nobody-knows-it"]);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
    assert!(ended.err.contains("error[not_found]: ") && ended.err.contains("nobody-knows-it"), "{ended:?}");
    assert!(providers.requests(Service::Llm).is_empty());
    assert_eq!(aura.run(&["ask", "Who?", "--continue", "--conversation", "x"]).code, 2, "one or the other");
    let table = aura.run(&["conversations"]);
    assert_eq!((table.code, table.out.as_str()), (0, "No conversations found.\n"), "{table:?}");
}

#[test]
fn the_running_app_and_the_command_line_share_conversations() {
    with_desktop("conversations::the_running_app_and_the_command_line_share_conversations", || {
        let providers = Providers::answering("Hello.");
        let app = Aura::new().with_all(providers.groq()).start();
        let record = app.call("ask", serde_json::json!({"text": "My name is Ada.", "speech": "none"}));
        let shared = record["session"].as_str().expect("a turn has a session").to_owned();
        assert_eq!(list(app.aura(), &[])[0]["id"], shared.as_str());
        assert_eq!(session(&app.aura().run(&["ask", "Who am I?", "--continue", "--json"])), shared);
        assert!(last_messages(&providers).contains("Ada"));
    });
}
