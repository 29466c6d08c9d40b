//! What was received: the evidence that a test reads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds::{Provider, Service};

/// How many requests are kept; older ones are forgotten.
const KEPT: usize = 10_000;

/// Strings longer than this in a logged JSON body are shortened: they are images and sounds.
const LONGEST_STRING: usize = 2_000;

/// One request as it was received, and what became of it. Times are milliseconds since the sandbox started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Counts from 1.
    pub id: u64,
    /// The connection it came through, counted from 1: the same number means a reused connection.
    pub connection: u64,
    /// The provider.
    pub provider: Provider,
    /// The service.
    pub service: Service,
    /// The model asked for.
    pub model: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, with a key in it hidden.
    pub query: Option<String>,
    /// The headers; those that carry a secret say `[hidden]`.
    pub headers: BTreeMap<String, String>,
    /// The body, when it was JSON. Long strings are shortened.
    pub json: Option<Value>,
    /// The text fields of a multipart body, in order.
    pub fields: Vec<(String, String)>,
    /// The file of a multipart body.
    pub file: Option<FileRecord>,
    /// The user's last message.
    pub text: Option<String>,
    /// Length of the received sound.
    pub audio_seconds: Option<f64>,
    /// The received images.
    pub images: Vec<ImageRecord>,
    /// Bytes of the body.
    pub body_bytes: usize,
    /// When the headers had arrived, as milliseconds since 1970.
    pub arrived_unix_ms: u64,
    /// When the headers had arrived.
    pub arrived_ms: f64,
    /// When the body was complete.
    pub body_ms: Option<f64>,
    /// When the answer began.
    pub answered_ms: Option<f64>,
    /// When the answer had been handed over, or the connection was lost.
    pub ended_ms: Option<f64>,
    /// The status that was answered.
    pub status: Option<u16>,
    /// The fault that was used, by name.
    pub fault: Option<String>,
    /// The client closed the connection before it had the whole answer.
    pub cancelled: bool,
}

/// An uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its name.
    pub name: Option<String>,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its size.
    pub bytes: usize,
}

/// A received image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Its encoding, such as `image/jpeg`, from its own bytes.
    pub format: String,
    /// Its size.
    pub bytes: usize,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// The requests of one sandbox.
#[derive(Debug)]
pub(crate) struct RequestLog {
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last_id: u64,
    records: VecDeque<RequestRecord>,
}

impl RequestLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), kept: Mutex::default() })
    }

    fn now_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1000.0
    }

    pub(crate) fn list(&self) -> Vec<RequestRecord> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).records.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).records.clear();
    }

    /// Notes a request whose headers have arrived.
    pub(crate) fn open(
        self: &Arc<Self>,
        provider: Provider,
        service: Service,
        connection: u64,
        parts: &axum::http::request::Parts,
    ) -> Entry {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last_id += 1;
        let id = kept.last_id;
        if kept.records.len() >= KEPT {
            kept.records.pop_front();
        }
        kept.records.push_back(RequestRecord {
            id,
            connection,
            provider,
            service,
            model: None,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(without_key),
            headers: without_secrets(&parts.headers),
            json: None,
            fields: Vec::new(),
            file: None,
            text: None,
            audio_seconds: None,
            images: Vec::new(),
            body_bytes: 0,
            arrived_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
            arrived_ms: self.now_ms(),
            body_ms: None,
            answered_ms: None,
            ended_ms: None,
            status: None,
            fault: None,
            cancelled: false,
        });
        Entry { log: self.clone(), id, ended: false }
    }
}

/// The open record of one request. Dropped before its end, it says that the client went away.
#[derive(Debug)]
pub(crate) struct Entry {
    log: Arc<RequestLog>,
    id: u64,
    ended: bool,
}

impl Entry {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut RequestRecord)) {
        let mut kept = self.log.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Searched from the end: the newest are the ones still being changed.
        if let Some(record) = kept.records.iter_mut().rev().find(|record| record.id == self.id) {
            change(record);
        }
    }

    pub(crate) fn body_complete(&self, bytes: usize) {
        let now = self.log.now_ms();
        self.note(|record| {
            record.body_ms = Some(now);
            record.body_bytes = bytes;
        });
    }

    pub(crate) fn answered(&self, status: u16) {
        let now = self.log.now_ms();
        self.note(|record| {
            record.answered_ms = Some(now);
            record.status = Some(status);
        });
    }

    /// The answer went out as intended, broken on purpose or not.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        let now = self.log.now_ms();
        self.note(|record| record.ended_ms = Some(now));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.ended {
            let now = self.log.now_ms();
            self.note(|record| {
                record.cancelled = true;
                record.ended_ms = Some(now);
            });
        }
    }
}

fn without_secrets(headers: &HeaderMap) -> BTreeMap<String, String> {
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

fn without_key(query: &str) -> String {
    let hide = |pair: &str| {
        if pair.starts_with("key=") { "key=[hidden]".to_owned() } else { pair.to_owned() }
    };
    query.split('&').map(hide).collect::<Vec<_>>().join("&")
}

/// The same JSON with images and sounds cut down to their beginnings.
pub(crate) fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > LONGEST_STRING => {
            let start: String = text.chars().take(64).collect();
            Value::String(format!("{start}… ({} bytes)", text.len()))
        }
        Value::Array(items) => Value::Array(items.iter().map(shortened).collect()),
        Value::Object(fields) => Value::Object(fields.iter().map(|(k, v)| (k.clone(), shortened(v))).collect()),
        other => other.clone(),
    }
}
