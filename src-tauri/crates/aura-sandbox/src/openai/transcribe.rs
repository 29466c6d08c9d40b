//! `POST /audio/transcriptions`

use serde_json::{Value, json};

use super::models::{self, Kind};
use crate::call::Call;
use crate::compose::tokens;
use crate::hearing::{due, listen, transcribe};
use crate::kinds::Service;
use crate::refusal::{Cause, Refusal};
use crate::reply::{Frame, Part, Reply};
use crate::script::pieces;
use crate::speech::Heard;

/// Bytes of one upload.
const LARGEST_FILE: usize = 25 * 1024 * 1024;

pub(super) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    call.check_bearer()?;
    let form = call.form().await?;
    let id = form.get("model").unwrap_or_default().to_owned();
    call.meet(Service::Stt, &id).await?;
    if id.is_empty() {
        return Err(call.invalid("you must provide a model parameter"));
    }
    let model = models::find(call, &id, Kind::Stt)?;
    let format = form.get("response_format").unwrap_or("json");
    let fits = match format {
        "json" => true,
        "text" | "srt" | "vtt" | "verbose_json" => model.subtitles,
        _ => false,
    };
    if !fits {
        let message = format!("response_format '{format}' is not compatible with model '{id}'.");
        return Err(call.refuse(&Cause::Invalid(message)));
    }
    let (_, bytes) = form.file.as_ref().ok_or_else(|| call.invalid("you must provide a file parameter"))?;
    if bytes.len() > LARGEST_FILE {
        return Err(call.refuse(&Cause::TooLarge));
    }
    let pcm = listen(call, bytes).await.map_err(|error| call.refuse(&Cause::from(&error)))?;
    let heard = transcribe(call, &pcm).await.map_err(|error| call.refuse(&Cause::from(&error)))?;
    // The oldest model takes the switch and ignores it.
    let streaming = form.get("stream") == Some("true") && !model.subtitles;
    Ok(if streaming { streamed(call, &heard) } else { written(call, format, &heard) })
}

fn usage(heard: &Heard) -> Value {
    let (read, written) = ((heard.seconds * 10.0) as u64, tokens(&heard.text));
    json!({
        "type": "tokens",
        "input_tokens": read,
        "input_token_details": {"text_tokens": 0, "audio_tokens": read},
        "output_tokens": written,
        "total_tokens": read + written,
    })
}

fn written(call: &Call, format: &str, heard: &Heard) -> Reply {
    let at = due(call);
    let text = &heard.text;
    let stamp = |seconds: f64, point: char| {
        let ms = (seconds * 1000.0) as u64;
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        format!("{hours:02}:{minutes:02}:{:02}{point}{:03}", ms / 1000 % 60, ms % 1000)
    };
    let lines = |point| format!("{} --> {}\n{text}\n", stamp(0.0, point), stamp(heard.seconds, point));
    match format {
        "text" => Reply::whole("text/plain; charset=utf-8", at, format!("{text}\n")),
        "srt" => Reply::whole("text/plain; charset=utf-8", at, format!("1\n{}\n", lines(','))),
        "vtt" => Reply::whole("text/vtt; charset=utf-8", at, format!("WEBVTT\n\n{}\n", lines('.'))),
        "verbose_json" => {
            let segment = json!({
                "id": 0, "seek": 0, "start": 0.0, "end": heard.seconds, "text": format!(" {text}"),
                "tokens": [50_365], "temperature": 0.0, "avg_logprob": if heard.silent { -0.93 } else { -0.21 },
                "compression_ratio": 0.87, "no_speech_prob": if heard.silent { 0.91 } else { 0.000_001 },
            });
            let body = json!({
                "task": "transcribe", "language": "english", "duration": heard.seconds, "text": text,
                "segments": [segment], "usage": {"type": "duration", "seconds": heard.seconds.ceil()},
            });
            Reply::json(at, &body)
        }
        _ => Reply::json(at, &json!({"text": text, "usage": usage(heard)})),
    }
}

fn streamed(call: &Call, heard: &Heard) -> Reply {
    let at = due(call);
    let event = |part, value: &Value| Frame::new(part, at, format!("data: {value}\n\n"));
    let mut frames: Vec<Frame> = pieces(&heard.text, 1)
        .iter()
        .map(|piece| event(Part::Content, &json!({"type": "transcript.text.delta", "delta": piece})))
        .collect();
    let done = json!({"type": "transcript.text.done", "text": heard.text, "usage": usage(heard)});
    frames.push(event(Part::Finish, &done));
    Reply::stream("text/event-stream; charset=utf-8", frames)
}
