//! WAV files.

use aura_audio::to_i16;
use aura_core::ANSWER_RATE;
use bytes::Bytes;

/// A WAV file: 16-bit, mono, at [`ANSWER_RATE`].
pub(crate) fn wav(samples: &[f32]) -> Bytes {
    let samples: Vec<i16> = samples.iter().map(|sample| to_i16(*sample)).collect();
    aura_audio::wav(&samples, ANSWER_RATE)
}
