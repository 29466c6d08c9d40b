//! Decoding of complete sound files.

use std::io::Cursor;

use bytes::Bytes;
use rodio::{Decoder, Source};

use crate::error::{Error, Result};
use crate::wav::read_wav;
use crate::{MAX_DURATION, Pcm};

/// Samples per second up to which the full [`MAX_DURATION`] is decoded. At higher rates less fits, so that memory stays bounded.
const MAX_COUNTED_RATE: u64 = 48_000;

/// Decodes a complete WAV, MP3, Ogg Vorbis or FLAC file to mono samples at its own sample rate.
///
/// # Errors
/// [`Error::Unreadable`] when the format is not supported, or the file is damaged or empty; [`Error::TooLong`] when a compressed file is
/// longer than [`MAX_DURATION`]. The length of a WAV file is bounded by its size and is not checked.
pub fn decode(file: Bytes) -> Result<Pcm> {
    // rodio's decoder rejects the sizes in streamed WAV files.
    if file.starts_with(b"RIFF") {
        return read_wav(&file);
    }
    let length = file.len() as u64;
    let mut decoder =
        Decoder::builder().with_data(Cursor::new(file)).with_byte_len(length).build().map_err(|cause| {
            Error::unreadable(format!("The file is not in a supported format (MP3, Ogg Vorbis, FLAC or WAV): {cause}."))
        })?;
    let (rate, channels) = (decoder.sample_rate().get(), usize::from(decoder.channels().get()));
    // A few kilobytes of FLAC can contain days of silence, so the length is checked while decoding.
    let max_samples = MAX_DURATION.as_secs() * u64::from(rate).min(MAX_COUNTED_RATE);
    let max_samples = usize::try_from(max_samples).unwrap_or(usize::MAX);
    let mut samples = Vec::new();
    let mut frame = 0.0;
    let mut filled = 0;
    for sample in &mut decoder {
        frame += sample;
        filled += 1;
        if filled == channels {
            if samples.len() >= max_samples {
                return Err(Error::TooLong);
            }
            samples.push(frame / channels as f32);
            (frame, filled) = (0.0, 0);
        }
    }
    if samples.is_empty() {
        return Err(Error::unreadable("The sound file contains no audio."));
    }
    Ok(Pcm { rate, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_other_formats_are_rejected() {
        for file in [&b""[..], b"hello", b"RIFF", b"ID3\x04", &[0xff; 2000]] {
            assert!(decode(Bytes::copy_from_slice(file)).is_err(), "{file:?}");
        }
    }
}
