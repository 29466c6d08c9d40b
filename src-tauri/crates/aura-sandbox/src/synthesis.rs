//! Speech for a request's text, from the fixed answer or the synthesiser, with the audio faults applied.

use std::time::Duration;

use crate::faults::FaultKind;
use crate::http_reply::{FrameKind, ReplyFrame};
use crate::programs::ProgramError;
use crate::request::RequestContext;
use crate::speech::synthesiser::synthesise;
use crate::speech::test_signal::generate;
use crate::wav::Pcm;

/// Bytes in a chunk of streamed speech: 85 ms of 16-bit mono at 24 kHz.
const CHUNK_BYTES: usize = 4096;

/// Logs the text and returns the fixed sound, or synthesises the text.
pub(crate) async fn speak(
    context: &RequestContext,
    text: &str,
    voice: &str,
    language: &str,
) -> Result<Pcm, ProgramError> {
    context.record.update(|record| record.text = Some(text.to_owned()));
    match context.state.fixed().audio {
        Some(audio) => Ok(generate(&audio)),
        None => synthesise(&context.state.programs, text, voice, language).await,
    }
}

/// Applies the audio faults to encoded audio.
pub(crate) fn with_audio_fault(context: &RequestContext, mut bytes: Vec<u8>) -> Vec<u8> {
    match context.fault() {
        Some(FaultKind::ZeroAudio | FaultKind::EmptyAnswer { .. }) => bytes.clear(),
        Some(FaultKind::TruncatedAudio) => bytes.truncate(bytes.len() / 2),
        _ => {}
    }
    bytes
}

/// When the first bytes of speech are due.
pub(crate) fn first_audio_due(context: &RequestContext) -> Duration {
    Duration::from_millis(context.state.delays().tts_first_ms)
}

/// When the audio chunk with this index is due.
pub(crate) fn audio_chunk_due(context: &RequestContext, chunk: usize) -> Duration {
    let interval = Duration::from_millis(context.state.delays().tts_chunk_ms);
    first_audio_due(context) + interval * u32::try_from(chunk).unwrap_or(u32::MAX)
}

/// Splits encoded audio into timed frames.
pub(crate) fn audio_frames(context: &RequestContext, bytes: &[u8]) -> Vec<ReplyFrame> {
    let chunks = bytes.chunks(CHUNK_BYTES).enumerate();
    chunks.map(|(n, chunk)| ReplyFrame::new(FrameKind::Content, audio_chunk_due(context, n), chunk.to_vec())).collect()
}
