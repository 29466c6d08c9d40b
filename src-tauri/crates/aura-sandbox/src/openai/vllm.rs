//! vLLM's realtime session: one transcription from the first commit to the final one.

use serde_json::{Value, json};

use super::models;
use crate::faults::FaultKind;
use crate::live::{LiveSession, Over};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Sample rate, in hertz.
const RATE: u32 = 16_000;

pub(super) async fn run(session: &mut LiveSession) -> Result<(), Over> {
    session.send(&json!({"type": "session.created", "id": "sess-sandbox", "created": 0})).await?;
    let mut has_begun = false;
    loop {
        let message = session.receive().await?;
        match message["type"].as_str().unwrap_or_default() {
            "session.update" => match message["model"].as_str().filter(|model| models::is_live(model)) {
                Some(model) => session.set_up(&message, model, RATE),
                None => session.send(&error("model not found", "model_not_found")).await?,
            },
            "input_audio_buffer.append" if has_begun => {
                if !session.hear(message["audio"].as_str().unwrap_or_default()) {
                    session.send(&error("Invalid audio", "invalid_audio")).await?;
                }
                while let Some(words) = session.next_words().await {
                    session.send_content(&delta(&words), &error("Internal error", "internal_error")).await?;
                }
            }
            "input_audio_buffer.commit" if !session.context.model.is_empty() => {
                has_begun = true;
                if message["final"] == true {
                    finish(session).await?;
                }
            }
            _ => session.send(&error("The model is not set, or nothing was committed.", "invalid_request")).await?,
        }
    }
}

async fn finish(session: &mut LiveSession) -> Result<(), Over> {
    let transcript = match session.transcript().await {
        Ok(transcript) => transcript,
        Err(why) => return session.send(&error(&why, "internal_error")).await,
    };
    if matches!(session.context.fault(), Some(FaultKind::NoFinish | FaultKind::NoDone)) {
        return session.close(CloseCode::Normal, "").await;
    }
    let done = json!({"type": "transcription.done", "text": transcript.text,
                      "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
    session.context.record.end();
    session.send_content(&done, &error("Internal error", "internal_error")).await
}

fn delta(words: &str) -> Value {
    json!({"type": "transcription.delta", "delta": words})
}

fn error(message: &str, code: &str) -> Value {
    json!({"type": "error", "error": message, "code": code})
}
