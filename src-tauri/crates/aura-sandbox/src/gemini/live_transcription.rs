//! `BidiGenerateContent` with a model that transcribes: settled text, and interim text that replaces itself.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::fields::to_camel_case;
use super::models;
use crate::faults::FaultKind;
use crate::live::{LiveSession, Over};
use crate::text::estimate_tokens;

/// Sample rate, in hertz.
const RATE: u32 = 16_000;
/// Tokens per second of audio.
const TOKENS_PER_SECOND: f64 = 25.0;

/// Talks to the client.
pub(super) fn talk(mut session: LiveSession) -> BoxFuture<'static, ()> {
    async move {
        session.in_binary = true;
        // Either way the session is over.
        let _ = run(&mut session).await;
    }
    .boxed()
}

async fn run(session: &mut LiveSession) -> Result<(), Over> {
    let message = to_camel_case(&session.receive().await?);
    let setup = &message["setup"];
    let model = setup["model"].as_str().unwrap_or_default();
    let model = model.strip_prefix("models/").unwrap_or(model);
    if !models::transcribes_live(model) {
        let why =
            format!("models/{model} is not found for API version v1beta, or is not supported for bidiGenerateContent.");
        return session.close(CloseCode::Policy, &why).await;
    }
    if setup["generationConfig"]["responseModalities"] != json!(["TEXT"])
        || !setup["inputAudioTranscription"].is_object()
    {
        return session.close(CloseCode::Invalid, "Request contains an invalid argument.").await;
    }
    session.set_up(&message, model, RATE);
    session.send(&json!({"setupComplete": {}})).await?;
    let mut interim = String::new();
    let mut is_active = false;
    loop {
        let message = to_camel_case(&session.receive().await?);
        let input = &message["realtimeInput"];
        let audio = &input["audio"];
        if input["activityStart"].is_object() {
            is_active = true;
        } else if let Some(data) = audio["data"].as_str().filter(|_| is_active) {
            if audio["mimeType"] != format!("audio/pcm;rate={RATE}") || !session.hear(data) {
                return session.close(CloseCode::Invalid, "Request contains an invalid argument.").await;
            }
            while let Some(words) = session.next_words().await {
                interim.push_str(&words);
                let content = json!({"serverContent": {"interimInputTranscription": {"text": interim}}});
                session.send_content(&content, &error()).await?;
            }
        } else if input["activityEnd"].is_object() && is_active {
            finish(session).await?;
        } else {
            return session.close(CloseCode::Invalid, "Request contains an invalid argument.").await;
        }
    }
}

async fn finish(session: &mut LiveSession) -> Result<(), Over> {
    let transcript = match session.transcript().await {
        Ok(transcript) => transcript,
        Err(why) => return session.close(CloseCode::Error, &why).await,
    };
    if matches!(session.context.fault(), Some(FaultKind::NoFinish | FaultKind::NoDone)) {
        return session.close(CloseCode::Normal, "").await;
    }
    let settled = json!({"serverContent": {"inputTranscription": {"text": transcript.text, "languageCode": "en-US"}}});
    let complete = json!({
        "serverContent": {"generationComplete": true, "turnComplete": true},
        "usageMetadata": {
            "promptTokenCount": (transcript.seconds * TOKENS_PER_SECOND) as u64,
            "responseTokenCount": estimate_tokens(&transcript.text),
        },
    });
    let is_reversed = matches!(session.context.fault(), Some(FaultKind::WrongOrder));
    let order = if is_reversed { [&complete, &settled] } else { [&settled, &complete] };
    session.send_content(order[0], &error()).await?;
    // The client may close the connection as soon as it has the text.
    session.context.record.end();
    session.send_content(order[1], &error()).await
}

fn error() -> Value {
    json!({"error": {"code": 500, "message": "An internal error has occurred.", "status": "INTERNAL"}})
}
