//! FLAC files: recordings are kept in about half the space of WAV, without loss.

use flacenc::bitsink::ByteSink;
use flacenc::component::BitRepr;
use flacenc::config::Encoder;
use flacenc::error::Verify;
use flacenc::source::MemSource;

use crate::error::{Error, Result};

/// Compresses mono 16-bit samples at a rate, in hertz, into a complete FLAC file. [`decode`](crate::decode) returns the same samples.
///
/// # Errors
/// [`Error::Write`] when there are no samples, or the rate is beyond what FLAC can express.
pub fn flac(samples: &[i16], rate: u32) -> Result<Vec<u8>> {
    if samples.is_empty() {
        return Err(Error::write("there are no samples"));
    }
    let config = Encoder::default().into_verified().map_err(|(_, cause)| Error::write(cause))?;
    let samples: Vec<i32> = samples.iter().map(|sample| i32::from(*sample)).collect();
    let rate = usize::try_from(rate).map_err(Error::write)?;
    let source = MemSource::from_samples(&samples, 1, 16, rate);
    let mut stream = flacenc::encode_with_fixed_block_size(&config, source, config.block_size)
        .map_err(|cause| Error::write(cause.to_string()))?;
    // The shorter last block does not count. The encoder counts it, and decoders then take the file for one of another kind.
    stream.stream_info_mut().set_block_sizes(config.block_size, config.block_size).map_err(Error::write)?;
    let mut file = ByteSink::new();
    stream.write(&mut file).map_err(|cause| Error::write(cause.to_string()))?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode;

    fn decoded(file: Vec<u8>) -> (u32, Vec<i16>) {
        let pcm = decode(file.into()).unwrap();
        // The decoder divides by 32768, which is exact in 32-bit floats.
        (pcm.rate, pcm.samples.into_iter().map(|sample| (sample * 32_768.0) as i16).collect())
    }

    #[test]
    fn speech_like_sound_comes_back_unchanged_and_smaller() {
        let tone = |i: usize| ((i as f32 * 0.05).sin() * (i as f32 * 0.0007).sin() * 9_000.0) as i16;
        let samples: Vec<i16> = (0..48_123).map(tone).collect();
        for rate in [16_000, 22_050, 24_000, 48_000] {
            let file = flac(&samples, rate).unwrap();
            assert!(file.len() < samples.len() * 2 * 6 / 10, "{} bytes of {}", file.len(), samples.len() * 2);
            assert_eq!(decoded(file), (rate, samples.clone()));
        }
    }

    #[test]
    fn a_recording_without_samples_is_an_error() {
        assert!(flac(&[], 16_000).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_samples_come_back_unchanged(samples in proptest::collection::vec(any::<i16>(), 1..9_000)) {
            prop_assert_eq!(decoded(flac(&samples, 16_000).unwrap()), (16_000, samples));
        }
    }
}
