//! From text to the sound that the fixed answer or the synthesiser gives, and the faults of sound.

use std::time::Duration;

use crate::call::Call;
use crate::faults::FaultKind;
use crate::reply::{Frame, Part};
use crate::speech::{SpeechError, generate, synthesise};
use crate::wav::Pcm;

/// Bytes in a piece of streamed speech: 85 ms at 24 kHz.
const PIECE: usize = 4096;

/// Speaks a text.
pub(crate) async fn speak(call: &Call, text: &str, voice: &str, language: &str) -> Result<Pcm, SpeechError> {
    call.entry.note(|record| record.text = Some(text.to_owned()));
    match call.state.fixed().audio {
        Some(audio) => Ok(generate(&audio)),
        None => synthesise(&call.state.programs, text, voice, language).await,
    }
}

/// Encoded sound with the sound faults applied to it.
pub(crate) fn spoiled(call: &Call, mut bytes: Vec<u8>) -> Vec<u8> {
    match call.fault() {
        Some(FaultKind::ZeroAudio | FaultKind::EmptyAnswer { .. }) => bytes.clear(),
        Some(FaultKind::TruncatedAudio) => bytes.truncate(bytes.len() / 2),
        _ => {}
    }
    bytes
}

/// When the first bytes of speech are due.
pub(crate) fn due(call: &Call) -> Duration {
    Duration::from_millis(call.state.delays().tts_first_ms)
}

/// When the piece with this number is due.
pub(crate) fn piece_due(call: &Call, piece: usize) -> Duration {
    let step = Duration::from_millis(call.state.delays().tts_chunk_ms);
    due(call) + step * u32::try_from(piece).unwrap_or(u32::MAX)
}

/// Sound cut into pieces as a provider streams them.
pub(crate) fn frames(call: &Call, bytes: &[u8]) -> Vec<Frame> {
    let cut = bytes.chunks(PIECE).enumerate();
    cut.map(|(n, piece)| Frame::new(Part::Content, piece_due(call, n), piece.to_vec())).collect()
}
