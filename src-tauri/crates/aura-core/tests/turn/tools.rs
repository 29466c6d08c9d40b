//! Tools that the model calls during a turn: looking at the screen, over real HTTP in every format that has tools.

use std::sync::atomic::Ordering;

use aura_core::api::{self, Ask, Nothing, SaveKey, Speech};
use aura_core::error::ErrorCode;
use aura_core::event::Event;
use aura_core::record::{NoticeKind, Stage, ToolOutcome, TurnRecord};
use aura_providers::Service;
use aura_sandbox::{
    Fault, FaultKind, Provider, RequestRecord, Rule, RuleCondition, Script, ScriptedReply, Service as SandboxService,
    ToolCall,
};
use aura_testkit::harness::Harness;
use serde_json::{Value, json};

use super::{answering_provider, notice_kinds};

const LOOK: &str = "look_at_screen";
const QUESTION: &str = "What does the window on my screen say?";
const SEEN: &str = "I see a picture of 320x80 pixels.";
const UNSEEN: &str = "I see nothing at all.";

/// A model that looks at the screen when it is asked about it, says how large the picture is, and sees nothing without one.
fn looks() -> Vec<Rule> {
    vec![Rule::calling_when_asked("screen", LOOK), sees(), Rule::reply(UNSEEN)]
}

fn sees() -> Rule {
    Rule {
        when: RuleCondition { service: Some(SandboxService::Vlm), ..RuleCondition::default() },
        ..Rule::reply("I see a picture of {image_size} pixels.")
    }
}

async fn harness(rules: Vec<Rule>) -> Harness {
    let harness = Harness::new().await;
    harness.sandbox.set_script(Script { rules });
    harness
}

fn captures(harness: &Harness) -> u64 {
    harness.ports.screen.captures.load(Ordering::SeqCst)
}

/// The names and outcomes of a turn's tools.
fn outcomes(record: &TurnRecord) -> Vec<(&str, ToolOutcome)> {
    record.tools.iter().map(|tool| (tool.name.as_str(), tool.outcome)).collect()
}

/// The requests to language models, in order.
async fn chats(harness: &Harness) -> Vec<RequestRecord> {
    let requests = harness.sandbox.requests().await;
    let is_chat = |request: &RequestRecord| matches!(request.service, SandboxService::Llm | SandboxService::Vlm);
    requests.into_iter().filter(|request| request.method == "POST" && is_chat(request)).collect()
}

fn body(request: &RequestRecord) -> &Value {
    request.json.as_ref().unwrap()
}

/// The names of the tools that a request offers, in either format.
fn offered(request: &RequestRecord) -> Vec<String> {
    let tools = body(request)["tools"].as_array().cloned().unwrap_or_default();
    let names = tools.iter().flat_map(|tool| match tool["functionDeclarations"].as_array() {
        Some(declarations) => declarations.iter().map(|declaration| declaration["name"].clone()).collect(),
        None => vec![tool["function"]["name"].clone()],
    });
    names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screenshot_is_sent_only_with_a_question_about_the_screen() {
    let mut harness = harness(looks()).await;
    let record = harness.speak().await;
    assert_eq!((record.answer.as_str(), &record.seen, outcomes(&record)), (UNSEEN, &None, vec![]));
    assert_eq!(captures(&harness), 0, "the screen was captured for a question about the time");

    let mut events = harness.assistant.subscribe();
    let record = harness.ask(QUESTION).await;
    assert_eq!((record.error.clone(), record.answer.as_str()), (None, SEEN));
    assert_eq!(record.seen.as_ref().map(|seen| (seen.width, seen.height)), Some((320, 80)));
    assert_eq!((outcomes(&record), captures(&harness)), (vec![(LOOK, ToolOutcome::Done)], 1));
    assert_eq!(record.tools[0].arguments, "{}");
    let thinking = record.stages.iter().find(|stage| stage.stage == Stage::Thinking).unwrap();
    assert_eq!(thinking.attempts.len(), 2, "both calls belong to the answer: {thinking:?}");
    let mut shown = Vec::new();
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Stage { stage, .. } => shown.push(format!("{stage:?}")),
            Event::Seen { seen, .. } => shown.push(format!("{} x {}", seen.width, seen.height)),
            _ => {}
        }
    }
    assert_eq!(shown, ["Thinking", "Looking", "320 x 80", "Thinking", "Speaking", "Idle"]);

    harness.change(json!({"screen": {"share": "never"}})).await;
    let record = harness.ask(QUESTION).await;
    assert_eq!((record.answer.as_str(), record.seen), (UNSEEN, None));
    let attached = Ask { text: "And now?".into(), screen: Some(true), speech: Speech::None, ..Ask::default() };
    assert!(harness.ask_for(attached).await.seen.is_some(), "the user attached it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_any_format_looks_and_one_of_any_format_sees() {
    let harness = harness(looks()).await;
    let server = json!({"providers": {"local": {"base_url": harness.sandbox.openai_base_url()}}});
    harness.change(server).await;
    let key = SaveKey { provider: "local".into(), key: "sandbox-key".into(), session_only: true };
    api::save_key(&harness.assistant, key).await.unwrap();
    for (asked, sees) in
        [("groq", "gemini"), ("gemini", "groq"), ("gemini", "gemini"), ("local", "groq"), ("local", "gemini")]
    {
        let before = chats(&harness).await.len();
        let routes = json!({"routes": {"llm": {"provider": asked}, "vlm": {"provider": sees}}});
        harness.change(routes).await;
        // The models of the server are known once they are listed.
        harness
            .until(|harness| {
                let routes = harness.assistant.snapshot().routes;
                let llm = routes.iter().find(|view| view.service == Service::Llm);
                llm.and_then(|view| view.routes.first()).is_some_and(|route| route.provider == asked)
            })
            .await;
        let record = harness.ask(QUESTION).await;
        assert_eq!((record.error.clone(), record.answer.as_str()), (None, SEEN), "{asked}, {sees}: {record:#?}");
        assert_eq!(outcomes(&record), [(LOOK, ToolOutcome::Done)], "{asked}, {sees}");
        assert_eq!(answering_provider(&record).as_deref(), Some(sees));
        let sent = chats(&harness).await.split_off(before);
        let images: Vec<usize> = sent.iter().map(|request| request.images.len()).collect();
        assert_eq!(images, [0, 1], "{asked}, {sees}");
        assert!(offered(&sent[0]).contains(&LOOK.to_owned()), "{asked}: {:#?}", body(&sent[0]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_fails_after_the_look_leaves_the_picture_to_the_next_one() {
    for (fault, groq_answers) in
        [(Fault::status(503), ""), (Fault::new(FaultKind::CutAfter { chunks: 3, reset: true }), "I see")]
    {
        let continued = Rule {
            when: RuleCondition { contains: Some("cut off".into()), ..RuleCondition::default() },
            ..Rule::reply("a picture of {image_size} pixels.")
        };
        let harness = harness([vec![continued], looks()].concat()).await;
        harness.sandbox.add_fault(fault.provider(Provider::Groq).service(SandboxService::Vlm));
        let record = harness.ask(QUESTION).await;
        assert_eq!(record.error, None);
        assert!(record.answer.starts_with(groq_answers) && record.answer.contains("320x80"), "{}", record.answer);
        assert_eq!(answering_provider(&record).as_deref(), Some("gemini"));
        assert_eq!((outcomes(&record), captures(&harness)), (vec![(LOOK, ToolOutcome::Done)], 1));
        let sent = chats(&harness).await;
        let last = sent.last().unwrap();
        assert_eq!((last.provider, last.images.len()), (Provider::Gemini, 1));
        assert!(body(last)["contents"].to_string().contains("functionResponse"), "the result goes along");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_can_be_stopped_while_the_screen_is_captured() {
    let mut harness = harness(looks()).await;
    harness.ports.screen.waits.store(true, Ordering::SeqCst);
    let assistant = harness.assistant.clone();
    let asked = tokio::spawn(async move {
        api::ask(&assistant, Ask { text: QUESTION.into(), speech: Speech::None, ..Ask::default() }).await
    });
    harness.next(|event| matches!(event, Event::Stage { stage: Stage::Looking, .. }).then_some(())).await;
    harness.until(|harness| captures(harness) == 1).await;
    harness.until(|harness| harness.newest().is_some_and(|turn| !turn.tools.is_empty())).await;
    assert_eq!(outcomes(&harness.newest().unwrap()), [(LOOK, ToolOutcome::Running)], "it is saved before it ends");
    api::cancel(&harness.assistant, Nothing {}).await.unwrap();
    let record = asked.await.unwrap().unwrap();
    assert_eq!(record.error.as_ref().map(|error| error.code), Some(ErrorCode::Cancelled));
    assert_eq!((outcomes(&record), &record.seen), (vec![(LOOK, ToolOutcome::Stopped)], &None));
    assert_eq!(harness.assistant.snapshot().stage, Stage::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_with_a_notice_when_the_screen_cannot_be_captured() {
    let harness = harness(looks()).await;
    harness.ports.screen.refused.store(true, Ordering::SeqCst);
    let record = harness.ask(QUESTION).await;
    assert_eq!((record.error.clone(), notice_kinds(&record)), (None, vec![NoticeKind::NoScreen]));
    assert_eq!((record.answer.as_str(), &record.seen), (UNSEEN, &None));
    assert_eq!(outcomes(&record), [(LOOK, ToolOutcome::Failed)]);
    let sent = chats(&harness).await;
    let told = body(sent.last().unwrap())["messages"].to_string();
    assert!(told.contains("The screen cannot be captured here."), "{told}");

    // The same when the user attached it.
    let attached = Ask { text: "And now?".into(), screen: Some(true), speech: Speech::None, ..Ask::default() };
    let record = harness.ask_for(attached).await;
    assert_eq!((record.error.clone(), notice_kinds(&record)), (None, vec![NoticeKind::NoScreen]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_calls_again_and_again_has_to_answer_after_five_steps() {
    let again = ScriptedReply {
        text: "Once more.".into(),
        tool_calls: vec![ToolCall { name: LOOK.into(), arguments: json!({}) }],
        ..ScriptedReply::default()
    };
    let harness = harness(vec![Rule { reply: again, ..Rule::default() }]).await;
    let record = harness.ask(QUESTION).await;
    assert_eq!((record.error.clone(), record.tools.len(), captures(&harness)), (None, 5, 1), "{record:#?}");
    assert_eq!(record.answer, ["Once more."; 6].join("\n\n"));
    let sent = chats(&harness).await;
    assert_eq!((sent.len(), &body(&sent[5])["tool_choice"]), (6, &json!("none")));
    assert!(sent[1..].iter().all(|request| request.images.len() == 1), "the picture is sent once in each request");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tool_and_wrong_arguments_are_not_carried_out() {
    for provider in ["groq", "gemini"] {
        let unknown = ScriptedReply {
            tool_calls: vec![ToolCall { name: "format_disk".into(), arguments: json!({"disk": "x".repeat(400)}) }],
            calls_unknown_tools: true,
            ..ScriptedReply::default()
        };
        let once = Rule { reply: unknown, times: Some(1), ..Rule::default() };
        let harness = harness(vec![once, Rule::reply("I did nothing.")]).await;
        harness.change(json!({"routes": {"llm": {"provider": provider}}})).await;
        let record = harness.ask("Make room on my disk.").await;
        assert_eq!((record.error.clone(), record.answer.as_str()), (None, "I did nothing."), "{provider}");
        assert_eq!(outcomes(&record), [("format_disk", ToolOutcome::Refused)], "{provider}");
        assert_eq!(record.tools[0].arguments.chars().count(), 301, "{provider}");
        let sent = chats(&harness).await;
        let told = body(sent.last().unwrap()).to_string();
        assert!(told.contains("There is no tool named format_disk."), "{provider}: {told}");
    }
    // Arguments that are no object make the call unreadable. In Gemini's format there are none such.
    let call = ToolCall { name: LOOK.into(), arguments: json!("everything") };
    let harness = harness(vec![Rule::calling(vec![call]), Rule::reply("Without looking.")]).await;
    let record = harness.ask(QUESTION).await;
    assert_eq!((record.error.clone(), record.answer.as_str()), (None, "Without looking."));
    assert_eq!((outcomes(&record), captures(&harness)), (vec![], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_says_before_it_looks_is_spoken() {
    let looking = ScriptedReply {
        text: "Let me have a look.".into(),
        tool_calls: vec![ToolCall { name: LOOK.into(), arguments: json!({}) }],
        ..ScriptedReply::default()
    };
    let harness = harness(vec![Rule { reply: looking, times: Some(1), ..Rule::default() }, sees()]).await;
    let record = harness.ask(QUESTION).await;
    assert_eq!(record.answer, format!("Let me have a look.\n\n{SEEN}"));
    assert_eq!(record.spoken, format!("Let me have a look. {SEEN}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_tools_answers_without_looking() {
    let harness = harness(looks()).await;
    let refused = Fault::status(400);
    harness.sandbox.add_fault(refused.provider(Provider::Groq).service(SandboxService::Llm).times(1));
    let record = harness.ask("Hello?").await;
    assert_eq!((record.error.clone(), record.answer.as_str()), (None, UNSEEN));
    let sent = chats(&harness).await;
    assert_eq!(sent.iter().map(|request| offered(request).len()).collect::<Vec<_>>(), [1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_that_nobody_may_see_is_not_offered() {
    let harness = Harness::with(&[("AURA_OFFLINE_LLM", "none")]).await;
    harness.sandbox.set_script(Script { rules: looks() });
    let screenless = json!({"groq": {"may_receive": {"screen": false}}, "gemini": {"may_receive": {"screen": false}}});
    harness.change(json!({"providers": screenless})).await;
    let record = harness.ask(QUESTION).await;
    assert_eq!((record.error.clone(), record.answer.as_str(), captures(&harness)), (None, UNSEEN, 0));
    // Nor is one that the caller rules out, or that goes along anyway.
    harness.change(json!({"providers": {"groq": null, "gemini": null}})).await;
    for (share, screen) in [("when_asked", Some(false)), ("when_asked", Some(true)), ("always", None), ("never", None)]
    {
        harness.change(json!({"screen": {"share": share}})).await;
        harness.ask_for(Ask { text: QUESTION.into(), screen, speech: Speech::None, ..Ask::default() }).await;
    }
    harness
        .assistant
        .detached(aura_core::DetachedTurn { text: QUESTION.into(), session: "x".into(), ..Default::default() })
        .1
        .await;
    let sent = chats(&harness).await;
    assert!(sent.iter().all(|request| offered(request).is_empty()), "{sent:#?}");
    assert_eq!((sent.iter().map(|request| request.images.len()).sum::<usize>(), captures(&harness)), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_that_calls_tools_the_words_of_the_question_decide() {
    let harness = Harness::with(&[("AURA_OFFLINE_LLM", "none")]).await;
    harness.sandbox.set_script(Script { rules: looks() });
    harness.change(json!({"routes": {"llm": {"provider": "offline"}, "vlm": {"provider": "groq"}}})).await;
    let record = harness.ask("What time is it?").await;
    assert_eq!((answering_provider(&record).as_deref(), captures(&harness)), (Some("offline"), 0));
    let record = harness.ask(QUESTION).await;
    assert_eq!((record.answer.as_str(), captures(&harness)), (SEEN, 1));
    assert!(record.seen.is_some() && record.tools.is_empty());
}
