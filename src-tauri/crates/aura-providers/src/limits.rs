//! Size limits that the adapters and their callers share.

/// The largest sound file that OpenAI's transcription endpoint takes, in bytes: 25 MB. Groq's limit is the same on its free tier,
/// and most servers with an OpenAI-compatible API have copied it.
///
/// Sources: <https://platform.openai.com/docs/guides/speech-to-text> and <https://console.groq.com/docs/speech-to-text>.
pub const MAX_UPLOAD_BYTES: usize = 25_000_000;

/// The largest sound file to accept from a user, in bytes: 25 MiB.
///
/// Larger than [`MAX_UPLOAD_BYTES`] because a file from a user is decoded, resampled and cut to [`aura_audio::MAX_DURATION`]
/// before the upload; the size that is uploaded is that of the resulting WAV file.
pub const MAX_AUDIO_FILE_BYTES: usize = 25 * 1024 * 1024;

/// The largest image file to accept from a user, in bytes: 20 MiB. A bound on memory, far above a photo or a screenshot.
///
/// Providers have smaller limits of their own. A request that exceeds one fails as [`Unsupported`](crate::FailureKind::Unsupported),
/// before it is sent where the limit is documented.
pub const MAX_IMAGE_BYTES: usize = 20 * 1024 * 1024;

/// The size of a WAV header as [`aura_audio::speech_wav`] writes it, in bytes.
const WAV_HEADER_BYTES: u64 = 44;
/// The size of one 16-bit sample, in bytes.
const SAMPLE_BYTES: u64 = 2;

// The longest recording fits into an upload: 13 minutes of 16 kHz mono are 24.96 MB.
const _: () = assert!(
    WAV_HEADER_BYTES + aura_audio::MAX_DURATION.as_secs() * aura_audio::SPEECH_RATE as u64 * SAMPLE_BYTES
        <= MAX_UPLOAD_BYTES as u64,
    "a recording of MAX_DURATION is larger than an upload may be"
);
