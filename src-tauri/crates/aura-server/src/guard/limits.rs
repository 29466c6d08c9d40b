//! How much the door takes on at once, and how long a request may last.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Metrics;
use crate::{Door, Problem, body};

/// Requests under way at once; each may hold a recording and a picture in memory.
const AT_ONCE: usize = 256;
/// A request that took longer to begin its answer hangs: three services, each with its own limit of a minute, and some air.
const LONGEST: Duration = Duration::from_secs(240);

/// The places at this door.
#[derive(Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// The middleware: takes a place for as long as the request lasts, times it and counts it.
pub(crate) async fn hold(State(door): State<Door>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| door.metrics.route(path.as_str()));
    let mut held = Held {
        metrics: door.metrics.clone(),
        method: known(request.method().as_str()),
        route,
        began: Instant::now(),
        status: None,
        _place: None,
    };
    let response = match door.places.0.clone().try_acquire_owned() {
        Err(_) => busy().into_response(),
        Ok(place) => {
            held._place = Some(place);
            let slow = Arc::new(AtomicBool::new(false));
            let request = request.map(|sent| body::timed(sent, slow.clone()));
            match tokio::time::timeout(LONGEST, next.run(request)).await {
                // Whatever the route made of the broken body, this is why.
                Ok(_) if slow.load(Ordering::Acquire) => body::too_slow().into_response(),
                Ok(response) => response,
                Err(_) => {
                    Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "This took longer than AURA waits. Try again.")
                        .into_response()
                }
            }
        }
    };
    held.status = Some(response.status());
    response.map(|body| Body::new(Lasting { body, _held: held }))
}

fn busy() -> Problem {
    let message = "AURA answers as many requests as it can already. Try again in a second.";
    Problem { retry_after: Some(1), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", message) }
}

/// The methods that are counted by name: a caller may invent others without end.
fn known(method: &str) -> &'static str {
    ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("OTHER")
}

/// A request under way; dropped when its answer is sent, or its caller went away.
struct Held {
    metrics: Arc<Metrics>,
    method: &'static str,
    route: &'static str,
    began: Instant,
    status: Option<StatusCode>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.metrics.request(self.route, self.method, self.status, self.began.elapsed());
    }
}

/// A body that keeps its request's place until it is sent.
struct Lasting {
    body: Body,
    _held: Held,
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
