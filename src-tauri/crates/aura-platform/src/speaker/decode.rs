//! Files of speech, for providers that do not stream plain samples.

use std::io::Cursor;

use aura_core::audio::{LONGEST_SOUND, Pcm, read_wav, too_long};
use aura_core::error::{Error, Result};
use bytes::Bytes;
use rodio::{Decoder, Source};

/// More samples in a second than this make a file no better, and only its memory larger.
const FINEST: u64 = 48_000;

/// Decodes a whole file of MP3, OGG Vorbis, FLAC or WAV to mono samples at its own rate.
pub(super) fn decode(file: Bytes) -> Result<Pcm> {
    // The decoder refuses the sizes that streamed WAV files carry.
    if file.starts_with(b"RIFF") {
        return read_wav(&file);
    }
    let length = file.len() as u64;
    let mut decoder =
        Decoder::builder().with_data(Cursor::new(file)).with_byte_len(length).build().map_err(|cause| {
            Error::invalid("This is not a sound file that AURA can read: MP3, OGG Vorbis, FLAC or WAV.").because(cause)
        })?;
    let (rate, channels) = (decoder.sample_rate().get(), usize::from(decoder.channels().get()));
    // Some kilobytes of FLAC hold days of silence: what is too long is noticed while it is unpacked.
    let most = LONGEST_SOUND.as_secs() * u64::from(rate).min(FINEST);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut samples = Vec::new();
    let mut frame = 0.0;
    let mut filled = 0;
    for sample in &mut decoder {
        frame += sample;
        filled += 1;
        if filled == channels {
            if samples.len() >= most {
                return Err(too_long());
            }
            samples.push(frame / channels as f32);
            (frame, filled) = (0.0, 0);
        }
    }
    if samples.is_empty() {
        return Err(Error::invalid("The sound file holds no sound."));
    }
    Ok(Pcm { rate, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_sound() {
        for file in [&b""[..], b"hello", b"RIFF", b"ID3\x04", &[0xff; 2000]] {
            assert!(decode(Bytes::copy_from_slice(file)).is_err(), "{file:?}");
        }
    }
}
