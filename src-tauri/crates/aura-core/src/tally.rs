//! What was done since the program started, in numbers that only grow: for whoever watches AURA with tools of their own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::providers::{Class, Service};
use crate::record::Attempt;
use crate::usage::Sum;

/// Attempts that ended the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// Who was called.
    pub provider: String,
    /// For what.
    pub service: Service,
    /// How they failed; `None`: they answered.
    pub class: Option<Class>,
    /// How many, and what they used.
    pub sum: Sum,
}

/// Counts attempts.
#[derive(Default)]
pub(crate) struct Tallies(Mutex<BTreeMap<(String, Service, &'static str), Tally>>);

impl Tallies {
    /// Counts one.
    pub(crate) fn note(&self, attempt: &Attempt) {
        let Attempt { service, route, class, .. } = attempt;
        let key = (route.provider.clone(), *service, class.map_or("", Class::as_str));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = all.entry(key).or_insert_with(|| Tally {
            provider: route.provider.clone(),
            service: *service,
            class: *class,
            sum: Sum::default(),
        });
        tally.sum.add(attempt);
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
