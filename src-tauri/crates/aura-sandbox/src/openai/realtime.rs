//! `GET /realtime?intent=transcription`: a realtime session that only transcribes.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{models, vllm};
use crate::faults::FaultKind;
use crate::live::{LiveSession, Over};

/// The only sample rate of PCM, in hertz.
const RATE: u64 = 24_000;
/// The shortest audio that can be committed, in seconds.
const MIN_SECONDS: f64 = 0.1;
/// The id of the one item of a session.
const ITEM: &str = "item_sandbox";

/// Talks to the client. Without `intent=transcription`, the server is vLLM.
pub(super) fn talk(mut session: LiveSession) -> BoxFuture<'static, ()> {
    async move {
        // Either way the session is over.
        let _ = match session.context.query.contains("intent=transcription") {
            true => run(&mut session).await,
            false => vllm::run(&mut session).await,
        };
    }
    .boxed()
}

async fn run(session: &mut LiveSession) -> Result<(), Over> {
    session.send(&json!({"type": "session.created", "event_id": "event_1", "session": {"type": "realtime"}})).await?;
    loop {
        let message = session.receive().await?;
        match message["type"].as_str().unwrap_or_default() {
            "session.update" => match checked_model(&message["session"]) {
                Ok(model) => {
                    session.set_up(&message, &model, RATE as u32);
                    let updated =
                        json!({"type": "session.updated", "event_id": "event_2", "session": message["session"]});
                    session.send(&updated).await?;
                }
                Err(why) => session.send(&error(&why)).await?,
            },
            _ if session.context.model.is_empty() => {
                session.send(&error("The session has no transcription model.")).await?;
            }
            "input_audio_buffer.append" => {
                if !session.hear(message["audio"].as_str().unwrap_or_default()) {
                    session.send(&error("Invalid 'audio'. Expected base64-encoded audio bytes.")).await?;
                }
                while let Some(words) = session.next_words().await {
                    session.send_content(&delta(&words), &server_error()).await?;
                }
            }
            "input_audio_buffer.commit" => commit(session).await?,
            other => session.send(&error(&format!("Invalid value: '{other}'."))).await?,
        }
    }
}

/// The model of a session's configuration, or why it is refused.
fn checked_model(session: &Value) -> Result<String, String> {
    let input = &session["audio"]["input"];
    let transcription = &input["transcription"];
    let model = transcription["model"].as_str().unwrap_or_default();
    let unknown = transcription.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let unknown =
        unknown.into_iter().find(|name| !["model", "keywords", "languages", "prompt", "delay"].contains(name));
    if session["type"] != "transcription" {
        return Err("Passing a realtime session update event to a transcription session is not allowed.".into());
    }
    if input["format"]["type"] != "audio/pcm" || input["format"]["rate"] != RATE {
        return Err("Invalid 'session.audio.input.format'.".into());
    }
    if let Some(name) = unknown {
        return Err(format!("Unknown parameter: 'session.audio.input.transcription.{name}'."));
    }
    if !input["turn_detection"].is_null() {
        return Err(format!("Turn detection is not supported with model '{model}'."));
    }
    match models::is_live(model) {
        true => Ok(model.to_owned()),
        false => Err(format!("The model `{model}` does not exist or you do not have access to it.")),
    }
}

async fn commit(session: &mut LiveSession) -> Result<(), Over> {
    if session.seconds() < MIN_SECONDS {
        return session.send(&error("Error committing input audio buffer: buffer too small.")).await;
    }
    let is_reversed = matches!(session.context.fault(), Some(FaultKind::WrongOrder));
    let committed = json!({"type": "input_audio_buffer.committed", "item_id": ITEM, "previous_item_id": null});
    if !is_reversed {
        session.send(&committed).await?;
    }
    let transcript = match session.transcript().await {
        Ok(transcript) => transcript,
        Err(why) => {
            let failed = json!({"type": "conversation.item.input_audio_transcription.failed", "item_id": ITEM,
                                "error": {"type": "server_error", "code": null, "message": why}});
            return session.send(&failed).await;
        }
    };
    let rest: Vec<&str> = transcript.text.split_whitespace().skip(session.shown_words()).collect();
    let rest = delta(&format!(" {}", rest.join(" ")));
    let completed = json!({
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": ITEM,
        "content_index": 0,
        "transcript": transcript.text,
        "usage": {"type": "duration", "seconds": transcript.seconds},
    });
    let finishes = !matches!(session.context.fault(), Some(FaultKind::NoFinish | FaultKind::NoDone));
    let order = if is_reversed { [&completed, &rest, &committed] } else { [&rest, &completed, &completed] };
    session.send_content(order[0], &server_error()).await?;
    if !finishes {
        return session.close(CloseCode::Normal, "").await;
    }
    // The client may close the connection as soon as it has the text.
    session.context.record.end();
    session.send_content(order[1], &server_error()).await?;
    if is_reversed {
        session.send(order[2]).await?;
    }
    Ok(())
}

fn delta(words: &str) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": ITEM, "content_index": 0,
           "delta": words})
}

fn error(message: &str) -> Value {
    json!({"type": "error", "event_id": "event_3", "error": {
        "type": "invalid_request_error", "code": "invalid_value", "message": message, "param": null}})
}

fn server_error() -> Value {
    json!({"type": "error", "event_id": "event_4", "error": {
        "type": "server_error", "code": null, "message": "The server had an error while processing your request."}})
}
