//! Counters of attempts since the router was built. They only grow, as metrics systems expect.

use std::collections::BTreeMap;

use aura_providers::{FailureKind, Service};
use parking_lot::Mutex;

use crate::attempt::Attempt;
use crate::ledger::UsageTotals;

/// Attempts at one provider, for one service, with one outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptCount {
    /// The provider's name.
    pub provider: String,
    /// The service.
    pub service: Service,
    /// How the attempts failed; `None` for those that succeeded.
    pub kind: Option<FailureKind>,
    /// How many there were, and their usage.
    pub totals: UsageTotals,
}

#[derive(Default)]
pub(crate) struct AttemptCounters(Mutex<BTreeMap<(String, Service, &'static str), AttemptCount>>);

impl AttemptCounters {
    pub(crate) fn record(&self, attempt: &Attempt) {
        let Attempt { service, route, kind, .. } = attempt;
        let key = (route.provider.clone(), *service, kind.map_or("", FailureKind::as_str));
        let mut counts = self.0.lock();
        let count = counts.entry(key).or_insert_with(|| AttemptCount {
            provider: route.provider.clone(),
            service: *service,
            kind: *kind,
            totals: UsageTotals::default(),
        });
        count.totals.add(attempt);
    }

    /// Every count, by provider, service and outcome.
    pub(crate) fn list(&self) -> Vec<AttemptCount> {
        self.0.lock().values().cloned().collect()
    }
}
