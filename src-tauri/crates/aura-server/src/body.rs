//! Request bodies: read within limits of size and time, and told from each other by what they hold rather than by what they are called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use tokio::time::Instant;

use crate::Problem;

/// The largest JSON: 1 MB.
pub(crate) const JSON: usize = 1_000_000;
/// The largest recording: 25 MB, the smallest limit of the providers.
pub(crate) const AUDIO: usize = 25 * 1024 * 1024;
/// The largest picture: 20 MB.
pub(crate) const IMAGE: usize = 20 * 1024 * 1024;
/// The largest JSON with a recording or a picture in base64 in it.
pub(crate) const JSON_WITH_FILE: usize = AUDIO / 3 * 4 + JSON;

/// So much of a body that is too large is still read: most programs read the answer only when they have sent everything.
const READ_ANYWAY: usize = 128 * 1024 * 1024;
/// A sender that is silent for so long is cut off.
const SILENCE: Duration = Duration::from_secs(10);
/// And one that takes longer than this altogether.
const WHOLE: Duration = Duration::from_secs(60);

/// The same body, which ends with an error when its sender is too slow; then `slow` is set.
pub(crate) fn timed(body: Body, slow: Arc<AtomicBool>) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let end = Instant::now() + WHOLE;
    let parts = futures::stream::unfold(Some(body.into_data_stream()), move |stream| {
        let slow = slow.clone();
        async move {
            let mut stream = stream?;
            let due = end.min(Instant::now() + SILENCE);
            match tokio::time::timeout_at(due, stream.next()).await {
                Ok(part) => part.map(|part| (part, Some(stream))),
                Err(late) => {
                    slow.store(true, Ordering::Release);
                    Some((Err(axum::Error::new(late)), None))
                }
            }
        }
    });
    Body::from_stream(parts)
}

/// The answer to a sender that was cut off.
pub(crate) fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "The request did not arrive in time. Send it again.")
}

/// The whole body, if it is not larger than the limit.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let (mut first, mut rest, mut length) = (None::<Bytes>, Vec::new(), 0);
    while let Some(part) = stream.next().await {
        let part = part.map_err(|cause| Problem::bad("The request broke off before its end.").because(cause))?;
        length += part.len();
        if length > READ_ANYWAY {
            break;
        }
        if length > limit {
            (first, rest) = (None, Vec::new());
        } else if first.is_none() {
            first = Some(part);
        } else {
            rest.extend_from_slice(&part);
        }
    }
    if length > limit {
        return Err(too_large("request", limit));
    }
    Ok(match first {
        None => Bytes::new(),
        Some(only) if rest.is_empty() => only,
        Some(first) => [first.as_ref(), &rest].concat().into(),
    })
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
pub(crate) async fn json<T: serde::de::DeserializeOwned>(request: Request, limit: usize) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let media = media_type(&parts.headers);
    if media.as_deref().is_some_and(|media| media != "application/json" && !media.ends_with("+json")) {
        return Err(unsupported("Send JSON, with the content type application/json."));
    }
    let body = read(body, limit).await?;
    parse(&body)
}

/// JSON in memory: 400 when it is none, 422 when it is not what is expected.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|cause| {
        if cause.is_data() {
            Problem::unusable(format!("The request cannot be used: {cause}."))
        } else {
            Problem::bad("The request is not valid JSON.").because(cause)
        }
    })
}

/// The kind of body, or of a file in it, is none that AURA can read.
pub(crate) fn unsupported(message: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media", message)
}

/// Makes sure that a file is a sound file, by its first bytes.
pub(crate) fn check_audio(file: &[u8]) -> Result<(), Problem> {
    if file.is_empty() {
        return Err(Problem::unusable("The recording is empty. Send a sound file."));
    }
    if file.len() > AUDIO {
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

/// Makes sure that a file is a picture, by its first bytes.
pub(crate) fn check_image(file: &[u8]) -> Result<(), Problem> {
    if file.is_empty() {
        return Err(Problem::unusable("The picture is empty. Send a PNG or JPEG file."));
    }
    if file.len() > IMAGE {
        return Err(too_large("picture", IMAGE));
    }
    if file.starts_with(&[0xFF, 0xD8, 0xFF]) || file.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok(())
    } else {
        Err(unsupported("The picture is neither PNG nor JPEG."))
    }
}
