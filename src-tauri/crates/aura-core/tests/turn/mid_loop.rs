//! A provider that fails in the middle of the loop of tools: what was done is not done again, whatever the fault.

use aura_core::api::ConsentAnswer;
use aura_core::error::ErrorCode;
use aura_core::record::ToolOutcome;
use aura_sandbox::{ErrorBody, Fault, FaultKind, FilterForm, GoneForm, Provider, StreamErrorForm};
use serde_json::json;

use crate::acting::{acting, answer, asking, outcomes, question};

/// All that the fault wall has for an answer in text.
fn faults() -> Vec<Fault> {
    let kinds = [
        FaultKind::RefuseAuth,
        FaultKind::DelayContent { ms: 20_000 },
        FaultKind::Silent,
        FaultKind::Reset,
        FaultKind::CutAfter { chunks: 1, reset: true },
        FaultKind::CutAfter { chunks: 1, reset: false },
        FaultKind::StallAfter { chunks: 1 },
        FaultKind::MalformedChunk { after: 1 },
        FaultKind::NoFinish,
        FaultKind::NoDone,
        FaultKind::EmptyAnswer { finish: None },
        FaultKind::EmptyAnswer { finish: Some("length".into()) },
        FaultKind::WrongContentType { content_type: "text/html".into() },
        FaultKind::StreamError { form: StreamErrorForm::Data, after: 0 },
        FaultKind::StreamError { form: StreamErrorForm::Event, after: 1 },
        FaultKind::StreamError { form: StreamErrorForm::XGroq, after: 1 },
        FaultKind::ModelGone { form: GoneForm::NotFound },
        FaultKind::ModelGone { form: GoneForm::Decommissioned },
        FaultKind::ContextTooLong,
        FaultKind::BodyTooLarge,
        FaultKind::OversizedMessage { after: 1 },
        FaultKind::WrongOrder,
        FaultKind::RefusePrefill,
        FaultKind::ContentFilter { form: FilterForm::Prompt },
        FaultKind::ContentFilter { form: FilterForm::Answer },
    ];
    let mut faults = vec![
        Fault::status(429).header("retry-after", "30"),
        Fault::status(429),
        Fault::status(401),
        Fault::status(500),
        Fault::status(503),
        Fault::status(503).times(1),
        Fault::status(200).body(ErrorBody::Html),
    ];
    faults.extend(kinds.into_iter().map(Fault::new));
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_after_an_action_leaves_it_done_once() {
    for fault in faults() {
        let mut harness = acting(&[("set_clipboard", json!({"text": "once"}))]).await;
        let short = json!({"first_content_ms": 1_000, "between_ms": 1_000, "whole_ms": 60_000});
        harness.change(json!({"timeouts": short})).await;
        let asked = asking(&harness, "Copy that.");
        let request = question(&mut harness).await;
        let named = format!("{fault:?}");
        let is_blocked = matches!(fault.kind, FaultKind::ContentFilter { .. });
        // From now on the first provider fails.
        harness.sandbox.add_fault(fault.provider(Provider::Groq));
        answer(&harness, &request, ConsentAnswer::Yes).await;
        let record = asked.await.unwrap();
        assert_eq!(outcomes(&record), [("set_clipboard", ToolOutcome::Done)], "{named}");
        assert_eq!(harness.ports.desktop.done(), ["copy once"], "{named}");
        // What a provider blocks goes to no other one, unless the person has said so.
        let expected = is_blocked.then_some(ErrorCode::Blocked);
        assert_eq!(record.error.as_ref().map(|error| error.code), expected, "{named}");
        assert!(is_blocked || record.answer.contains("all."), "{named}: {}", record.answer);
    }
}
