//! Sends a recording while it is made, as the body of an ordinary transcription request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aura_audio::{SPEECH_RATE, streamed_speech_wav_header};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::Url;

use crate::api_client::ApiClient;
use crate::types::{Failure, FailureKind, SessionAudio, StreamingRequest, Transcript, TranscriptionRequest};
use crate::wire::multipart::OpenForm;
use crate::wire::openai_audio::{self, TranscriptionDialect};

/// How much of a recording was taken by the connection.
#[derive(Debug, Default)]
struct Sent {
    samples: AtomicUsize,
    is_whole: AtomicBool,
}

/// Sends the audio until its end, as a form without a length, and reads the transcript.
///
/// # Errors
/// When the call fails. A connection that breaks, or a request that the server gives up, while the recording is sent is
/// [`FailureKind::Interrupted`]: it may just not wait for a recording that takes long.
pub(crate) async fn transcribe(
    client: &ApiClient,
    url: Url,
    request: StreamingRequest,
    dialect: TranscriptionDialect<'_>,
    audio: SessionAudio,
) -> Result<Transcript, Failure> {
    let StreamingRequest { model, language, vocabulary } = request;
    let mut request = TranscriptionRequest { model, language, vocabulary, ..TranscriptionRequest::default() };
    let form = openai_audio::transcription_form(&request, dialect);
    let sent = Arc::new(Sent::default());
    let content_type = form.content_type.clone();
    let reply = client.post_stream(url, &content_type, body(form, audio, sent.clone())).await;
    let (samples, is_whole) = (sent.samples.load(Ordering::Acquire), sent.is_whole.load(Ordering::Acquire));
    let reply = reply.map_err(|failure| match failure.kind {
        FailureKind::Unreachable if samples > 0 => Failure { kind: FailureKind::Interrupted, ..failure },
        FailureKind::Timeout if !is_whole => Failure { kind: FailureKind::Interrupted, ..failure },
        _ => failure,
    })?;
    if !is_whole {
        let why = "The provider answered before the recording had ended.";
        return Err(Failure::new(FailureKind::Interrupted, why));
    }
    request.duration = Duration::from_secs_f64(samples as f64 / f64::from(SPEECH_RATE));
    let rate_limit = reply.rate_limit();
    let mut transcript = reply.read(|body| openai_audio::transcript(body, &request)).await?;
    transcript.usage.rate_limit = rate_limit;
    Ok(transcript)
}

/// The body of the request.
fn body(form: OpenForm, audio: SessionAudio, sent: Arc<Sent>) -> impl Stream<Item = Bytes> + Send + 'static {
    let OpenForm { before, after, .. } = form;
    let end = {
        let sent = sent.clone();
        async move {
            sent.is_whole.store(true, Ordering::Release);
            Bytes::from(after)
        }
    };
    let recording = stream::unfold((audio, sent), |(mut audio, sent)| async move {
        let samples = audio.next().await?;
        sent.samples.fetch_add(samples.len(), Ordering::AcqRel);
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Some((Bytes::from(bytes), (audio, sent)))
    });
    stream::iter([Bytes::from(before), streamed_speech_wav_header()]).chain(recording).chain(stream::once(end))
}
