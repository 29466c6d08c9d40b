//! Failover between speech, text and vision providers.
//!
//! A [`Router`] holds settings, API keys and connections. Each request makes a [`RoutePlan`] from one snapshot of them and works
//! through it: it calls a route, and when the call fails, the table in [`retry_policy`] decides what comes next. Circuit breakers
//! skip providers that keep failing, and an answer that breaks off is continued by the next route. Only this crate retries; the
//! adapters in [`aura_providers`] make exactly one call each.
//!
//! ```no_run
#![doc = include_str!("../examples/failover.rs")]
//! ```
#![forbid(unsafe_code)]

pub mod health;
pub mod retry_policy;

mod api_keys;
mod attempt;
mod chat;
mod circuit_breaker;
mod continuation;
mod cost;
mod counters;
mod embed;
mod error;
mod failover;
mod info;
mod inventory;
mod ledger;
mod live;
mod live_failures;
mod model_lists;
mod monitor;
mod outcome;
mod plan;
mod provider_problem;
mod ranking;
mod route_reason;
mod router;
mod routing_table;
mod settings;
mod sink;
mod speak;
mod stream;
#[cfg(test)]
mod testing;
mod transcribe;
mod trends;
mod usage;

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use api_keys::{ApiKeys, KeyScope};
pub use attempt::{Attempt, Observer, Route, RouteNotice, RouteNoticeFacts, RouteNoticeKind, RouteNoticeReason};
pub use chat::ChatResponse;
pub use cost::{Cost, CostBasis};
pub use counters::AttemptCount;
pub use error::{Error, Result};
pub use info::{ModelInfo, ModelSource, PriceInfo, ProviderInfo, RouteInfo, ServerInfo, VoiceInfo};
pub use ledger::{DailyUsage, Ledger, LedgerCall, LedgerEntry, LedgerError, UsageTotals};
pub use live::LiveTranscription;
pub use monitor::Availability;
pub use outcome::Routed;
pub use plan::{Candidate, RoutePlan};
pub use provider_problem::ProviderProblem;
pub use route_reason::{RouteReason, RouteStanding};
pub use router::{ModelListRefresh, Router, RouterBuilder, RoutingSnapshot};
pub use settings::{
    Consent, ProviderSettings, RouteChoice, RouteOverrides, RoutePreference, Routes, RoutingSettings, Timeouts,
};
pub use sink::{FnSink, Sink, sink_fn};
pub use stream::{RoutedChat, RoutedChatEvent};
pub use trends::{TrendLine, TrendRange, trend_lines};
pub use usage::{UsageLine, UsageReport, UsageTracker};
