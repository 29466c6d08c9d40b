//! `POST /audio/transcriptions`

use serde_json::{Value, json};

use super::models::{self, OpenAiModelKind};
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::http_reply::{FrameKind, HttpReply, ReplyFrame};
use crate::ids::Service;
use crate::request::RequestContext;
use crate::speech::recogniser::Transcript;
use crate::text::{estimate_tokens, split_into_chunks};
use crate::transcription::{received_audio, transcribe, transcript_due};

/// Largest upload in bytes.
const MAX_FILE_BYTES: usize = 25 * 1024 * 1024;

pub(super) async fn handle(context: &mut RequestContext) -> Result<HttpReply, ErrorReply> {
    context.check_bearer()?;
    let form = context.multipart_form().await?;
    let id = form.get("model").unwrap_or_default().to_owned();
    context.apply_fault(Service::Stt, &id).await?;
    if id.is_empty() {
        return Err(context.invalid_request("you must provide a model parameter"));
    }
    let model = models::find(context, &id, OpenAiModelKind::Stt)?;
    let format = form.get("response_format").unwrap_or("json");
    let is_supported = match format {
        "json" => true,
        "text" | "srt" | "vtt" | "verbose_json" => model.subtitles,
        _ => false,
    };
    if !is_supported {
        let message = format!("response_format '{format}' is not compatible with model '{id}'.");
        return Err(context.error(&ErrorCause::InvalidRequest(message)));
    }
    let (_, bytes) = form.file.as_ref().ok_or_else(|| context.invalid_request("you must provide a file parameter"))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(context.error(&ErrorCause::BodyTooLarge));
    }
    let pcm = received_audio(context, bytes).await.map_err(|error| context.error(&ErrorCause::from(&error)))?;
    let transcript = transcribe(context, &pcm).await.map_err(|error| context.error(&ErrorCause::from(&error)))?;
    // The oldest model (whisper-1) accepts `stream` and ignores it.
    let is_streaming = form.get("stream") == Some("true") && !model.subtitles;
    Ok(if is_streaming { stream_reply(context, &transcript) } else { transcript_reply(context, format, &transcript) })
}

fn usage(transcript: &Transcript) -> Value {
    let (read, written) = ((transcript.seconds * 10.0) as u64, estimate_tokens(&transcript.text));
    json!({
        "type": "tokens",
        "input_tokens": read,
        "input_token_details": {"text_tokens": 0, "audio_tokens": read},
        "output_tokens": written,
        "total_tokens": read + written,
    })
}

fn transcript_reply(context: &RequestContext, format: &str, transcript: &Transcript) -> HttpReply {
    let at = transcript_due(context);
    let text = &transcript.text;
    let stamp = |seconds: f64, point: char| {
        let ms = (seconds * 1000.0) as u64;
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        format!("{hours:02}:{minutes:02}:{:02}{point}{:03}", ms / 1000 % 60, ms % 1000)
    };
    let lines = |point| format!("{} --> {}\n{text}\n", stamp(0.0, point), stamp(transcript.seconds, point));
    match format {
        "text" => HttpReply::buffered("text/plain; charset=utf-8", at, format!("{text}\n")),
        "srt" => HttpReply::buffered("text/plain; charset=utf-8", at, format!("1\n{}\n", lines(','))),
        "vtt" => HttpReply::buffered("text/vtt; charset=utf-8", at, format!("WEBVTT\n\n{}\n", lines('.'))),
        "verbose_json" => {
            let segment = json!({
                "id": 0, "seek": 0, "start": 0.0, "end": transcript.seconds, "text": format!(" {text}"),
                "tokens": [50_365], "temperature": 0.0, "avg_logprob": if transcript.is_silent { -0.93 } else { -0.21 },
                "compression_ratio": 0.87, "no_speech_prob": if transcript.is_silent { 0.91 } else { 0.000_001 },
            });
            let body = json!({
                "task": "transcribe", "language": "english", "duration": transcript.seconds, "text": text,
                "segments": [segment], "usage": {"type": "duration", "seconds": transcript.seconds.ceil()},
            });
            HttpReply::json(at, &body)
        }
        _ => HttpReply::json(at, &json!({"text": text, "usage": usage(transcript)})),
    }
}

fn stream_reply(context: &RequestContext, transcript: &Transcript) -> HttpReply {
    let at = transcript_due(context);
    let event = |kind, value: &Value| ReplyFrame::new(kind, at, format!("data: {value}\n\n"));
    let mut frames: Vec<ReplyFrame> = split_into_chunks(&transcript.text, 1)
        .iter()
        .map(|chunk| event(FrameKind::Content, &json!({"type": "transcript.text.delta", "delta": chunk})))
        .collect();
    let done = json!({"type": "transcript.text.done", "text": transcript.text, "usage": usage(transcript)});
    frames.push(event(FrameKind::Finish, &done));
    HttpReply::stream("text/event-stream; charset=utf-8", frames)
}
