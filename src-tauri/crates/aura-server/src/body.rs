//! Request bodies: read within limits of size and time, and told from each other by what they hold rather than by what they are called.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aura_core::error::Error;
use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::{Problem, guard, shortened};

/// The largest JSON: 1 MB.
pub(crate) const JSON: usize = 1_000_000;
/// The largest recording: 25 MB, the smallest limit of the providers.
pub(crate) const AUDIO: usize = 25 * 1024 * 1024;
/// The largest picture: 20 MB.
pub(crate) const IMAGE: usize = 20 * 1024 * 1024;
/// The largest JSON with a recording or a picture in base64 in it.
pub(crate) const JSON_WITH_FILE: usize = AUDIO / 3 * 4 + JSON;

/// So much is read where the request is; more on a thread where it keeps nobody waiting.
pub(crate) const AT_ONCE: usize = 100_000;

/// So much of a body that was refused is still read.
const READ_ANYWAY: usize = 128 * 1024 * 1024;
/// A sender that is silent for so long is cut off.
const SILENCE: Duration = Duration::from_secs(10);
/// And one that takes longer than this altogether.
const WHOLE: Duration = Duration::from_secs(60);

/// Larger bodies take of the room that there is for all of them together, a piece of this size each time.
const PIECE: usize = 1_048_576;

/// What a request is sent, while it comes and until the request has ended.
pub(crate) struct Upload {
    room: Arc<Semaphore>,
    taken: Mutex<Option<OwnedSemaphorePermit>>,
    broken: OnceLock<Broken>,
    unread: Mutex<Option<Coming>>,
}

/// Why a body was not taken to its end.
#[derive(Debug, Clone, Copy)]
enum Broken {
    /// Its sender is too slow.
    Slow,
    /// There is no room for it now.
    Crowded,
}

/// A body on its way.
struct Coming {
    stream: BodyDataStream,
    /// How much of it has come, bytes.
    length: usize,
    /// When it must have come.
    end: Instant,
}

impl Coming {
    async fn next(&mut self) -> Result<Option<Result<Bytes, axum::Error>>, Elapsed> {
        let part = tokio::time::timeout_at(self.end.min(Instant::now() + SILENCE), self.stream.next()).await?;
        self.length += part.as_ref().and_then(|part| part.as_ref().ok()).map_or(0, Bytes::len);
        Ok(part)
    }
}

/// A body in the hands of its reader; what that leaves unread goes back to the upload.
struct Reading {
    upload: Arc<Upload>,
    coming: Option<Coming>,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        let coming = self.coming.as_mut()?;
        let before = coming.length;
        match coming.next().await {
            Ok(Some(Ok(part))) if self.upload.takes(coming.length / PIECE - before / PIECE) => Some(Ok(part)),
            Ok(Some(Ok(_))) => Some(Err(self.breaks(Broken::Crowded))),
            Err(_) => {
                self.coming = None;
                Some(Err(self.breaks(Broken::Slow)))
            }
            Ok(ended) => {
                self.coming = None;
                ended
            }
        }
    }

    /// Breaks off for a reason of ours.
    fn breaks(&mut self, broken: Broken) -> axum::Error {
        self.upload.leaves(self.coming.take());
        axum::Error::new(std::io::Error::other(format!("{:?}", self.upload.broken.get_or_init(|| broken))))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.upload.leaves(self.coming.take());
    }
}

impl Upload {
    /// Of a request that has not been read. The room is in pieces of 1 MB.
    pub(crate) fn new(room: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self { room, taken: Mutex::default(), broken: OnceLock::new(), unread: Mutex::default() })
    }

    /// The body itself; it ends with an error when [`Upload::problem`] has something to say.
    pub(crate) fn watched(self: &Arc<Self>, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let coming = Coming { stream: body.into_data_stream(), length: 0, end: Instant::now() + WHOLE };
        let reading = Reading { upload: self.clone(), coming: Some(coming) };
        Body::from_stream(futures::stream::unfold(reading, |mut reading| async move {
            let part = reading.next().await?;
            Some((part, reading))
        }))
    }

    /// Why the body broke off, if it did for one of our reasons.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.broken.get().map(|broken| match broken {
            Broken::Slow => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The request did not arrive in time. Send it again.",
            ),
            Broken::Crowded => guard::busy(),
        })
    }

    /// Ends a request that was refused: gives its room to others, then reads on to the body's end without keeping any of it,
    /// because most programs read the answer only when they have sent everything.
    pub(crate) async fn refuse(&self) {
        drop(self.taken.lock().unwrap_or_else(PoisonError::into_inner).take());
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut coming) = unread {
            while coming.length <= READ_ANYWAY && matches!(coming.next().await, Ok(Some(Ok(_)))) {}
        }
    }

    fn leaves(&self, coming: Option<Coming>) {
        if coming.is_some() {
            *self.unread.lock().unwrap_or_else(PoisonError::into_inner) = coming;
        }
    }

    /// Takes so many pieces of the room; false when there are not so many.
    fn takes(&self, pieces: usize) -> bool {
        if pieces == 0 {
            return true;
        }
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let Ok(more) = self.room.clone().try_acquire_many_owned(pieces) else { return false };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.as_mut() {
            Some(taken) => taken.merge(more),
            None => *taken = Some(more),
        }
        true
    }
}

/// The whole body, if it is not larger than the limit.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut kept = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|cause| Problem::bad("The request broke off before its end.").because(cause))?;
        if kept.len() + part.len() > limit {
            return Err(too_large("request", limit));
        }
        kept.extend_from_slice(&part);
    }
    Ok(kept.into())
}

/// What is larger than it may be.
pub(crate) fn too_large(what: &str, limit: usize) -> Problem {
    let mb = limit as f64 / 1_048_576.0;
    let mb = if mb >= 10.0 { format!("{mb:.0}") } else { "1".into() };
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("The {what} is larger than {mb} MB. Send a smaller one."),
    )
}

/// The media type of a request, in small letters and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_lowercase())
}

/// A JSON body. Without a content type it is taken as JSON.
pub(crate) async fn json<T: DeserializeOwned + Send + 'static>(request: Request, limit: usize) -> Result<T, Problem> {
    Ok(measured(request, limit).await?.0)
}

/// A JSON body, and how many bytes it has.
pub(crate) async fn measured<T: DeserializeOwned + Send + 'static>(
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
    let value = if length <= AT_ONCE {
        parse(&body)
    } else {
        tokio::task::spawn_blocking(move || parse(&body)).await.map_err(Error::internal)?
    };
    Ok((value?, length))
}

/// JSON in memory: 400 when it is none, 422 when it is not what is expected.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|cause| {
        if cause.is_data() {
            Problem::unusable(format!("The request cannot be used: {}.", shortened(&cause.to_string())))
        } else {
            Problem::bad("The request is not valid JSON.").because(cause)
        }
    })
}

/// The kind of body, or of a file in it, is none that AURA can read.
pub(crate) fn unsupported(message: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media", message)
}

/// Makes sure that a file is a sound file, by its first bytes and its length.
pub(crate) fn check_audio(file: &[u8], length: usize) -> Result<(), Problem> {
    if length == 0 {
        return Err(Problem::unusable("The recording is empty. Send a sound file."));
    }
    if length > AUDIO {
        return Err(too_large("recording", AUDIO));
    }
    let wav = file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE");
    let mp3 = file.starts_with(b"ID3") || matches!(file, [0xFF, second, ..] if second & 0xE0 == 0xE0);
    if wav || mp3 || file.starts_with(b"OggS") || file.starts_with(b"fLaC") {
        Ok(())
    } else {
        Err(unsupported("The recording is no sound file that AURA can read. Send WAV, MP3, OGG or FLAC."))
    }
}

/// Makes sure that a file is a picture, by its first bytes and its length.
pub(crate) fn check_image(file: &[u8], length: usize) -> Result<(), Problem> {
    if length == 0 {
        return Err(Problem::unusable("The picture is empty. Send a PNG or JPEG file."));
    }
    if length > IMAGE {
        return Err(too_large("picture", IMAGE));
    }
    if file.starts_with(&[0xFF, 0xD8, 0xFF]) || file.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok(())
    } else {
        Err(unsupported("The picture is neither PNG nor JPEG."))
    }
}
