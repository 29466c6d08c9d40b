//! One request on its way through: logged, checked for its key, met by its fault, answered.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::faults::{Fault, FaultKind, FilterForm};
use crate::kinds::{Provider, Service};
use crate::log::{Entry, FileRecord, shortened};
use crate::refusal::{Cause, Refusal};
use crate::reply::Reply;
use crate::socket::ConnectionHandle;
use crate::state::State;
use crate::{gemini, groq, openai};

/// No provider takes a larger body; it bounds the memory of the sandbox.
const LARGEST_BODY: usize = 128 * 1024 * 1024;

/// One request on its way through.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) state: Arc<State>,
    pub(crate) provider: Provider,
    pub(crate) service: Service,
    pub(crate) model: String,
    pub(crate) headers: HeaderMap,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Bytes,
    /// When the body was complete: every delay is counted from here.
    pub(crate) ready: Instant,
    pub(crate) entry: Entry,
    connection: ConnectionHandle,
    fault: Option<Fault>,
}

/// The parts of a multipart body.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) file: Option<(FileRecord, Bytes)>,
}

impl Form {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// What answers a request.
pub(crate) type Answerer = for<'a> fn(&'a mut Call) -> BoxFuture<'a, Result<Reply, Refusal>>;

/// Receives a request, has `answer` answer it, and breaks the answer if a fault says so.
pub(crate) async fn serve(
    state: Arc<State>,
    provider: Provider,
    service: Service,
    request: Request,
    answer: Answerer,
) -> Response {
    let connection = request.extensions().get::<ConnectInfo<ConnectionHandle>>().map(|info| info.0.clone());
    let Some(connection) = connection else {
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (parts, body) = request.into_parts();
    let entry = state.log.open(provider, service, connection.number(), &parts);
    let Some(body) = receive(body).await else {
        // The entry is dropped unended: the client went away while it was sending.
        return axum::http::StatusCode::BAD_REQUEST.into_response();
    };
    entry.body_complete(body.len());
    let Parts { method, headers, uri, .. } = parts;
    let mut call = Call {
        state,
        provider,
        service,
        model: String::new(),
        headers,
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        body,
        ready: Instant::now(),
        entry,
        connection,
        fault: None,
    };
    let reply = answer(&mut call).await;
    let Call { provider, ready, mut entry, connection, fault, .. } = call;
    match reply {
        Ok(reply) => {
            let reply = match fault {
                Some(fault) => reply.broken(&fault.kind, |kind| stream_error(provider, kind)),
                None => reply,
            };
            reply.response(ready, entry, connection).await
        }
        Err(refusal) => {
            entry.answered(refusal.status);
            entry.end();
            refusal.response()
        }
    }
}

fn stream_error(provider: Provider, fault: &FaultKind) -> Vec<Bytes> {
    let FaultKind::StreamError { form, .. } = fault else {
        return Vec::new();
    };
    match provider {
        Provider::Groq => groq::errors::in_stream(*form),
        Provider::Gemini => gemini::errors::in_stream(*form),
        Provider::Openai => openai::errors::in_stream(),
    }
}

async fn receive(body: Body) -> Option<Bytes> {
    let mut stream = body.into_data_stream();
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece.ok()?);
        if all.len() > LARGEST_BODY {
            return None;
        }
    }
    Some(all.into())
}

impl Call {
    /// A refusal in the provider's own words.
    pub(crate) fn refuse(&self, cause: &Cause) -> Refusal {
        Refusal::of(self.provider, cause, &self.model)
    }

    /// The caller's mistake.
    pub(crate) fn invalid(&self, message: impl Into<String>) -> Refusal {
        self.refuse(&Cause::Invalid(message.into()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Seconds since 1970.
    pub(crate) fn created(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }

    /// The key that was sent, however it was.
    fn key(&self) -> &str {
        let bearer = self.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        bearer.or_else(|| self.header("x-goog-api-key")).unwrap_or_default()
    }

    /// Checks `Authorization: Bearer …`.
    pub(crate) fn check_bearer(&self) -> Result<(), Refusal> {
        match self.header("authorization") {
            None => Err(self.refuse(&Cause::NoKey)),
            Some(value) if value.strip_prefix("Bearer ") == Some(&self.state.config.key) => Ok(()),
            Some(_) => Err(self.refuse(&Cause::BadKey)),
        }
    }

    /// The body as a JSON object.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        let value: Value = serde_json::from_slice(&self.body)
            .map_err(|error| self.invalid(format!("could not parse the request body as JSON: {error}")))?;
        if !value.is_object() {
            return Err(self.invalid("the request body is not a JSON object"));
        }
        self.entry.note(|record| record.json = Some(shortened(&value)));
        Ok(value)
    }

    /// The body as multipart form data.
    pub(crate) async fn form(&self) -> Result<Form, Refusal> {
        let broken = |error: &dyn std::fmt::Display| self.invalid(format!("could not read the form: {error}"));
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.headers_mut() = self.headers.clone();
        // The limit of the outer request does not travel with this one.
        DefaultBodyLimit::disable().apply(&mut request);
        let mut multipart = Multipart::from_request(request, &()).await.map_err(|error| broken(&error))?;
        let mut form = Form::default();
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
        self.entry.note(|record| {
            record.fields.clone_from(&form.fields);
            record.file = form.file.as_ref().map(|(file, _)| file.clone());
        });
        Ok(form)
    }

    /// Says what the request is for, now that it is known, and meets the fault that waits for it. Faults that
    /// answer in place of the provider end here; the others are asked for with [`Call::fault`].
    pub(crate) async fn meet(&mut self, service: Service, model: &str) -> Result<(), Refusal> {
        self.service = service;
        self.model = model.to_owned();
        let fault = self.state.faults().take(self.provider, service, Some(model));
        self.entry.note(|record| {
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
                Err(Refusal::ordered(self.provider, &self.model, code, &body, &headers).quoting(self.key()))
            }
            FaultKind::RefuseAuth => Err(self.refuse(&Cause::BadKey)),
            FaultKind::ModelGone { form } => Err(self.refuse(&Cause::Gone(form))),
            FaultKind::ContextTooLong => Err(self.refuse(&Cause::ContextTooLong)),
            FaultKind::BodyTooLarge => Err(self.refuse(&Cause::TooLarge)),
            // Gemini blocks a prompt with status 200.
            FaultKind::ContentFilter { form: FilterForm::Prompt } if self.provider != Provider::Gemini => {
                Err(self.refuse(&Cause::Filtered))
            }
            FaultKind::DelayHeaders { ms } => {
                sleep_until(self.ready + Duration::from_millis(ms)).await;
                Ok(())
            }
            FaultKind::Silent => std::future::pending().await,
            FaultKind::Reset => {
                self.entry.end();
                self.connection.reset();
                std::future::pending().await
            }
            _ => Ok(()),
        }
    }

    /// The fault that was met.
    pub(crate) fn fault(&self) -> Option<&FaultKind> {
        self.fault.as_ref().map(|fault| &fault.kind)
    }

    /// Which side a content filter is to act on, if one was ordered.
    pub(crate) fn filter(&self) -> Option<FilterForm> {
        match self.fault() {
            Some(FaultKind::ContentFilter { form }) => Some(*form),
            _ => None,
        }
    }
}
