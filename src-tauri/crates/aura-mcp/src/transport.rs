//! The two ways to a server, below the protocol.

mod envelope;
mod guard;
mod http;
mod process;
mod stdio;

use std::sync::Arc;

use parking_lot::Mutex;

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
pub(crate) struct End(Arc<Mutex<Option<Failure>>>);

impl End {
    pub(crate) fn set(&self, failure: Failure) {
        self.0.lock().get_or_insert(failure);
    }

    pub(crate) fn get(&self) -> Option<Failure> {
        self.0.lock().clone()
    }
}
