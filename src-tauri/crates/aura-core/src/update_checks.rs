//! The daily look for a newer version, and the events about it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::task::AbortOnDropHandle;

use crate::config::SettingsStore;
use crate::event::{Event, Events};
use crate::ports::Updates;
use crate::updates::UpdateState;

/// How often the age of the last check is looked at.
const INTERVAL: Duration = Duration::from_secs(60);
/// The age at which AURA checks again.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The time between two checks of which the first failed.
const AFTER_FAILURE: Duration = Duration::from_secs(3_600);
/// The least time between two events.
const EVENTS: Duration = Duration::from_millis(250);

/// Starts the tasks that ask once a day while the settings allow it, and that tell what changes. They end when they are dropped.
pub(crate) fn start(
    updates: &Arc<dyn Updates>,
    store: Arc<SettingsStore>,
    events: Events,
) -> [AbortOnDropHandle<()>; 2] {
    let tasks = [tokio::spawn(check_daily(updates.clone(), store)), tokio::spawn(tell(updates.clone(), events))];
    tasks.map(AbortOnDropHandle::new)
}

async fn check_daily(updates: Arc<dyn Updates>, store: Arc<SettingsStore>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if !store.get().settings.updates.check || !is_due(&*updates) {
            continue;
        }
        if let Err(error) = updates.check().await {
            tracing::info!(%error, "the newest version is not known");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}

fn is_due(updates: &dyn Updates) -> bool {
    let view = updates.view();
    let is_busy = matches!(view.state, UpdateState::Checking | UpdateState::Downloading { .. });
    let is_old = |at: Timestamp| Timestamp::now().duration_since(at) >= DAY;
    view.server.is_some() && !is_busy && view.checked_at.is_none_or(is_old)
}

/// Sends an event whenever something changes.
async fn tell(updates: Arc<dyn Updates>, events: Events) {
    let mut changes = updates.changes();
    while changes.changed().await.is_ok() {
        events.send(Event::Updates { view: Box::new(updates.view()) });
        tokio::time::sleep(EVENTS).await;
    }
}
