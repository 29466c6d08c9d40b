//! From received sound to the transcript that the script, the fixed answer or the recogniser gives.

use std::time::Duration;

use crate::call::Call;
use crate::faults::FaultKind;
use crate::kinds::Service;
use crate::speech::{Heard, SILENCE, SpeechError, decode, recognise};
use crate::wav::Pcm;

/// Decodes the sound of a request and notes its length.
pub(crate) async fn listen(call: &Call, bytes: &[u8]) -> Result<Pcm, SpeechError> {
    let pcm = decode(&call.state.programs, bytes).await?;
    call.entry.note(|record| record.audio_seconds = Some(pcm.seconds()));
    Ok(pcm)
}

/// The transcript.
pub(crate) async fn transcribe(call: &Call, pcm: &Pcm) -> Result<Heard, SpeechError> {
    let known = |text: String| Heard { text, seconds: pcm.seconds(), silent: pcm.loudness() < SILENCE };
    if matches!(call.fault(), Some(FaultKind::EmptyTranscript | FaultKind::EmptyAnswer { .. })) {
        return Ok(known(String::new()));
    }
    if let Some(text) = call.state.fixed().transcript {
        return Ok(known(text));
    }
    let rule = call.state.script().reply(call.provider, Service::Stt, &call.model, "");
    match rule {
        Some(rule) if !rule.text.contains("{heard}") => Ok(known(rule.text)),
        Some(rule) => {
            let heard = recognise(&call.state.programs, pcm).await?;
            Ok(Heard { text: rule.text.replace("{heard}", &heard.text), ..heard })
        }
        None => recognise(&call.state.programs, pcm).await,
    }
}

/// When a transcript is due.
pub(crate) fn due(call: &Call) -> Duration {
    Duration::from_millis(call.state.delays().stt_ms)
}
