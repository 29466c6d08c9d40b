//! The ledger of attempts, and totals over it.

use async_trait::async_trait;
use aura_providers::{FailureKind, Service, Usage};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, is_of_provider};
use crate::cost::CostBasis;

/// Stores what each attempt consumed and cost. The host implements it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Appends attempts, in one write.
    ///
    /// # Errors
    /// When none of them could be stored; a warning is logged, and they are added again later.
    async fn add(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError>;

    /// Totals per day, provider and service, from the day `from` (in this computer's time zone) to today.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn totals(&self, from: Date) -> Result<Vec<DailyUsage>, LedgerError>;

    /// The calls since `from`, newest first, and at most the last 50,000. A ledger that keeps no single calls returns none.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    async fn calls(&self, from: jiff::Timestamp) -> Result<Vec<LedgerCall>, LedgerError> {
        let _ = from;
        Ok(Vec::new())
    }

    /// Deletes the attempts of the days before `before` (in this computer's time zone). Returns how many there were.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    async fn prune(&self, before: Date) -> Result<u64, LedgerError>;
}

/// The ledger could not be read or written. Holds a sentence that says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LedgerError(pub String);

/// One attempt in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When the attempt ended.
    pub at: jiff::Timestamp,
    /// The attempt.
    pub attempt: Attempt,
}

/// What counts of an attempt in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerCall {
    /// When it ended.
    pub at: jiff::Timestamp,
    /// ID of the provider.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// Latency in milliseconds: to the first content of a stream, otherwise to the end.
    pub ms: u32,
    /// Whether it failed.
    pub failed: bool,
}

impl LedgerCall {
    /// The call of an entry; `None` for one that says nothing about the provider: it was cancelled, or the request was at fault.
    pub fn of(entry: LedgerEntry) -> Option<Self> {
        let LedgerEntry { at, attempt } = entry;
        attempt.kind.is_none_or(is_of_provider).then(|| Self {
            at,
            provider: attempt.route.provider,
            service: attempt.service,
            ms: attempt.first_ms.unwrap_or(attempt.ms),
            failed: attempt.kind.is_some(),
        })
    }
}

/// Totals of one provider and service on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DailyUsage {
    /// The day, in this computer's time zone.
    pub day: Date,
    /// The provider.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// The totals.
    pub totals: UsageTotals,
}

/// Totals over attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct UsageTotals {
    /// Attempts, including failed ones.
    pub attempts: u32,
    /// Attempts that failed, without those that were cancelled.
    pub failed: u32,
    /// Input tokens.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub input_tokens: u64,
    /// Output tokens.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub output_tokens: u64,
    /// Seconds of audio, in and out.
    pub audio_seconds: f64,
    /// Characters sent to text to speech.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub characters: u64,
    /// US dollars, over the attempts whose cost is known or estimated.
    pub usd: f64,
    /// Attempts whose cost was estimated.
    pub estimated: u32,
    /// Attempts whose cost is unknown.
    pub unknown: u32,
}

impl UsageTotals {
    /// Adds an attempt.
    pub fn add(&mut self, attempt: &Attempt) {
        let Usage { input_tokens, output_tokens, audio_seconds, characters, .. } = &attempt.usage;
        self.attempts += 1;
        self.failed += u32::from(attempt.kind.is_some_and(|kind| kind != FailureKind::Cancelled));
        self.input_tokens += u64::from(input_tokens.unwrap_or(0));
        self.output_tokens += u64::from(output_tokens.unwrap_or(0));
        self.audio_seconds += f64::from(audio_seconds.unwrap_or(0.0));
        self.characters += u64::from(characters.unwrap_or(0));
        self.usd += attempt.cost.usd.unwrap_or(0.0);
        self.estimated += u32::from(attempt.cost.basis == CostBasis::Estimated);
        self.unknown += u32::from(attempt.cost.basis == CostBasis::Unknown);
    }

    /// Adds other totals.
    pub fn merge(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.failed += other.failed;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.audio_seconds += other.audio_seconds;
        self.characters += other.characters;
        self.usd += other.usd;
        self.estimated += other.estimated;
        self.unknown += other.unknown;
    }
}
