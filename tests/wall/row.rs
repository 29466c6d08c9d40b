//! One row of the wall and what came of it.

use std::any::Any;

use aura_core::error::Code;
use aura_core::providers::Class;
use aura_core::record::Attempt;
use futures::future::BoxFuture;
use tokio::task::JoinError;

/// A fault and what is done with it.
pub(crate) struct Row {
    /// What goes wrong, in words.
    pub(crate) fault: String,
    /// The service: `stt`, `llm`, `vlm`, `tts`.
    pub(crate) service: &'static str,
    /// Panics when the person does not get what was promised.
    pub(crate) run: Box<dyn FnOnce() -> BoxFuture<'static, Score> + Send>,
}

impl Row {
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

    pub(crate) fn title(&self) -> String {
        format!("{}: {}", self.service, self.fault)
    }
}

/// What came of a row.
#[derive(Debug)]
pub(crate) struct Score {
    /// What the person got.
    pub(crate) got: String,
    /// Every attempt with its class.
    pub(crate) attempts: String,
    /// From the question to its end.
    pub(crate) ms: u128,
}

/// Who was asked and how it went.
pub(crate) type Went = Vec<(String, Option<Class>)>;

pub(crate) fn went(attempts: &[Attempt]) -> Went {
    attempts.iter().map(|attempt| (attempt.route.provider.clone(), attempt.class)).collect()
}

/// `groq overloaded, gemini ok`
pub(crate) fn in_words(went: &Went) -> String {
    let one = |(provider, class): &(String, Option<Class>)| match class {
        None => format!("{provider} ok"),
        Some(class) => format!("{provider} {}", serde_json::to_value(class).unwrap().as_str().unwrap()),
    };
    went.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A code as a person reads it in the table.
pub(crate) fn code(code: Code) -> String {
    serde_json::to_value(code).unwrap().as_str().unwrap().to_owned()
}

/// Why a row's task ended badly.
pub(crate) fn reason(cause: JoinError) -> String {
    let panic: Box<dyn Any + Send> = match cause.try_into_panic() {
        Ok(panic) => panic,
        Err(cause) => return cause.to_string(),
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
