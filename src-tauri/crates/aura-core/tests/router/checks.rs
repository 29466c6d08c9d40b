//! What must hold for the outcome of every scenario.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aura_core::error::ErrorCode;
use aura_providers::{FailureKind, Service};
use aura_router::retry_policy::RETRY_BUDGET;
use aura_router::{Attempt, RouteNotice, RouteNoticeKind};
use aura_testkit::scripted::{CallInput, CallMade, End, ObserverStep};
use proptest::prelude::*;

use super::scenario::{Outcome, PROVIDERS, Scenario, WHOLE};

/// Whether the retry policy allows the call `next` to the provider of the failed call `before`. `tries` is the number of calls
/// to that provider so far; `is_last` says that no other route is available.
fn may_retry(scenario: &Scenario, before: (&Attempt, &CallMade), next: &CallMade, tries: usize, is_last: bool) -> bool {
    let same_model = before.0.route.model == next.model;
    let has_tools =
        |call: &CallMade| matches!(&call.input, CallInput::Question(question) if !question.tools.is_empty());
    if scenario.is_chat() && same_model && has_tools(before.1) && !has_tools(next) {
        return matches!(
            before.0.kind,
            Some(FailureKind::Unsupported | FailureKind::InvalidRequest | FailureKind::Empty)
        );
    }
    match before.0.kind {
        Some(FailureKind::ModelGone) => !same_model && tries == 1,
        Some(FailureKind::Empty) => same_model && tries == 1,
        Some(FailureKind::RateLimited) => same_model && is_last && tries == 1,
        Some(FailureKind::Overloaded) => same_model && is_last && tries <= 2,
        _ => false,
    }
}

/// Every repeated call to a provider is one that the retry policy allows.
fn check_retries(scenario: &Scenario, outcome: &Outcome) -> Result<(), TestCaseError> {
    for provider in &outcome.candidates {
        let attempts = outcome.attempts.iter().filter(|attempt| attempt.route.provider == *provider);
        let calls: Vec<_> = outcome.calls.iter().enumerate().filter(|(_, call)| call.provider == *provider).collect();
        let attempts: Vec<_> = attempts.zip(&calls).collect();
        for (tries, pair) in attempts.windows(2).enumerate() {
            let [(before, (_, call)), (_, (index, next))] = pair else { continue };
            prop_assert_eq!(&before.route.model, &call.model);
            let called: Vec<_> = outcome.calls[..*index].iter().map(|call| &call.provider).collect();
            // Neither the offline fallback, unless it was chosen, nor an open circuit counts as another route.
            let is_fallback = |name: &String| name == "offline" && outcome.candidates[0] != "offline";
            let others = outcome.candidates.iter().filter(|name| !called.contains(name) && !is_fallback(name));
            let is_last = others.filter(|name| !outcome.open_circuits.contains(name)).count() == 0;
            let allowed = may_retry(scenario, (before, call), next, tries + 1, is_last);
            prop_assert!(allowed, "{} was called again after {:?}", provider, before.kind);
        }
    }
    Ok(())
}

/// A request never returns to a provider that it left, makes at most two calls at once, and ends with the first final failure.
fn check_steps(scenario: &Scenario, outcome: &Outcome) -> Result<(), TestCaseError> {
    // The running calls in the order of their start, and the providers that the request moved on from.
    let mut running: Vec<&String> = Vec::new();
    let mut left: Vec<&String> = Vec::new();
    let mut has_ended = false;
    let mut calls = outcome.calls.iter();
    let mut last_calls: HashMap<&String, &CallMade> = HashMap::new();
    for step in &outcome.steps {
        match step {
            ObserverStep::Started(provider) => {
                prop_assert!(!has_ended, "{} is called after a final failure", provider);
                prop_assert!(!left.contains(&provider), "the request returned to {}", provider);
                prop_assert!(running.is_empty() || (scenario.hedge && running.len() == 1), "{:?}", outcome.steps);
                let others = outcome.calls.iter().map(|call| &call.provider).filter(|name| *name != provider);
                let done = others.filter(|name| last_calls.contains_key(name) && !running.contains(name));
                left.extend(done);
                last_calls.insert(provider, calls.next().unwrap());
                running.push(provider);
            }
            ObserverStep::Ended(provider, kind) => {
                let index = running.iter().position(|name| *name == provider).unwrap();
                // A failure of the hedge does not end the first call.
                let is_hedge = running.len() == 2 && index == 1;
                running.remove(index);
                let has_no_tools = match &last_calls[provider].input {
                    CallInput::Question(question) => question.tools.is_empty(),
                    _ => true,
                };
                has_ended |= !is_hedge
                    && match kind {
                        Some(FailureKind::InvalidRequest) => has_no_tools,
                        Some(FailureKind::Blocked) => !scenario.fallback_when_blocked,
                        _ => false,
                    };
            }
        }
    }
    prop_assert!(running.is_empty(), "every call is recorded: {:?}", outcome.steps);
    Ok(())
}

/// At most one open circuit is called, and only after every available route.
fn check_open_circuits(scenario: &Scenario, outcome: &Outcome) -> Result<(), TestCaseError> {
    let called: BTreeSet<&String> =
        outcome.calls.iter().map(|call| &call.provider).filter(|name| outcome.open_circuits.contains(name)).collect();
    prop_assert!(called.len() <= 1, "the circuits of {:?} were open", called);
    let Some(name) = called.first().copied() else { return Ok(()) };
    let index = outcome.calls.iter().position(|call| call.provider == *name).unwrap();
    for other in outcome.candidates.iter().filter(|other| !outcome.open_circuits.contains(other)) {
        let comes_later = other == "offline" && scenario.is_chat() && outcome.candidates[0] != "offline";
        let was_called = outcome.calls[..index].iter().any(|call| call.provider == *other);
        prop_assert!(was_called || comes_later, "{} is called before {}", name, other);
    }
    Ok(())
}

/// One notice names the providers that failed and the one that answered; there is none when no provider failed.
fn check_notices(outcome: &Outcome, answered: &Attempt) -> Result<(), TestCaseError> {
    let has_failed = |attempt: &&Attempt| {
        attempt.kind.is_some_and(|kind| kind != FailureKind::Cancelled)
            && attempt.route.provider != answered.route.provider
    };
    let failed: Vec<&Attempt> = outcome.attempts.iter().filter(has_failed).collect();
    let notices: Vec<&RouteNotice> =
        outcome.notices.iter().filter(|notice| notice.kind == RouteNoticeKind::Fallback).collect();
    prop_assert_eq!(notices.len(), usize::from(!failed.is_empty()), "{:?}", notices);
    for attempt in failed.into_iter().chain([answered]) {
        let label = match attempt.route.provider.as_str() {
            "groq" => "Groq",
            "gemini" => "Google Gemini",
            "offline" => "This computer",
            own => own,
        };
        prop_assert!(notices.iter().all(|notice| notice.message.contains(label)), "{:?}", notices);
    }
    Ok(())
}

/// Checks everything that must hold for an outcome.
pub(super) fn check(scenario: &Scenario, outcome: &Outcome) -> Result<(), TestCaseError> {
    let Outcome { result, attempts, calls, candidates, elapsed, .. } = outcome;
    prop_assert!(result.is_none() || !calls.is_empty(), "no provider was called");
    prop_assert!(calls.len() <= RETRY_BUDGET, "{} calls", calls.len());
    prop_assert_eq!(attempts.len(), calls.len(), "each call is reported once");
    prop_assert!(*elapsed <= WHOLE + Duration::from_millis(10), "it took {:?}", elapsed);
    for call in calls {
        prop_assert!(scenario.allows(&call.provider), "{} may not receive this", call.provider);
        prop_assert!(candidates.contains(&call.provider), "{} is not in the plan", call.provider);
        if let CallInput::Question(question) = &call.input {
            prop_assert!(!scenario.json || question.messages.len() == 1, "JSON is not continued");
        }
    }
    let has_one_route =
        scenario.route_override.is_some() || (scenario.default_provider.is_some() && !scenario.fallback);
    if has_one_route {
        let only = PROVIDERS[scenario.route_override.or(scenario.default_provider).unwrap()];
        prop_assert!(calls.iter().all(|call| call.provider == only), "only {} may be called", only);
    }
    check_retries(scenario, outcome)?;
    check_steps(scenario, outcome)?;
    check_open_circuits(scenario, outcome)?;
    match result {
        None => prop_assert!(attempts.iter().all(|attempt| attempt.kind.is_some()), "no call succeeded"),
        Some(Ok(text)) => {
            let successful: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.kind.is_none()).collect();
            let all_empty = attempts.iter().all(|attempt| attempt.kind == Some(FailureKind::Empty));
            if scenario.service == Service::Stt && all_empty {
                prop_assert_eq!(text, "");
            } else {
                prop_assert_eq!(successful.len(), 1);
                let call = calls.iter().rev().find(|call| call.provider == successful[0].route.provider).unwrap();
                // Speech counts as complete when only its very end is missing.
                let is_complete =
                    matches!(call.call.end, End::Complete | End::TokenLimit) || scenario.service == Service::Tts;
                prop_assert!(is_complete, "{:?} is not an answer", call.call);
                check_notices(outcome, successful[0])?;
            }
        }
        Some(Err(error)) => {
            prop_assert!(attempts.iter().all(|attempt| attempt.kind.is_some()));
            let listed = error.attempts().len();
            prop_assert_eq!(listed, attempts.len(), "the error lists every attempt: {:?}", error);
            let expected = [ErrorCode::AllRoutesFailed, ErrorCode::Blocked, ErrorCode::InvalidRequest];
            prop_assert!(expected.contains(&error.code), "{:?}", error);
        }
    }
    Ok(())
}
