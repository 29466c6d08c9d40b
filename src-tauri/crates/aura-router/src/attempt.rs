//! Routes, the attempts at them, and the notices and events of a request.

use aura_providers::{FailureKind, Service, Usage};
use serde::{Deserialize, Serialize};

use crate::cost::Cost;

/// A provider and model, and for speech a voice, for one service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Route {
    /// The provider's name.
    pub provider: String,
    /// The model name that is sent to the provider.
    pub model: String,
    /// The voice, for `tts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub voice: Option<String>,
}

/// One call to one route, after it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// The requested service.
    pub service: Service,
    /// The route that was called.
    pub route: Route,
    /// Milliseconds from the start of the call to its end.
    pub ms: u32,
    /// Milliseconds from the start of the call to the first content of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub first_ms: Option<u32>,
    /// How the call failed; absent when it succeeded.
    #[serde(default, rename = "class", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub kind: Option<FailureKind>,
    /// The provider's error message, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub message: Option<String>,
    /// What the call consumed, as far as the provider reported or AURA measured.
    #[serde(default)]
    pub usage: Usage,
    /// What the call cost.
    #[serde(default)]
    pub cost: Cost,
}

/// Whether a failure says something about the provider: it was neither cancelled nor caused by the request.
pub(crate) fn is_of_provider(kind: FailureKind) -> bool {
    use FailureKind::{Blocked, Cancelled, InvalidRequest, Unsupported};
    !matches!(kind, Cancelled | InvalidRequest | Blocked | Unsupported)
}

/// Something that the user should know about how a request was routed, and that is not a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteNotice {
    /// What the notice is about.
    pub kind: RouteNoticeKind,
    /// What it tells, for a sentence in another language.
    pub facts: RouteNoticeFacts,
    /// One or two sentences to show.
    pub message: String,
}

impl RouteNotice {
    /// A provider was passed over. `why` is a sentence that follows a colon.
    pub(crate) fn skipped(provider: &str, label: &str, reason: RouteNoticeReason, why: &str) -> Self {
        let facts = RouteNoticeFacts {
            provider: Some(provider.to_owned()),
            reason: Some(reason),
            ..RouteNoticeFacts::default()
        };
        Self { kind: RouteNoticeKind::NotReady, facts, message: format!("{label} was skipped: {why}") }
    }

    /// Another model answers in the place of `model`. `why` is a sentence.
    pub(crate) fn replaced(
        kind: RouteNoticeKind,
        model: &str,
        replacement: &str,
        reason: RouteNoticeReason,
        why: &str,
    ) -> Self {
        let facts = RouteNoticeFacts {
            model: Some(model.to_owned()),
            replacement: Some(replacement.to_owned()),
            reason: Some(reason),
            ..RouteNoticeFacts::default()
        };
        Self { kind, facts, message: format!("{why} {replacement} answers in its place.") }
    }
}

/// The facts of a [`RouteNotice`]; those of its kind are set. A fallback is told by the attempts of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteNoticeFacts {
    /// ID of the provider that was skipped.
    pub provider: Option<String>,
    /// ID of the model that was to be used.
    pub model: Option<String>,
    /// ID of the model that is used in its place.
    pub replacement: Option<String>,
    /// When the model was retired, as a date (YYYY-MM-DD).
    pub retired_on: Option<String>,
    /// Why the provider was skipped or the model replaced.
    pub reason: Option<RouteNoticeReason>,
}

/// Why a provider was skipped or a model replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RouteNoticeReason {
    /// The provider does not offer the service.
    NotOffered,
    /// The provider needs an API key, or its settings are not valid.
    NotSetUp,
    /// The provider may not receive this kind of data.
    NoConsent,
    /// No model was chosen, and the provider has no usual one.
    NoModel,
    /// The provider rejected its API key.
    KeyRejected,
    /// Its calls are billed, and the limit for the day is reached.
    DailyLimit,
    /// The provider failed a moment ago and will be tried again shortly.
    Paused,
    /// The model was retired.
    Retired,
    /// The provider no longer offers the model.
    Gone,
    /// The account may not use the model.
    NotEntitled,
    /// The model is overloaded.
    Overloaded,
    /// A reason that a later version of AURA wrote.
    #[serde(other)]
    Unknown,
}

/// What a [`RouteNotice`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteNoticeKind {
    /// Another provider answered after the first one failed.
    Fallback,
    /// The chosen provider was skipped: it has no API key, may not receive the data, or its circuit is open.
    NotReady,
    /// The model was retired, missing or overloaded; another one is used.
    ModelReplaced,
    /// The provider refused the model in an earlier request; another one is used.
    ModelGone,
}

/// Receives the progress of a request. The methods are called synchronously and must return quickly.
pub trait Observer: Send + Sync {
    /// A call to a route starts now.
    fn calling(&self, _route: &Route) {}
    /// The first content of an answer or of speech arrived; more may follow.
    fn first_content(&self, _route: &Route) {}
    /// An attempt ended.
    fn attempt(&self, attempt: &Attempt);
    /// There is something the user should know.
    fn notice(&self, notice: RouteNotice);
}

/// An observer that ignores everything.
impl Observer for () {
    fn attempt(&self, _attempt: &Attempt) {}
    fn notice(&self, _notice: RouteNotice) {}
}
