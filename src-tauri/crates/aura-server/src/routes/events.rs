//! `GET /events`: changes of provider health and of the routes, and the words of a question while it is spoken.

use aura_core::Assistant;
use aura_core::api::{self as operations, Nothing, RouteView};
use aura_core::event::Event;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event as SseEvent;
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::LocalApi;
use crate::sse::{self, event};

/// Streams changes of the providers and the routes.
///
/// First `health` and `changed` with the current state, then `availability` when a provider starts to fail or recovers, and `changed`
/// when routes or settings change. `partial` has the words of a question while it is spoken: those that will not change, and those that still
/// may.
#[utoipa::path(get, path = "/events", tag = "server", responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(crate) async fn events(State(api): State<LocalApi>) -> Response {
    let LocalApi { assistant, closing, limits, .. } = api;
    // Subscribe before reading the state: a change in between is then sent twice instead of not at all.
    let receiver = assistant.subscribe();
    let first = current_state(&assistant).await;
    let later =
        stream::unfold((receiver, assistant), next).flat_map(stream::iter).take_until(closing.cancelled_owned());
    sse::response(stream::iter(first).chain(later), limits.keep_alive)
}

async fn next(
    (mut receiver, assistant): (Receiver<Event>, Assistant),
) -> Option<(Vec<SseEvent>, (Receiver<Event>, Assistant))> {
    loop {
        let events = match receiver.recv().await {
            Ok(Event::Availability { provider, service, status, reason, until }) => vec![event(
                "availability",
                &json!({"provider": provider, "service": service, "status": status, "reason": reason, "until": until}),
            )],
            Ok(Event::Changed { snapshot }) => vec![changed(&snapshot.routes, snapshot.settings.fallback)],
            Ok(Event::Partial { turn, committed, tentative }) => {
                vec![event("partial", &json!({"turn": turn, "committed": committed, "tentative": tentative}))]
            }
            Ok(_) => continue,
            // A client that reads too slowly missed events; the current state brings it up to date.
            Err(RecvError::Lagged(_)) => current_state(&assistant).await.into(),
            Err(RecvError::Closed) => return None,
        };
        return Some((events, (receiver, assistant)));
    }
}

async fn current_state(assistant: &Assistant) -> [SseEvent; 2] {
    [health(assistant).await, changed(&assistant.routes(), assistant.config().settings.fallback)]
}

async fn health(assistant: &Assistant) -> SseEvent {
    let report = operations::health(assistant, Nothing {}).await.ok();
    let providers = report.iter().flat_map(|report| &report.providers);
    let providers: Vec<_> = providers
        .map(|provider| json!({"provider": provider.name, "status": provider.status, "reason": provider.reason}))
        .collect();
    event("health", &json!({"overall_status": report.as_ref().map(|report| report.status), "providers": providers}))
}

/// The current routes. Settings and keys are left out: scripts need neither.
fn changed(routes: &[RouteView], fallback: bool) -> SseEvent {
    event("changed", &json!({"routes": routes, "fallback": fallback}))
}
