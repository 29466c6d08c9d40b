//! The shared path of a request: log it, run its handler, apply its fault, send the reply.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::dialect::Dialect;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::{Fault, FaultKind, FilterForm};
use crate::http_reply::HttpReply;
use crate::ids::Service;
use crate::listener::ConnectionHandle;
use crate::request_log::{FileRecord, RecordHandle, shortened};
use crate::state::SandboxState;

/// Upper limit of a request body. No provider accepts a larger one; bounds the sandbox's memory.
const MAX_BODY_BYTES: usize = 128 * 1024 * 1024;

/// A request, with what its handler needs to reply to it.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) state: Arc<SandboxState>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) service: Service,
    /// Model id; empty until [`RequestContext::apply_fault`] sets it.
    pub(crate) model: String,
    pub(crate) headers: HeaderMap,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Bytes,
    /// When the body was complete. All delays count from here.
    pub(crate) ready: Instant,
    pub(crate) record: RecordHandle,
    connection: ConnectionHandle,
    fault: Option<Fault>,
}

/// A parsed multipart body.
#[derive(Debug, Default)]
pub(crate) struct MultipartForm {
    /// Names and values of the text fields, in order.
    pub(crate) fields: Vec<(String, String)>,
    /// The field called `file`.
    pub(crate) file: Option<(FileRecord, Bytes)>,
}

impl MultipartForm {
    /// Value of the first field called `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Function that handles the requests of one route.
type Handler = for<'a> fn(&'a mut RequestContext) -> BoxFuture<'a, Result<HttpReply, ErrorReply>>;

/// The axum handler of a route of one provider.
pub(crate) fn serve(
    dialect: &'static dyn Dialect,
    service: Service,
    handler: Handler,
) -> impl Fn(State<Arc<SandboxState>>, Request) -> BoxFuture<'static, Response> + Clone {
    move |State(state), request| Box::pin(handle_request(state, dialect, service, request, handler))
}

/// Handles every route that the provider does not have. It checks the API key first, as the providers do.
pub(crate) async fn unknown_route(
    context: &mut RequestContext,
    check_access: fn(&RequestContext) -> Result<(), ErrorReply>,
) -> Result<HttpReply, ErrorReply> {
    check_access(context)?;
    Err(context.error(&ErrorCause::UnknownRoute { method: context.method.clone(), path: context.path.clone() }))
}

/// Receives a request, calls `handler`, applies the fault to the reply and sends it.
async fn handle_request(
    state: Arc<SandboxState>,
    dialect: &'static dyn Dialect,
    service: Service,
    request: Request,
    handler: Handler,
) -> Response {
    let connection = request.extensions().get::<ConnectInfo<ConnectionHandle>>().map(|info| info.0.clone());
    let Some(connection) = connection else {
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (parts, body) = request.into_parts();
    let record = state.log.begin(dialect.provider(), service, connection.number(), &parts);
    let Some(body) = receive(body).await else {
        // Dropping the record marks the request as cancelled: the client disconnected or sent too much.
        return axum::http::StatusCode::BAD_REQUEST.into_response();
    };
    let mut context = RequestContext::new(state, dialect, service, parts, body, record, connection);
    let reply = handler(&mut context).await;
    let RequestContext { dialect, ready, mut record, connection, fault, .. } = context;
    match reply {
        Ok(reply) => {
            let reply = match fault {
                Some(fault) => reply.with_fault(&fault.kind, |form| dialect.stream_error(form)),
                None => reply,
            };
            reply.send(ready, record, connection).await
        }
        Err(error_reply) => {
            record.response_started(error_reply.status);
            record.end();
            error_reply.into_response()
        }
    }
}

/// Reads the whole body. `None` if the client disconnects or the body exceeds [`MAX_BODY_BYTES`].
async fn receive(body: Body) -> Option<Bytes> {
    let mut stream = body.into_data_stream();
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await {
        all.extend_from_slice(&chunk.ok()?);
        if all.len() > MAX_BODY_BYTES {
            return None;
        }
    }
    Some(all.into())
}

impl RequestContext {
    /// The context of a request whose body has arrived.
    pub(crate) fn new(
        state: Arc<SandboxState>,
        dialect: &'static dyn Dialect,
        service: Service,
        parts: Parts,
        body: Bytes,
        record: RecordHandle,
        connection: ConnectionHandle,
    ) -> Self {
        record.body_complete(body.len());
        let Parts { method, headers, uri, .. } = parts;
        Self {
            state,
            dialect,
            service,
            model: String::new(),
            headers,
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            body,
            ready: Instant::now(),
            record,
            connection,
            fault: None,
        }
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset_connection(&self) {
        self.connection.reset();
    }

    /// The provider's error reply for `cause`.
    pub(crate) fn error(&self, cause: &ErrorCause) -> ErrorReply {
        self.dialect.error_reply(cause, &self.model)
    }

    /// The provider's invalid-request error.
    pub(crate) fn invalid_request(&self, message: impl Into<String>) -> ErrorReply {
        self.error(&ErrorCause::InvalidRequest(message.into()))
    }

    /// Value of a header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Current time in seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }

    /// API key of the request, from either header. Empty without one.
    fn key(&self) -> &str {
        let bearer = self.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        bearer.or_else(|| self.header("x-goog-api-key")).unwrap_or_default()
    }

    /// Checks the API key in `Authorization: Bearer …`.
    pub(crate) fn check_bearer(&self) -> Result<(), ErrorReply> {
        match self.header("authorization") {
            None => Err(self.error(&ErrorCause::MissingKey)),
            Some(value) if value.strip_prefix("Bearer ") == Some(&self.state.config.key) => Ok(()),
            Some(_) => Err(self.error(&ErrorCause::WrongKey)),
        }
    }

    /// Parses the body as a JSON object and logs it.
    pub(crate) fn json(&self) -> Result<Value, ErrorReply> {
        let value: Value = serde_json::from_slice(&self.body)
            .map_err(|error| self.invalid_request(format!("could not parse the request body as JSON: {error}")))?;
        if !value.is_object() {
            return Err(self.invalid_request("the request body is not a JSON object"));
        }
        self.record.update(|record| record.json = Some(shortened(&value)));
        Ok(value)
    }

    /// Parses the body as multipart form data and logs it.
    pub(crate) async fn multipart_form(&self) -> Result<MultipartForm, ErrorReply> {
        let broken = |error: &dyn std::fmt::Display| self.invalid_request(format!("could not read the form: {error}"));
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.headers_mut() = self.headers.clone();
        // The body limit of the outer request does not apply to this new request.
        DefaultBodyLimit::disable().apply(&mut request);
        let mut multipart = Multipart::from_request(request, &()).await.map_err(|error| broken(&error))?;
        let mut form = MultipartForm::default();
        while let Some(field) = multipart.next_field().await.map_err(|error| broken(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let content_type = field.content_type().map(str::to_owned);
            let bytes = field.bytes().await.map_err(|error| broken(&error))?;
            if name == "file" {
                form.file = Some((FileRecord { name: file_name, content_type, bytes: bytes.len() }, bytes));
            } else {
                form.fields.push((name, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        self.record.update(|record| {
            record.fields.clone_from(&form.fields);
            record.file = form.file.as_ref().map(|(file, _)| file.clone());
        });
        Ok(form)
    }

    /// Logs the service and the model of the request, and takes the first fault that matches them. A fault that
    /// replaces or delays the whole response takes effect here. The others change the reply later, through
    /// [`RequestContext::fault`].
    pub(crate) async fn apply_fault(&mut self, service: Service, model: &str) -> Result<(), ErrorReply> {
        self.service = service;
        self.model = model.to_owned();
        let fault = self.state.faults().take_matching(self.dialect.provider(), service, Some(model));
        self.record.update(|record| {
            record.service = service;
            record.model = (!model.is_empty()).then(|| model.to_owned());
            record.fault = fault.as_ref().map(|fault| fault.kind.name().to_owned());
        });
        let Some(fault) = fault else { return Ok(()) };
        let kind = fault.kind.clone();
        sleep(Duration::from_millis(fault.after_ms)).await;
        self.fault = Some(fault);
        match kind {
            FaultKind::Status { code, body, headers } => {
                Err(self.dialect.status_fault(&self.model, code, &body, &headers).with_key_inserted(self.key()))
            }
            FaultKind::RefuseAuth => Err(self.error(&ErrorCause::WrongKey)),
            FaultKind::ModelGone { form } => Err(self.error(&ErrorCause::ModelGone(form))),
            FaultKind::ContextTooLong => Err(self.error(&ErrorCause::ContextTooLong)),
            FaultKind::BodyTooLarge => Err(self.error(&ErrorCause::BodyTooLarge)),
            FaultKind::ContentFilter { form: FilterForm::Prompt } if self.dialect.rejects_blocked_prompts() => {
                Err(self.error(&ErrorCause::PromptBlocked))
            }
            FaultKind::DelayHeaders { ms } => {
                sleep_until(self.ready + Duration::from_millis(ms)).await;
                Ok(())
            }
            FaultKind::Silent => std::future::pending().await,
            FaultKind::Reset => {
                self.record.end();
                self.connection.reset();
                std::future::pending().await
            }
            _ => Ok(()),
        }
    }

    /// The fault of this request.
    pub(crate) fn fault(&self) -> Option<&FaultKind> {
        self.fault.as_ref().map(|fault| &fault.kind)
    }

    /// What the content filter blocks, if the fault of this request is a content filter.
    pub(crate) fn content_filter(&self) -> Option<FilterForm> {
        match self.fault() {
            Some(FaultKind::ContentFilter { form }) => Some(*form),
            _ => None,
        }
    }
}
