//! How much the door takes on at once, and how long a request may last.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Caller;
use crate::body::Upload;
use crate::metrics::Metrics;
use crate::{Door, Problem};

/// Connections at once; further ones wait to be served.
const CONNECTIONS: usize = 1_024;
/// Connections at once of other users, who are mostly sent away; further ones are closed. They must not keep the owner out.
const STRANGERS: usize = 64;
/// Requests under way at once.
const AT_ONCE: usize = 256;
/// Streams at once that end only when their caller goes away. They have places of their own, so that they take none from questions.
const WATCHERS: usize = 64;
/// The routes with such streams.
const WATCHED: &[&str] = &["/events", "/app/events"];
/// Room for what is sent to all requests together, MB: each may hold a recording and a picture in memory.
const ROOM: usize = 512;
/// A request that took longer to begin its answer hangs: three services, each with its own limit of a minute, and some air.
const LONGEST: Duration = Duration::from_secs(240);

/// The places for connections.
#[derive(Clone)]
pub(crate) struct Entrance {
    everyone: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Default for Entrance {
    fn default() -> Self {
        Self { everyone: Arc::new(Semaphore::new(CONNECTIONS)), strangers: Arc::new(Semaphore::new(STRANGERS)) }
    }
}

impl Entrance {
    /// A place for a caller's connection; strangers do not wait for one.
    pub(crate) async fn place(&self, caller: Caller) -> Option<OwnedSemaphorePermit> {
        if caller.is_stranger() {
            self.strangers.clone().try_acquire_owned().ok()
        } else {
            self.everyone.clone().acquire_owned().await.ok()
        }
    }
}

/// The places for requests.
#[derive(Clone)]
pub(crate) struct Places {
    requests: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        let of = |places| Arc::new(Semaphore::new(places));
        Self { requests: of(AT_ONCE), watchers: of(WATCHERS), room: of(ROOM) }
    }
}

impl Places {
    fn take(&self, path: &str) -> Result<OwnedSemaphorePermit, Problem> {
        let places = if WATCHED.contains(&path) { &self.watchers } else { &self.requests };
        places.clone().try_acquire_owned().map_err(|_| busy())
    }
}

/// When a request came; its head, that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived(pub(crate) Instant);

/// The middleware around everything: lets in who may call, takes a place for as long as the request lasts, times it and counts it.
pub(crate) async fn hold(State(door): State<Door>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| door.metrics.route(path.as_str()));
    let mut held = Held {
        metrics: door.metrics.clone(),
        method: known(request.method().as_str()),
        route,
        began: Instant::now(),
        status: None,
        upload: None,
        place: None,
    };
    let response = answer(&door, request, next, &mut held).await.unwrap_or_else(IntoResponse::into_response);
    held.status = Some(response.status());
    response.map(|body| Body::new(Lasting { body, _held: held }))
}

async fn answer(door: &Door, mut request: Request, next: Next, held: &mut Held) -> Result<Response, Problem> {
    super::check(door, &mut request)?;
    held.place = Some(door.places.take(request.uri().path())?);
    request.extensions_mut().insert(Arrived(held.began));
    let upload = Upload::new(door.places.room.clone());
    held.upload = Some(upload.clone());
    let request = request.map(|sent| upload.watched(sent));
    let response = tokio::time::timeout(LONGEST, next.run(request)).await.map_err(|_| {
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "This took longer than AURA waits. Try again.")
    })?;
    // Whatever the route made of a body that broke off, this is why.
    let response = upload.problem().map_or(response, IntoResponse::into_response);
    if !response.status().is_success() {
        upload.refuse().await;
    }
    Ok(response)
}

/// The answer to a request for which there is no room.
pub(crate) fn busy() -> Problem {
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
    /// What it was sent, and the room that this takes.
    upload: Option<Arc<Upload>>,
    place: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.metrics.request(self.route, self.method, self.status, self.began.elapsed());
    }
}

/// A body that keeps its request's place until it is sent; one that is a single piece, until the connection has taken it over.
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
