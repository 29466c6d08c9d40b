//! Request bodies: size and time limits, JSON, and content sniffing.

use std::sync::{Arc, OnceLock};

use aura_core::error::Error;
use aura_providers::{MAX_AUDIO_FILE_BYTES, MAX_IMAGE_BYTES, MediaType};
use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use parking_lot::Mutex;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::{Duration, Instant};

use crate::{Problem, ServerLimits, shortened};

/// The largest JSON body, bytes: 1 MB.
pub(crate) const MAX_JSON: usize = 1_000_000;
/// The largest JSON body that contains a recording or a picture as base64, bytes.
pub(crate) const MAX_JSON_WITH_FILE: usize = MAX_AUDIO_FILE_BYTES / 3 * 4 + MAX_JSON;

/// Bodies up to this size (bytes) are parsed inline; larger ones on the blocking pool.
pub(crate) const INLINE_LIMIT: usize = 100_000;

/// Deserializes a JSON object, if there is one. A derived `Deserialize` also takes an array of the values.
pub(crate) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let fields: Option<Map<String, Value>> = Option::deserialize(deserializer)?;
    fields.map(|fields| T::deserialize(Value::Object(fields)).map_err(D::Error::custom)).transpose()
}

/// How much of a rejected body is still read and discarded, bytes.
const MAX_DRAIN: usize = 128 * 1024 * 1024;

/// The unit of the memory budget that all request bodies share, bytes: one permit for each full MiB of a body.
const BUDGET_UNIT: usize = 1_048_576;

/// The body of a request, from its arrival to the end of the request.
pub(crate) struct Upload {
    limits: ServerLimits,
    /// The memory budget that all requests share, in units of [`BUDGET_UNIT`].
    budget: Arc<Semaphore>,
    /// The part of the budget that this body holds.
    reserved: Mutex<Option<OwnedSemaphorePermit>>,
    abort_reason: OnceLock<AbortReason>,
    /// The rest of the body, after its reader stopped early.
    unread: Mutex<Option<IncomingBody>>,
}

/// Why the server stopped reading a body.
#[derive(Debug, Clone, Copy)]
enum AbortReason {
    /// The body arrived too slowly.
    TooSlow,
    /// The memory budget is used up.
    OutOfMemoryBudget,
}

/// A body that is still arriving.
struct IncomingBody {
    stream: BodyDataStream,
    /// Bytes received so far.
    length: usize,
    /// Longest pause between two chunks.
    idle_timeout: Duration,
    /// When the whole body must have arrived.
    deadline: Instant,
}

impl IncomingBody {
    async fn next(&mut self) -> Result<Option<Result<Bytes, axum::Error>>, Elapsed> {
        let deadline = self.deadline.min(Instant::now() + self.idle_timeout);
        let chunk = tokio::time::timeout_at(deadline, self.stream.next()).await?;
        self.length += chunk.as_ref().and_then(|chunk| chunk.as_ref().ok()).map_or(0, Bytes::len);
        Ok(chunk)
    }
}

/// A body under the limits. When dropped early, it returns the unread rest to the upload.
struct LimitedBody {
    upload: Arc<Upload>,
    incoming: Option<IncomingBody>,
}

impl LimitedBody {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        let incoming = self.incoming.as_mut()?;
        let before = incoming.length;
        match incoming.next().await {
            Ok(Some(Ok(chunk))) if self.upload.reserve(incoming.length / BUDGET_UNIT - before / BUDGET_UNIT) => {
                Some(Ok(chunk))
            }
            Ok(Some(Ok(_))) => Some(Err(self.abort(AbortReason::OutOfMemoryBudget))),
            Err(_) => {
                self.incoming = None;
                Some(Err(self.abort(AbortReason::TooSlow)))
            }
            Ok(end_or_error) => {
                self.incoming = None;
                end_or_error
            }
        }
    }

    fn abort(&mut self, reason: AbortReason) -> axum::Error {
        self.upload.put_back(self.incoming.take());
        axum::Error::new(std::io::Error::other(format!("{:?}", self.upload.abort_reason.get_or_init(|| reason))))
    }
}

impl Drop for LimitedBody {
    fn drop(&mut self) {
        self.upload.put_back(self.incoming.take());
    }
}

impl Upload {
    /// An upload of which nothing has been read. One permit of `budget` stands for 1 MiB.
    pub(crate) fn new(budget: Arc<Semaphore>, limits: ServerLimits) -> Arc<Self> {
        let (reserved, unread) = (Mutex::default(), Mutex::default());
        Arc::new(Self { limits, budget, reserved, abort_reason: OnceLock::new(), unread })
    }

    /// Puts the body under the time limits and the memory budget. When one is exceeded, the body ends with an error, and
    /// [`Upload::problem`] says why.
    pub(crate) fn limit(self: &Arc<Self>, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let incoming = IncomingBody {
            stream: body.into_data_stream(),
            length: 0,
            idle_timeout: self.limits.body_idle,
            deadline: Instant::now() + self.limits.body_total,
        };
        let limited = LimitedBody { upload: self.clone(), incoming: Some(incoming) };
        Body::from_stream(futures::stream::unfold(limited, |mut limited| async move {
            let chunk = limited.next().await?;
            Some((chunk, limited))
        }))
    }

    /// Why the server stopped reading the body, if it did.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.abort_reason.get().map(|reason| match reason {
            AbortReason::TooSlow => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The request did not arrive in time. Send it again.",
            ),
            AbortReason::OutOfMemoryBudget => Problem::busy(),
        })
    }

    /// Frees the memory budget of a rejected request.
    pub(crate) fn free_memory(&self) {
        drop(self.reserved.lock().take());
    }

    /// Reads and discards the rest of the body, within limits: most clients read the response only after they have sent everything, and
    /// expect to use the connection again. Whether the body was read to its end.
    pub(crate) async fn drain(&self) -> bool {
        let unread = self.unread.lock().take();
        let Some(mut incoming) = unread else { return self.abort_reason.get().is_none() };
        incoming.deadline = incoming.deadline.min(Instant::now() + self.limits.drain);
        while incoming.length <= MAX_DRAIN {
            match incoming.next().await {
                Ok(Some(Ok(_))) => {}
                Ok(None) => return true,
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        false
    }

    fn put_back(&self, incoming: Option<IncomingBody>) {
        if incoming.is_some() {
            *self.unread.lock() = incoming;
        }
    }

    /// Reserves units of the memory budget; false when too few are left.
    fn reserve(&self, units: usize) -> bool {
        if units == 0 {
            return true;
        }
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let Ok(permit) = self.budget.clone().try_acquire_many_owned(units) else { return false };
        let mut reserved = self.reserved.lock();
        match reserved.as_mut() {
            Some(reserved) => reserved.merge(permit),
            None => *reserved = Some(permit),
        }
        true
    }
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk =
            chunk.map_err(|cause| Problem::bad_request("The request ended before it was complete.").because(cause))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large("request", limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Status 413: something is larger than `limit` bytes.
pub(crate) fn too_large(what: &str, limit: usize) -> Problem {
    let mb = limit as f64 / 1_048_576.0;
    let mb = if mb >= 10.0 { format!("{mb:.0}") } else { "1".into() };
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("The {what} is larger than {mb} MB. Send a smaller one."),
    )
}

/// The media type of a request, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_lowercase())
}

/// Deserializes a JSON body of at most `limit` bytes. A missing content type counts as JSON.
pub(crate) async fn json<T: DeserializeOwned + Send + 'static>(request: Request, limit: usize) -> Result<T, Problem> {
    Ok(json_with_length(request, limit).await?.0)
}

/// Deserializes a JSON body of at most `limit` bytes, and gives its length in bytes.
pub(crate) async fn json_with_length<T: DeserializeOwned + Send + 'static>(
    request: Request,
    limit: usize,
) -> Result<(T, usize), Problem> {
    let (parts, body) = request.into_parts();
    let media = media_type(&parts.headers);
    if media.as_deref().is_some_and(|media| media != "application/json" && !media.ends_with("+json")) {
        return Err(unsupported("Send JSON, with the content type application/json."));
    }
    let body = read(body, limit).await?;
    let length = body.len();
    let value = if length <= INLINE_LIMIT {
        parse(&body)
    } else {
        tokio::task::spawn_blocking(move || parse(&body)).await.map_err(Error::internal)?
    };
    Ok((value?, length))
}

/// Deserializes JSON: status 400 for malformed JSON, 422 for JSON of the wrong shape.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|cause| {
        if cause.is_data() {
            Problem::unprocessable(format!("The request is not valid: {}.", shortened(&cause.to_string())))
        } else {
            Problem::bad_request("The request is not valid JSON.").because(cause)
        }
    })
}

/// Status 415: AURA cannot read this kind of body or file.
pub(crate) fn unsupported(message: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media", message)
}

/// Checks by its first bytes and its length (bytes) that a file is a sound file.
pub(crate) fn check_audio(file: &[u8], length: usize) -> Result<(), Problem> {
    if length == 0 {
        return Err(Problem::unprocessable("The recording is empty. Send a sound file."));
    }
    if length > MAX_AUDIO_FILE_BYTES {
        return Err(too_large("recording", MAX_AUDIO_FILE_BYTES));
    }
    if MediaType::of(file).is_some_and(MediaType::is_audio) {
        Ok(())
    } else {
        Err(unsupported("AURA cannot read this recording. Send a WAV, MP3, OGG or FLAC file."))
    }
}

/// Checks by its first bytes and its length (bytes) that a file is a picture.
pub(crate) fn check_image(file: &[u8], length: usize) -> Result<(), Problem> {
    if length == 0 {
        return Err(Problem::unprocessable("The picture is empty. Send a PNG or JPEG file."));
    }
    if length > MAX_IMAGE_BYTES {
        return Err(too_large("picture", MAX_IMAGE_BYTES));
    }
    match MediaType::of(file) {
        Some(MediaType::Jpeg | MediaType::Png) => Ok(()),
        _ => Err(unsupported("The picture is neither PNG nor JPEG. Send one of these.")),
    }
}
