//! The middleware around every route: admission, limits and request metrics.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::body::Upload;
use crate::metrics::Metrics;
use crate::{LocalApi, Problem};

/// When the head of a request arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrivedAt(pub(crate) Instant);

/// Rejects requests that may not come in, holds a permit until the response is sent, enforces the response timeout, and counts and times
/// the request.
pub(crate) async fn protect(State(api): State<LocalApi>, request: Request, next: Next) -> Response {
    let mut guard = RequestGuard {
        metrics: api.metrics.clone(),
        method: method_label(request.method().as_str()),
        route: request.extensions().get::<MatchedPath>().cloned(),
        arrived: Instant::now(),
        status: None,
        upload: None,
        permit: None,
    };
    let response = respond(&api, request, next, &mut guard).await;
    guard.status = Some(response.status());
    response.map(|body| Body::new(GuardedBody { body, _guard: guard }))
}

async fn respond(api: &LocalApi, request: Request, next: Next, guard: &mut RequestGuard) -> Response {
    // A client that waits for permission to send its body sends none after a refusal.
    let awaits_permission = request.headers().contains_key(header::EXPECT);
    let upload = Upload::new(api.limiter.body_budget(), api.limits);
    guard.upload = Some(upload.clone());
    let request = request.map(|body| upload.limit(body));
    let response = match admit(api, request, guard) {
        Ok(request) => run(api, request, next, &upload).await.unwrap_or_else(IntoResponse::into_response),
        Err(refusal) => {
            if awaits_permission {
                return closing(refusal.into_response());
            }
            refusal.into_response()
        }
    };
    if !response.status().is_success() {
        upload.free_memory();
    }
    // The next request on the connection begins where this body ends.
    if upload.drain().await { response } else { closing(response) }
}

/// Lets the request in, with a permit, or refuses it without reading its body.
fn admit(api: &LocalApi, mut request: Request, guard: &mut RequestGuard) -> Result<Request, Problem> {
    super::authorize(api, &mut request)?;
    guard.permit = Some(api.limiter.acquire(request.uri().path())?);
    request.extensions_mut().insert(ArrivedAt(guard.arrived));
    Ok(request)
}

async fn run(api: &LocalApi, request: Request, next: Next, upload: &Upload) -> Result<Response, Problem> {
    let response = tokio::time::timeout(api.limits.response_start, next.run(request)).await.map_err(|_| {
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "The request took longer than AURA waits. Try again.")
    })?;
    // A route sees an aborted body only as a read error; the upload knows the reason.
    Ok(upload.problem().map_or(response, IntoResponse::into_response))
}

/// Tells the client to send its next request on a new connection.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The label of a method in the metrics. Unknown methods share one label: clients could invent any number of them.
fn method_label(method: &str) -> &'static str {
    ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("OTHER")
}

/// A request in flight. Dropped, and then counted, when its response is sent or the client disconnects.
struct RequestGuard {
    metrics: Arc<Metrics>,
    method: &'static str,
    /// `None` when no route matched.
    route: Option<MatchedPath>,
    arrived: Instant,
    /// `None` until there is a response.
    status: Option<StatusCode>,
    /// The request body with its share of the memory budget.
    upload: Option<Arc<Upload>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or("other", MatchedPath::as_str);
        self.metrics.record_request(route, self.method, self.status, self.arrived.elapsed());
    }
}

/// A response body that holds the guard of its request until it is sent. A body of a single chunk holds it until the connection takes
/// that chunk over.
struct GuardedBody {
    body: Body,
    _guard: RequestGuard,
}

impl HttpBody for GuardedBody {
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
