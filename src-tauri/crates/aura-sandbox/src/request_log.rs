//! The log of received requests, which tests read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{Provider, Service};

/// Number of records that are kept. The oldest is dropped first.
const MAX_RECORDS: usize = 10_000;

/// Longest string in a logged JSON body. Longer ones are images and sounds, and are shortened.
const MAX_STRING_BYTES: usize = 2_000;

/// A received request and its outcome. Times are milliseconds since the sandbox started, unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Number of the request, counted from 1.
    pub id: u64,
    /// Number of its connection, counted from 1. Requests with one number share a connection.
    pub connection: u64,
    /// Provider that the request was sent to.
    pub provider: Provider,
    /// Service that the request is for.
    pub service: Service,
    /// Model id in the request.
    pub model: Option<String>,
    /// HTTP method.
    pub method: String,
    /// Path of the URL.
    pub path: String,
    /// Query of the URL, with an API key replaced by `[hidden]`.
    pub query: Option<String>,
    /// Headers, with secrets replaced by `[hidden]`.
    pub headers: BTreeMap<String, String>,
    /// Body, if it was JSON. Long strings are shortened.
    pub json: Option<Value>,
    /// Names and values of the text fields of a multipart body, in order.
    pub fields: Vec<(String, String)>,
    /// File of a multipart body.
    pub file: Option<FileRecord>,
    /// Text of the user's last message, or the text to synthesise.
    pub text: Option<String>,
    /// Length of the received recording in seconds.
    pub audio_seconds: Option<f64>,
    /// Received images, in order.
    pub images: Vec<ImageRecord>,
    /// Size of the body in bytes.
    pub body_bytes: usize,
    /// When the headers had arrived, in milliseconds since 1970.
    pub arrived_unix_ms: u64,
    /// When the headers had arrived.
    pub arrived_ms: f64,
    /// When the body was complete.
    pub body_ms: Option<f64>,
    /// When the response began.
    pub answered_ms: Option<f64>,
    /// When the response was handed over for sending, or the connection ended.
    pub ended_ms: Option<f64>,
    /// Status of the response.
    pub status: Option<u16>,
    /// Name of the fault that was applied.
    pub fault: Option<String>,
    /// Whether the client closed the connection before it had the whole response.
    pub cancelled: bool,
}

/// File in a multipart body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// File name that the client sent.
    pub name: Option<String>,
    /// Content type that the client sent.
    pub content_type: Option<String>,
    /// Size in bytes.
    pub bytes: usize,
}

/// Image in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Media type, such as `image/jpeg`, detected from its bytes.
    pub format: String,
    /// Size of the encoded image in bytes.
    pub bytes: usize,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// The log of one sandbox.
#[derive(Debug)]
pub(crate) struct RequestLog {
    started: Instant,
    store: Mutex<RecordStore>,
}

#[derive(Debug, Default)]
struct RecordStore {
    last_id: u64,
    records: VecDeque<RequestRecord>,
}

impl RequestLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), store: Mutex::default() })
    }

    fn now_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1000.0
    }

    pub(crate) fn list(&self) -> Vec<RequestRecord> {
        self.store.lock().records.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.store.lock().records.clear();
    }

    /// Adds a record for a request whose headers have arrived.
    pub(crate) fn begin(
        self: &Arc<Self>,
        provider: Provider,
        service: Service,
        connection: u64,
        parts: &axum::http::request::Parts,
    ) -> RecordHandle {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut store = self.store.lock();
        store.last_id += 1;
        let id = store.last_id;
        if store.records.len() >= MAX_RECORDS {
            store.records.pop_front();
        }
        store.records.push_back(RequestRecord {
            id,
            connection,
            provider,
            service,
            model: None,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(redacted_query),
            headers: redacted_headers(&parts.headers),
            json: None,
            fields: Vec::new(),
            file: None,
            text: None,
            audio_seconds: None,
            images: Vec::new(),
            body_bytes: 0,
            arrived_unix_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
            arrived_ms: self.now_ms(),
            body_ms: None,
            answered_ms: None,
            ended_ms: None,
            status: None,
            fault: None,
            cancelled: false,
        });
        RecordHandle { log: self.clone(), id, ended: false }
    }
}

/// The record of a request in progress. If it is dropped before [`RecordHandle::end`], the request counts as cancelled
/// by the client.
#[derive(Debug)]
pub(crate) struct RecordHandle {
    log: Arc<RequestLog>,
    id: u64,
    ended: bool,
}

impl RecordHandle {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Changes the record, unless the log was cleared.
    pub(crate) fn update(&self, change: impl FnOnce(&mut RequestRecord)) {
        let mut store = self.log.store.lock();
        // From the end, because requests in progress are the newest.
        if let Some(record) = store.records.iter_mut().rev().find(|record| record.id == self.id) {
            change(record);
        }
    }

    /// Logs that the body was received.
    pub(crate) fn body_complete(&self, bytes: usize) {
        let now = self.log.now_ms();
        self.update(|record| {
            record.body_ms = Some(now);
            record.body_bytes = bytes;
        });
    }

    /// Logs the status and the beginning of the response.
    pub(crate) fn response_started(&self, status: u16) {
        let now = self.log.now_ms();
        self.update(|record| {
            record.answered_ms = Some(now);
            record.status = Some(status);
        });
    }

    /// Marks the response as sent to its end, or broken on purpose by a fault.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        let now = self.log.now_ms();
        self.update(|record| record.ended_ms = Some(now));
    }
}

impl Drop for RecordHandle {
    fn drop(&mut self) {
        if !self.ended {
            let now = self.log.now_ms();
            self.update(|record| {
                record.cancelled = true;
                record.ended_ms = Some(now);
            });
        }
    }
}

fn redacted_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let secret = |name: &str| matches!(name, "authorization" | "x-goog-api-key" | "api-key" | "cookie");
    headers
        .iter()
        .map(|(name, value)| {
            let shown =
                if secret(name.as_str()) { "[hidden]".into() } else { String::from_utf8_lossy(value.as_bytes()) };
            (name.as_str().to_owned(), shown.into_owned())
        })
        .collect()
}

fn redacted_query(query: &str) -> String {
    let hide = |pair: &str| {
        if pair.starts_with("key=") { "key=[hidden]".to_owned() } else { pair.to_owned() }
    };
    query.split('&').map(hide).collect::<Vec<_>>().join("&")
}

/// A copy of `value` in which long strings (images and sounds) are cut to their first 64 characters.
pub(crate) fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > MAX_STRING_BYTES => {
            let start: String = text.chars().take(64).collect();
            Value::String(format!("{start}… ({} bytes)", text.len()))
        }
        Value::Array(items) => Value::Array(items.iter().map(shortened).collect()),
        Value::Object(fields) => Value::Object(fields.iter().map(|(k, v)| (k.clone(), shortened(v))).collect()),
        other => other.clone(),
    }
}
