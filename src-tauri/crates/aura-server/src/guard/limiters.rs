//! Limits on concurrent connections, requests and request bodies.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Caller;
use crate::{Problem, descriptors};

/// Most concurrent connections; further ones wait. Fewer where the limit of open files leaves no room for them.
const MAX_CONNECTIONS: usize = 1_024;
/// Most concurrent connections of other users of this computer, most of which are rejected; further ones are closed. A limit of their own
/// keeps other users from locking the owner out.
const MAX_CONNECTIONS_OF_OTHER_USERS: usize = 64;
/// Most connections whose user is not yet known, or that wait for a permit; further ones wait in the accept queue.
const MAX_LOOKUPS: usize = 64;
/// Concurrent requests.
const MAX_REQUESTS: usize = 256;
/// Concurrent endless streams. They have a limit of their own so that they take no permits from other requests.
const MAX_ENDLESS_STREAMS: usize = 64;
/// The routes that stream until the client disconnects.
const ENDLESS_ROUTES: &[&str] = &["/events", "/app/events"];
/// Memory for all request bodies together, MiB: each may hold a recording and a picture.
const BODY_BUDGET: usize = 512;

/// Limits concurrent connections.
#[derive(Clone)]
pub(crate) struct ConnectionLimiter {
    own: Arc<Semaphore>,
    other_users: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

impl Default for ConnectionLimiter {
    fn default() -> Self {
        let most = descriptors::connections(MAX_CONNECTIONS);
        Self {
            own: Arc::new(Semaphore::new(most)),
            other_users: Arc::new(Semaphore::new(MAX_CONNECTIONS_OF_OTHER_USERS.min(most / 4))),
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS.min(most / 4))),
        }
    }
}

impl ConnectionLimiter {
    /// Waits for a permit to accept a connection, which is held until its user is known and it has a permit of its own.
    pub(crate) async fn acquire_lookup(&self) -> Option<OwnedSemaphorePermit> {
        self.lookups.clone().acquire_owned().await.ok()
    }

    /// Waits for a permit. For other users of this computer it does not wait: `None` when none is left.
    pub(crate) async fn acquire(&self, caller: Caller) -> Option<OwnedSemaphorePermit> {
        if caller.is_other_user() {
            self.other_users.clone().try_acquire_owned().ok()
        } else {
            self.own.clone().acquire_owned().await.ok()
        }
    }
}

/// Limits concurrent requests and the memory of their bodies.
#[derive(Clone)]
pub(crate) struct RequestLimiter {
    requests: Arc<Semaphore>,
    endless_streams: Arc<Semaphore>,
    body_budget: Arc<Semaphore>,
}

impl Default for RequestLimiter {
    fn default() -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self {
            requests: permits(MAX_REQUESTS),
            endless_streams: permits(MAX_ENDLESS_STREAMS),
            body_budget: permits(BODY_BUDGET),
        }
    }
}

impl RequestLimiter {
    /// A permit for a request to this path, or the problem [`Problem::busy`].
    pub(super) fn acquire(&self, path: &str) -> Result<OwnedSemaphorePermit, Problem> {
        let permits = if ENDLESS_ROUTES.contains(&path) { &self.endless_streams } else { &self.requests };
        permits.clone().try_acquire_owned().map_err(|_| Problem::busy())
    }

    /// The memory budget that all request bodies share, one permit for each MiB.
    pub(super) fn body_budget(&self) -> Arc<Semaphore> {
        self.body_budget.clone()
    }
}
