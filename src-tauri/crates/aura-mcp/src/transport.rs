//! The two ways to a server, below the protocol.

mod envelope;
mod guard;
mod http;
mod process;
mod stdio;

use std::time::Duration;

use tokio::sync::watch;

use crate::error::Failure;

pub(crate) use guard::Guarded;
pub(crate) use http::{failure as http_failure, transport as http};
pub(crate) use process::{Process, Program};
pub(crate) use stdio::Stdio;

/// The code of the error that stands for an answer which was too long, or could not be read.
pub(crate) const TOO_LARGE: i32 = -32_980;
pub(crate) const UNREADABLE: i32 = -32_981;

/// Why a connection ended: the first reason counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct End(watch::Sender<Option<Failure>>);

impl End {
    pub(crate) fn set(&self, failure: Failure) {
        self.0.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(failure);
            is_first
        });
    }

    pub(crate) fn get(&self) -> Option<Failure> {
        self.0.borrow().clone()
    }

    /// The same, once it is known: a broken pipe is seen before the status of the program that broke it.
    pub(crate) async fn within(&self, limit: Duration) -> Option<Failure> {
        let mut reasons = self.0.subscribe();
        let known = tokio::time::timeout(limit, reasons.wait_for(Option::is_some)).await;
        known.ok()?.ok()?.clone()
    }
}
