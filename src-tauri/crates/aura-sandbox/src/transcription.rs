//! Transcripts of received recordings, from the fixed answer, the script or the recogniser.

use std::time::Duration;

use crate::faults::FaultKind;
use crate::ids::Service;
use crate::programs::ProgramError;
use crate::request::RequestContext;
use crate::script::ScriptedRequest;
use crate::speech::recogniser::{SILENCE, Transcript, decode_audio_file, recognise};
use crate::wav::Pcm;

/// Decodes the audio of a request and logs its length.
pub(crate) async fn received_audio(context: &RequestContext, bytes: &[u8]) -> Result<Pcm, ProgramError> {
    let pcm = decode_audio_file(&context.state.programs, bytes).await?;
    context.record.update(|record| record.audio_seconds = Some(pcm.seconds()));
    Ok(pcm)
}

/// Transcribes a recording and applies the transcript faults.
pub(crate) async fn transcribe(context: &RequestContext, pcm: &Pcm) -> Result<Transcript, ProgramError> {
    let known = |text: String| Transcript { text, seconds: pcm.seconds(), is_silent: pcm.loudness() < SILENCE };
    if matches!(context.fault(), Some(FaultKind::EmptyTranscript | FaultKind::EmptyAnswer { .. })) {
        return Ok(known(String::new()));
    }
    if let Some(text) = context.state.fixed().transcript {
        return Ok(known(text));
    }
    let rule = context.state.script().reply(ScriptedRequest {
        provider: context.dialect.provider(),
        service: Service::Stt,
        model: &context.model,
        user_text: "",
        tools: &[],
    });
    match rule {
        Some(rule) if !rule.text.contains("{heard}") => Ok(known(rule.text)),
        Some(rule) => {
            let transcript = recognise(&context.state.programs, pcm).await?;
            Ok(Transcript { text: rule.text.replace("{heard}", &transcript.text), ..transcript })
        }
        None => recognise(&context.state.programs, pcm).await,
    }
}

/// When a transcript is due.
pub(crate) fn transcript_due(context: &RequestContext) -> Duration {
    Duration::from_millis(context.state.delays().stt_ms)
}
