//! One case of the fault matrix and its result.

use std::any::Any;

use aura_core::error::ErrorCode;
use aura_providers::FailureKind;
use aura_router::Attempt;
use futures::future::BoxFuture;
use tokio::task::JoinError;

/// A fault, and the check of what the assistant makes of it.
pub(crate) struct Case {
    /// The fault in words.
    pub(crate) fault: String,
    /// The service: `stt`, `llm`, `vlm`, `tts`.
    pub(crate) service: &'static str,
    /// Runs the case; panics if the result is not the expected one.
    pub(crate) run: Box<dyn FnOnce() -> BoxFuture<'static, Score> + Send>,
}

impl Case {
    pub(crate) fn new<F>(
        service: &'static str,
        fault: impl Into<String>,
        run: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Score> + Send + 'static,
    {
        Self { fault: fault.into(), service, run: Box::new(move || Box::pin(run())) }
    }

    /// The name by which a case is listed and selected.
    pub(crate) fn title(&self) -> String {
        format!("{}: {}", self.service, self.fault)
    }
}

/// The result of a case that passed.
#[derive(Debug)]
pub(crate) struct Score {
    /// The result for the user, in words.
    pub(crate) got: String,
    /// Every attempt with its failure kind.
    pub(crate) attempts: String,
    /// Milliseconds from the question to the end of the turn.
    pub(crate) ms: u128,
}

/// The provider of each attempt, and how the attempt failed.
pub(crate) type Steps = Vec<(String, Option<FailureKind>)>;

pub(crate) fn steps(attempts: &[Attempt]) -> Steps {
    attempts.iter().map(|attempt| (attempt.route.provider.clone(), attempt.kind)).collect()
}

/// Attempts in words: `groq overloaded, gemini ok`.
pub(crate) fn describe(steps: &Steps) -> String {
    let one = |(provider, kind): &(String, Option<FailureKind>)| match kind {
        None => format!("{provider} ok"),
        Some(kind) => format!("{provider} {}", serde_json::to_value(kind).unwrap().as_str().unwrap()),
    };
    steps.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The name of an error code in JSON.
pub(crate) fn code(code: ErrorCode) -> String {
    serde_json::to_value(code).unwrap().as_str().unwrap().to_owned()
}

/// The panic message of a failed case.
pub(crate) fn reason(cause: JoinError) -> String {
    let panic: Box<dyn Any + Send> = match cause.try_into_panic() {
        Ok(panic) => panic,
        Err(cause) => return cause.to_string(),
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
