//! Tools that act on the desktop, with the person's consent, over real HTTP.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aura_core::DetachedTurn;
use aura_core::api::{
    self, Action, AnswerConsent, AnsweredBy, Ask, ConsentAnswer, ConsentRequest, HistoryQuery, Nothing, Speech,
    UndoAction,
};
use aura_core::desktop::{Control, Element, WindowContents};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{ToolOutcome, TurnRecord};
use aura_sandbox::{FixedAnswers, FixedAudio, Rule, RuleCondition, Script, ScriptedReply, TestSignal, ToolCall};
use aura_testkit::harness::Harness;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// An assistant with somebody at the desk, whose model makes these calls one after the other, and then says that it is done.
pub(crate) async fn acting(calls: &[(&str, Value)]) -> Harness {
    at_desk(Harness::new().await, calls).await
}

pub(crate) async fn at_desk(harness: Harness, calls: &[(&str, Value)]) -> Harness {
    let assistant = harness.assistant.clone();
    tokio::spawn(async move { assistant.attend().await });
    harness.until(|harness| !harness.assistant.snapshot().acting_tools.is_empty()).await;
    set_calls(&harness, calls);
    harness
}

pub(crate) fn set_calls(harness: &Harness, calls: &[(&str, Value)]) {
    let rule = |(name, arguments): &(&str, Value)| {
        Rule::calling(vec![ToolCall { name: (*name).into(), arguments: arguments.clone() }])
    };
    let rules = calls.iter().map(rule).chain([Rule::reply("That is all.")]).collect();
    harness.sandbox.set_script(Script { rules });
}

/// Asks a question in the background.
pub(crate) fn asking(harness: &Harness, text: &str) -> JoinHandle<TurnRecord> {
    let (assistant, text) = (harness.assistant.clone(), text.to_owned());
    tokio::spawn(
        async move { api::ask(&assistant, Ask { text, speech: Speech::None, ..Ask::default() }).await.unwrap() },
    )
}

/// Waits for the next question to the person.
pub(crate) async fn question(harness: &mut Harness) -> ConsentRequest {
    harness
        .next(|event| match event {
            Event::Consent { consent: Some(consent), .. } => Some((**consent).clone()),
            _ => None,
        })
        .await
}

pub(crate) async fn answer(harness: &Harness, request: &ConsentRequest, answer: ConsentAnswer) {
    let answer = AnswerConsent { id: request.id.clone(), answer, by: AnsweredBy::Window };
    api::answer_consent(&harness.assistant, answer).await.unwrap();
}

pub(crate) fn outcomes(record: &TurnRecord) -> Vec<(&str, ToolOutcome)> {
    record.tools.iter().map(|tool| (tool.name.as_str(), tool.outcome)).collect()
}

/// What the model was told in the last request.
async fn told(harness: &Harness) -> String {
    let requests = harness.sandbox.requests().await;
    let last = requests.iter().rfind(|request| request.json.as_ref().is_some_and(|json| !json["messages"].is_null()));
    last.and_then(|request| request.json.as_ref()).map(|json| json["messages"].to_string()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_waits_for_a_yes_and_is_recorded_before_it_is_done() {
    let mut harness = acting(&[("type_text", json!({"text": "Dear Ana"}))]).await;
    let asked = asking(&harness, "Write the salutation.");
    let request = question(&mut harness).await;
    assert_eq!(request.sentence, "Shall I type “Dear Ana” into the window “Letter”? Yes or no?");
    assert!(matches!(&request.action, Action::TypeText { text, .. } if text == "Dear Ana"), "{request:?}");
    assert!(request.may_remember);
    assert_eq!(harness.assistant.snapshot().consent.as_ref(), Some(&request));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(harness.ports.desktop.done(), [""; 0], "nothing is done before the answer");

    // The call is in the history when it is carried out: here it never ends.
    harness.ports.desktop.hangs.store(true, Ordering::SeqCst);
    answer(&harness, &request, ConsentAnswer::Yes).await;
    harness
        .until(|harness| {
            let turn = harness.newest().unwrap();
            turn.tools.first().is_some_and(|tool| tool.consent.is_some_and(|consent| consent.allowed))
        })
        .await;
    let tool = harness.newest().unwrap().tools.remove(0);
    assert_eq!((tool.outcome, tool.action.as_ref()), (ToolOutcome::Running, Some(&request.action)));
    assert_eq!(tool.consent.unwrap().by, AnsweredBy::Window);

    // Esc stops it at once.
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    let record = asked.await.unwrap();
    assert_eq!(outcomes(&record), [("type_text", ToolOutcome::Stopped)]);
    assert_eq!(harness.assistant.snapshot().consent, None);

    harness.ports.desktop.hangs.store(false, Ordering::SeqCst);
    set_calls(&harness, &[("type_text", json!({"text": "Dear Ana"}))]);
    let asked = asking(&harness, "Write the salutation.");
    let request = question(&mut harness).await;
    answer(&harness, &request, ConsentAnswer::Yes).await;
    let record = asked.await.unwrap();
    assert_eq!((record.error.clone(), record.answer.as_str()), (None, "That is all."));
    assert_eq!(outcomes(&record), [("type_text", ToolOutcome::Done)]);
    assert_eq!(harness.ports.desktop.done(), ["type Dear Ana into Letter"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_told_to_the_model_and_the_tool_is_not_asked_for_again() {
    let open = json!({"what": "address", "target": "example.org"});
    let mut harness = acting(&[("open", open.clone()), ("open", open)]).await;
    let asked = asking(&harness, "Open that page.");
    let request = question(&mut harness).await;
    assert_eq!(request.sentence, "Shall I open https://example.org/? Yes or no?");
    answer(&harness, &request, ConsentAnswer::No).await;
    let record = asked.await.unwrap();
    assert_eq!(outcomes(&record), [("open", ToolOutcome::Declined), ("open", ToolOutcome::Declined)]);
    assert_eq!(
        record.tools.iter().map(|tool| tool.consent.unwrap().by).collect::<Vec<_>>(),
        [AnsweredBy::Window, AnsweredBy::Remembered]
    );
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
    assert!(told(&harness).await.contains("The person said no."));
    let late = AnswerConsent { id: request.id, answer: ConsentAnswer::Yes, by: AnsweredBy::Window };
    assert_eq!(api::answer_consent(&harness.assistant, late).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_a_no() {
    let harness = Harness::set_up(&[], |setup| setup.consent_timeout = Some(Duration::from_millis(300))).await;
    let harness = at_desk(harness, &[("set_clipboard", json!({"text": "x"}))]).await;
    let record = asking(&harness, "Copy that.").await.unwrap();
    assert_eq!(outcomes(&record), [("set_clipboard", ToolOutcome::Declined)]);
    assert_eq!(record.tools[0].consent.unwrap().by, AnsweredBy::Nobody);
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
    assert!(told(&harness).await.contains("did not answer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_offered_without_a_person_without_the_setting_or_when_forbidden() {
    let harness = Harness::new().await;
    let calls = &[("set_clipboard", json!({"text": "x"}))];
    set_calls(&harness, calls);
    assert_eq!(harness.assistant.snapshot().acting_tools, [""; 0]);
    let record = asking(&harness, "Copy that.").await.unwrap();
    assert_eq!((record.answer.as_str(), outcomes(&record)), ("That is all.", vec![]), "nobody is at the desk");

    let harness = at_desk(harness, calls).await;
    for changes in [json!({"enabled": false}), json!({"enabled": true, "permissions": {"set_clipboard": "never"}})] {
        set_calls(&harness, calls);
        harness.change(json!({ "actions": changes })).await;
        let record = asking(&harness, "Copy that.").await.unwrap();
        assert_eq!(outcomes(&record), vec![], "{changes}");
    }
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_is_remembered_for_the_conversation_or_for_ever_until_it_is_taken_back() {
    let copy = ("set_clipboard", json!({"text": "x"}));
    let mut harness = acting(std::slice::from_ref(&copy)).await;
    let again = |harness: &Harness| set_calls(harness, std::slice::from_ref(&copy));

    let asked = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    answer(&harness, &request, ConsentAnswer::Conversation).await;
    assert_eq!(outcomes(&asked.await.unwrap()), [("set_clipboard", ToolOutcome::Done)]);
    again(&harness);
    let record = asking(&harness, "Copy it again.").await.unwrap();
    assert_eq!(record.tools[0].consent.unwrap().by, AnsweredBy::Remembered);

    api::new_session(&harness.assistant, Nothing {}).await.unwrap();
    again(&harness);
    let asked = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    answer(&harness, &request, ConsentAnswer::Always).await;
    assert_eq!(outcomes(&asked.await.unwrap()), [("set_clipboard", ToolOutcome::Done)]);
    harness.until(|harness| !harness.assistant.snapshot().settings.actions.permissions.is_empty()).await;
    api::new_session(&harness.assistant, Nothing {}).await.unwrap();
    again(&harness);
    let record = asking(&harness, "Copy that.").await.unwrap();
    assert_eq!(record.tools[0].consent.unwrap().by, AnsweredBy::Remembered);

    harness.change(json!({"actions": {"permissions": {"set_clipboard": null}}})).await;
    again(&harness);
    let asked = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    answer(&harness, &request, ConsentAnswer::No).await;
    assert_eq!(outcomes(&asked.await.unwrap()), [("set_clipboard", ToolOutcome::Declined)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_the_clipboard_can_be_put_back() {
    let mut harness = acting(&[("set_clipboard", json!({"text": "new"}))]).await;
    *harness.ports.desktop.clipboard.lock().unwrap() = Some("a secret".into());
    let asked = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    answer(&harness, &request, ConsentAnswer::Yes).await;
    let record = asked.await.unwrap();
    assert_eq!(record.tools[0].undone, Some(false));
    assert!(!serde_json::to_string(&record).unwrap().contains("a secret"), "it is in memory alone");
    let undo = UndoAction { turn: record.id.clone(), index: 0 };
    api::undo(&harness.assistant, undo.clone()).await.unwrap();
    assert_eq!(harness.ports.desktop.clipboard.lock().unwrap().as_deref(), Some("a secret"));
    assert_eq!(harness.newest().unwrap().tools[0].undone, Some(true));
    assert_eq!(api::undo(&harness.assistant, undo).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_change_is_undone_by_voice() {
    let mut harness = acting(&[("set_clipboard", json!({"text": "new"}))]).await;
    *harness.ports.desktop.clipboard.lock().unwrap() = Some("old".into());
    let asked = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    answer(&harness, &request, ConsentAnswer::Yes).await;
    let changed = asked.await.unwrap().id;
    harness.done().await;
    harness.sandbox.set_fixed(FixedAnswers {
        transcript: Some("Undo that.".into()),
        audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 400 }),
    });
    let record = harness.speak().await;
    assert_eq!((record.error.as_ref(), record.answer.as_str()), (None, "It is undone."));
    assert_eq!(harness.ports.desktop.clipboard.lock().unwrap().as_deref(), Some("old"));
    let turns = api::history(&harness.assistant, HistoryQuery::default()).await.unwrap();
    let changed = turns.into_iter().find(|turn| turn.id == changed).unwrap();
    assert_eq!(changed.tools[0].undone, Some(true));

    // A text that was typed is no earlier change: the model is asked, which can press the undo of the program in front.
    set_calls(&harness, &[("set_clipboard", json!({"text": "new"})), ("type_text", json!({"text": "Dear Ana"}))]);
    let asked = asking(&harness, "Copy that, and write it.");
    for _ in 0..2 {
        let request = question(&mut harness).await;
        answer(&harness, &request, ConsentAnswer::Yes).await;
    }
    asked.await.unwrap();
    harness.done().await;
    assert_eq!(harness.speak().await.answer, "That is all.");
    assert_eq!(harness.ports.desktop.clipboard.lock().unwrap().as_deref(), Some("new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_cannot_be_saved_is_not_done() {
    let mut harness = acting(&[("set_clipboard", json!({"text": "x"}))]).await;
    let asked = asking(&harness, "Copy that.");
    let request = question(&mut harness).await;
    harness.ports.history.is_full.store(true, Ordering::SeqCst);
    answer(&harness, &request, ConsentAnswer::Yes).await;
    let record = asked.await.unwrap();
    assert_eq!(outcomes(&record), [("set_clipboard", ToolOutcome::Failed)]);
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_example_shows_its_plan_and_says_what_cannot_be_done() {
    let steps = json!({"steps": [
        {"text": "Open WhatsApp", "tool": "open", "arguments": {"what": "application", "target": "WhatsApp"}},
        {"text": "Send a message to John", "tool": "send_message", "arguments": {"recipient": "John"}},
        {"text": "Open the editor", "tool": "open", "arguments": {"what": "application", "target": "Editor"}},
    ]});
    let editor = json!({"what": "application", "target": "Editor"});
    let mut harness = acting(&[("show_plan", steps), ("open", editor)]).await;
    let asked = asking(&harness, "Open WhatsApp and send a message to John.");
    let request = question(&mut harness).await;
    assert_eq!(request.tool, "open");
    answer(&harness, &request, ConsentAnswer::Yes).await;
    let record = asked.await.unwrap();
    assert_eq!(outcomes(&record), [("show_plan", ToolOutcome::Done), ("open", ToolOutcome::Done)]);
    let Some(Action::Plan { steps }) = &record.tools[0].action else { panic!("{:?}", record.tools[0]) };
    let problems: Vec<Option<&str>> = steps.iter().map(|step| step.problem.as_deref()).collect();
    assert_eq!(
        problems,
        [
            Some("There is no application named WhatsApp on this computer."),
            Some("AURA has no tool for this on this computer."),
            None
        ]
    );
    assert_eq!(harness.ports.desktop.done(), ["open org.example.Editor"]);
    assert!(
        record
            .answer
            .starts_with("Step 1 (“Open WhatsApp”) cannot be done here: There is no application named WhatsApp"),
        "it is said whatever the model says: {}",
        record.answer
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_refused_without_a_question() {
    let calls = [
        ("type_text", json!({"text": ""})),
        ("press_shortcut", json!({"keys": "Ctrl+Nonsense"})),
        ("open", json!({"what": "address", "target": "file:///etc/passwd"})),
        ("media", json!({"command": "volume", "percent": 300})),
        ("set_timer", json!({"seconds": 0})),
        ("cancel_timer", json!({"timer": 9})),
        ("open", json!({"what": "application", "target": "Nothing"})),
    ];
    let harness = acting(&calls).await;
    let record = asking(&harness, "Do strange things.").await.unwrap();
    let refused: Vec<ToolOutcome> = record.tools.iter().map(|tool| tool.outcome).collect();
    assert_eq!(refused[..5], [ToolOutcome::Refused; 5], "{:#?}", record.tools);
    assert_eq!(refused[5..], [ToolOutcome::Failed; 2]);
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_in_one_answer_are_asked_for_one_after_the_other() {
    let mut harness = acting(&[]).await;
    let both = ScriptedReply {
        tool_calls: vec![
            ToolCall { name: "set_clipboard".into(), arguments: json!({"text": "one"}) },
            ToolCall { name: "media".into(), arguments: json!({"command": "pause"}) },
        ],
        ..ScriptedReply::default()
    };
    let once = Rule { reply: both, times: Some(1), when: RuleCondition::default() };
    harness.sandbox.set_script(Script { rules: vec![once, Rule::reply("Done.")] });
    let asked = asking(&harness, "Copy that and pause the music.");
    let first = question(&mut harness).await;
    answer(&harness, &first, ConsentAnswer::No).await;
    let second = question(&mut harness).await;
    assert_eq!((first.tool.as_str(), second.tool.as_str()), ("set_clipboard", "media"));
    answer(&harness, &second, ConsentAnswer::Yes).await;
    assert_eq!(asked.await.unwrap().tools.len(), 2);
    assert_eq!(harness.ports.desktop.done(), ["media Pause"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_the_local_api_acts_on_nothing() {
    let harness = acting(&[("set_clipboard", json!({"text": "x"}))]).await;
    for plans in [false, true] {
        let text = "Open WhatsApp and send a message to John.".to_owned();
        let (_, outcome) = harness.assistant.detached(DetachedTurn { text, plans, ..DetachedTurn::default() });
        let record = outcome.await.record;
        assert_eq!((outcomes(&record), record.answer.as_str()), (vec![], "That is all."), "{plans}");
    }
    assert_eq!(harness.ports.desktop.done(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_read_and_its_controls_are_used_by_name() {
    let calls = [("read_window", json!({})), ("use_control", json!({"name": "save"}))];
    let mut harness = acting(&calls).await;
    let button = Control::new("button", "Save…", false);
    let elements = vec![
        Element { control: button.clone(), text: String::new(), states: Vec::new(), depth: 0 },
        Element {
            control: Control::new("entry", "File name", true),
            text: "a.txt".into(),
            states: Vec::new(),
            depth: 0,
        },
    ];
    *harness.ports.desktop.contents.lock().unwrap() = WindowContents { elements, is_cut: false };

    let asked = asking(&harness, "What does this window offer? Save it.");
    let request = question(&mut harness).await;
    assert_eq!(request.sentence, "May I read what is in the window “Letter”? Yes or no?");
    answer(&harness, &request, ConsentAnswer::Yes).await;
    let request = question(&mut harness).await;
    assert_eq!(request.sentence, "Shall I press “Save…” in the window “Letter”? Yes or no?");
    assert!(matches!(&request.action, Action::UseControl { control, .. } if *control == button), "{request:?}");
    assert!(!request.may_remember, "a foreign text may have led to it");
    answer(&harness, &request, ConsentAnswer::Yes).await;
    let record = asked.await.unwrap();
    assert_eq!(outcomes(&record), [("read_window", ToolOutcome::Done), ("use_control", ToolOutcome::Done)]);
    assert_eq!(harness.ports.desktop.done(), ["use the button Save… in Letter"]);
    assert!(told(&harness).await.contains("entry “File name”: a.txt"));

    // What is not there is not asked for.
    set_calls(&harness, &[("use_control", json!({"name": "Print"})), ("use_control", json!({"name": "file name"}))]);
    let asked = asking(&harness, "Print it, and then the name.");
    let request = question(&mut harness).await;
    assert!(request.sentence.contains("put the cursor into “File name”"), "{}", request.sentence);
    answer(&harness, &request, ConsentAnswer::No).await;
    let record = asked.await.unwrap();
    assert_eq!(outcomes(&record), [("use_control", ToolOutcome::Failed), ("use_control", ToolOutcome::Declined)]);
    assert_eq!(harness.ports.desktop.done().len(), 1);
}
