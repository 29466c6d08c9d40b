//! The session that the next question belongs to.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The current session. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) struct CurrentSession(Arc<Shared>);

struct Shared {
    id: Mutex<String>,
    /// Notified when a turn has begun a session.
    changed: Notify,
}

impl CurrentSession {
    /// A new session.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared { id: Mutex::new(new_id()), changed: Notify::new() }))
    }

    /// Its ID.
    pub(crate) fn id(&self) -> String {
        self.0.id.lock().clone()
    }

    /// Goes on with the session that has this ID.
    pub(crate) fn enter(&self, id: String) {
        *self.0.id.lock() = id;
    }

    /// Begins a new session.
    pub(crate) fn begin(&self) {
        self.enter(new_id());
    }

    /// Begins a new session on behalf of a turn, which cannot tell the interfaces of it.
    pub(super) fn begin_by_turn(&self) {
        self.begin();
        self.tell_change();
    }

    /// Lets the interfaces know that a turn changed what they show: the session, or a setting.
    pub(super) fn tell_change(&self) {
        self.0.changed.notify_one();
    }

    /// Waits until a turn begins a session, or changes a setting.
    pub(crate) async fn changed_by_turn(&self) {
        self.0.changed.notified().await;
    }
}

fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
