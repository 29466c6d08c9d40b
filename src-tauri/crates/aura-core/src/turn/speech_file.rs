//! Audio files as questions: size limit, decoding, and resampling.

use std::path::Path;

use aura_audio::MAX_DURATION;
use aura_providers::MAX_AUDIO_FILE_BYTES;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::recorded_speech::RecordedSpeech;
use super::turn::Turn;
use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::record::Stage;

/// Limits how many audio files are decoded at once. Each may use a whole processor core, and a few hundred megabytes of memory
/// until it is resampled.
static DECODING: Semaphore = Semaphore::const_new(4);

impl Turn {
    /// Reads a recording from a file, in place of the microphone.
    ///
    /// # Errors
    /// When the file cannot be read or decoded, is too large or too long, or holds no speech.
    pub(super) async fn open_recording(&self, path: &Path) -> Result<RecordedSpeech> {
        let _stage = self.enter(Stage::Listening);
        let shown = path.display();
        let size = tokio::fs::metadata(path)
            .await
            .map_err(|cause| Error::invalid(format!("The audio file {shown} cannot be opened.")).because(cause))?
            .len();
        if size > MAX_AUDIO_FILE_BYTES as u64 {
            return Err(Error::invalid(format!("The audio file {shown} is larger than 25 MB. Send a shorter one.")));
        }
        let file = tokio::fs::read(path)
            .await
            .map_err(|cause| Error::invalid(format!("The audio file {shown} cannot be read.")).because(cause))?;
        let recorded = decode(file.into(), &format!("The audio file {shown}")).await?;
        self.edit(|record| record.question_audio = Some(path.to_owned()));
        Ok(recorded)
    }

    /// Decodes a recording that came with the request.
    ///
    /// # Errors
    /// When the recording cannot be decoded, is too long, or holds no speech.
    pub(super) async fn decode_recording(&self, file: Bytes) -> Result<RecordedSpeech> {
        let _stage = self.enter(Stage::Listening);
        decode(file, "The recording").await
    }
}

async fn decode(file: Bytes, shown: &str) -> Result<RecordedSpeech> {
    if file.is_empty() {
        return Err(Error::invalid(format!("{shown} is empty.")));
    }
    let samples = decode_to_speech_rate(file).await?;
    blocking(move || RecordedSpeech::of_file(samples)).await?
}

/// Decodes an audio file to mono samples at [`aura_audio::SPEECH_RATE`].
///
/// # Errors
/// When the file cannot be decoded, or is longer than [`MAX_DURATION`].
pub(crate) async fn decode_to_speech_rate(file: Bytes) -> Result<Vec<i16>> {
    // The semaphore is never closed.
    let permit = DECODING.acquire().await.map_err(Error::internal)?;
    let work = move || {
        // The thread holds the permit: it goes on decoding after the caller was dropped.
        let _permit = permit;
        let pcm = aura_audio::decode(file)?;
        if pcm.duration() > MAX_DURATION {
            return Err(aura_audio::Error::TooLong.into());
        }
        Ok(pcm.to_speech())
    };
    run_blocking(work).await
}

/// Decodes on a thread that may block. A panic of the decoder means that the file is damaged, so it is reported as the caller's
/// mistake.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        Err(Error::invalid("This audio file is damaged. Send it as WAV, MP3, Ogg Vorbis or FLAC.").because(panic))
    })
}

#[cfg(test)]
mod tests {
    use aura_audio::SPEECH_RATE;

    use super::*;
    use crate::error::ErrorCode;

    #[tokio::test]
    async fn a_panic_of_the_decoder_is_reported_as_an_invalid_request() {
        let broken = || -> Result<()> { panic!("the decoder met a file that it does not expect") };
        let error = run_blocking(broken).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{error:?}");
    }

    #[tokio::test]
    async fn a_recording_that_is_too_long_is_rejected_at_any_sample_rate() {
        let wav = |rate: u32, samples: usize| {
            let mut file = aura_audio::speech_wav(&vec![0; samples]).to_vec();
            file[24..28].copy_from_slice(&rate.to_le_bytes());
            decode_to_speech_rate(file.into())
        };
        assert_eq!(wav(SPEECH_RATE, 16_000 * 60).await.unwrap().len(), 16_000 * 60);
        // At a low sample rate, a small file is long.
        let error = wav(1_000, 1_000 * 790).await.unwrap_err();
        assert_eq!(error, Error::from(aura_audio::Error::TooLong));
    }
}
