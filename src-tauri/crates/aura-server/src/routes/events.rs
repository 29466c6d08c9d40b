//! `GET /events`: how the providers are and what was switched, as it happens.

use std::time::Duration;

use aura_core::api::{self, Nothing};
use aura_core::event::Event;
use aura_core::{Assistant, api::Snapshot};
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::turn::event;
use crate::Door;

/// A stream that says nothing for so long says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// First `health` and `changed` as things are, then `availability` when a provider begins to fail or works again, and `changed` when routes
/// or settings do.
#[utoipa::path(get, path = "/events", tag = "door", responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(crate) async fn events(State(door): State<Door>) -> impl IntoResponse {
    let Door { assistant, closing, .. } = door;
    // Listening comes first: what happens between the two is told twice rather than not at all.
    let happening = assistant.subscribe();
    let first = [health(&assistant).await, changed(&assistant.snapshot())];
    let later =
        stream::unfold((happening, assistant), next).flat_map(stream::iter).take_until(closing.cancelled_owned());
    let all = stream::iter(first).chain(later).map(Ok::<_, std::convert::Infallible>);
    Sse::new(all.boxed()).keep_alive(KeepAlive::new().interval(ALIVE))
}

type Listening = (Receiver<Event>, Assistant);

async fn next((mut happening, assistant): Listening) -> Option<(Vec<sse::Event>, Listening)> {
    loop {
        let told = match happening.recv().await {
            Ok(Event::Availability { provider, service, status, reason, until }) => vec![event(
                "availability",
                &json!({"provider": provider, "service": service, "status": status, "reason": reason, "until": until}),
            )],
            Ok(Event::Changed { snapshot }) => vec![changed(&snapshot)],
            Ok(_) => continue,
            // A caller that was slow missed some: it is told how things are, as at the beginning.
            Err(RecvError::Lagged(_)) => vec![health(&assistant).await, changed(&assistant.snapshot())],
            Err(RecvError::Closed) => return None,
        };
        return Some((told, (happening, assistant)));
    }
}

async fn health(assistant: &Assistant) -> sse::Event {
    let report = api::health(assistant, Nothing {}).await.ok();
    let providers = report.iter().flat_map(|report| &report.providers);
    let providers: Vec<_> =
        providers.map(|of| json!({"provider": of.name, "status": of.status, "reason": of.reason})).collect();
    event("health", &json!({"overall_status": report.as_ref().map(|report| report.status), "providers": providers}))
}

/// Who does what now. Settings and keys are not told: they are none of a script's business.
fn changed(snapshot: &Snapshot) -> sse::Event {
    event("changed", &json!({"routes": snapshot.routes, "fallback": snapshot.settings.fallback}))
}
