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

/// Something that the user should know about how a request was routed, and that is not a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteNotice {
    /// What the notice is about.
    pub kind: RouteNoticeKind,
    /// One or two sentences to show.
    pub message: String,
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
