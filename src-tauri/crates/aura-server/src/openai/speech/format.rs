//! The sound formats of a reply, and what turns samples into them.

use aura_audio::{Pcm, RateConverter, to_i16};
use aura_core::ANSWER_RATE;
use aura_core::error::{Error, Result};

use crate::openai::error::ApiError;

/// The size of a WAV header, bytes.
const WAV_HEADER: usize = 44;

/// The format of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AudioFormat {
    Mp3,
    Opus,
    Aac,
    Flac,
    Wav,
    /// Samples without a header: 16-bit, mono, at [`ANSWER_RATE`].
    Pcm,
}

impl AudioFormat {
    const ALL: [Self; 6] = [Self::Mp3, Self::Opus, Self::Aac, Self::Flac, Self::Wav, Self::Pcm];

    /// The format that a request names; MP3 by default, as at OpenAI.
    pub(super) fn parse(name: Option<&str>) -> Result<Self, ApiError> {
        let Some(name) = name else { return Ok(Self::Mp3) };
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            ApiError::invalid_request(format!("`response_format` must be one of: {known}."), Some("response_format"))
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Aac => "aac",
            Self::Flac => "flac",
            Self::Wav => "wav",
            Self::Pcm => "pcm",
        }
    }

    /// The media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Opus => "audio/ogg",
            Self::Aac => "audio/aac",
            Self::Flac => "audio/flac",
            Self::Wav => "audio/wav",
            Self::Pcm => "audio/pcm",
        }
    }
}

/// Turns speech into a file while it arrives. CPU-bound for the compressed formats, which are made at the end.
pub(super) struct SpeechFile {
    format: AudioFormat,
    converter: RateConverter,
    /// What is not yet in the file.
    samples: Vec<i16>,
    /// Whether the header of a streamed WAV file was written.
    has_header: bool,
}

impl SpeechFile {
    pub(super) fn new(format: AudioFormat) -> Self {
        Self { format, converter: RateConverter::new(ANSWER_RATE), samples: Vec::new(), has_header: false }
    }

    /// Adds speech at any rate.
    pub(super) fn push(&mut self, pcm: &Pcm) {
        self.samples.extend(self.converter.push(pcm).into_iter().map(to_i16));
    }

    /// The bytes that are ready before the end of the speech. Empty for a format that is made as a whole.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match self.format {
            AudioFormat::Pcm => self.take_samples(),
            AudioFormat::Wav => {
                let mut bytes =
                    if std::mem::replace(&mut self.has_header, true) { Vec::new() } else { streamed_header() };
                bytes.extend(self.take_samples());
                bytes
            }
            _ => Vec::new(),
        }
    }

    fn take_samples(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.samples).into_iter().flat_map(i16::to_le_bytes).collect()
    }

    /// The whole file, or the rest of it after [`SpeechFile::take`].
    ///
    /// # Errors
    /// When there is no sound, or an encoder failed.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.samples.extend(self.converter.finish().into_iter().map(to_i16));
        let encode = match self.format {
            AudioFormat::Pcm => return Ok(self.take_samples()),
            AudioFormat::Wav if self.has_header => return Ok(self.take_samples()),
            AudioFormat::Wav => return Ok(aura_audio::wav(&self.samples, ANSWER_RATE).to_vec()),
            AudioFormat::Mp3 => aura_audio::mp3,
            AudioFormat::Opus => aura_audio::opus,
            AudioFormat::Aac => aura_audio::aac,
            AudioFormat::Flac => aura_audio::flac,
        };
        encode(&self.samples, ANSWER_RATE).map_err(Error::internal)
    }
}

/// The header of a WAV file whose length is not known yet.
fn streamed_header() -> Vec<u8> {
    let mut header = aura_audio::wav(&[], ANSWER_RATE).to_vec();
    header.truncate(WAV_HEADER);
    for size in [4..8, WAV_HEADER - 4..WAV_HEADER] {
        header[size].copy_from_slice(&u32::MAX.to_le_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech() -> Vec<Pcm> {
        let step = 440.0 * std::f32::consts::TAU / 16_000.0;
        let samples: Vec<f32> = (0..16_000).map(|i| (i as f32 * step).sin() * 0.5).collect();
        samples.chunks(1_000).map(|chunk| Pcm { rate: 16_000, samples: chunk.to_vec() }).collect()
    }

    #[test]
    fn every_format_holds_the_whole_speech() {
        for format in AudioFormat::ALL {
            let mut file = SpeechFile::new(format);
            speech().iter().for_each(|pcm| file.push(pcm));
            let bytes = file.finish().unwrap();
            match format {
                AudioFormat::Pcm => assert_eq!(bytes.len(), 48_000),
                AudioFormat::Opus => assert!(bytes.starts_with(b"OggS")),
                AudioFormat::Aac => assert!(bytes.starts_with(&[0xFF]) && bytes.len() > 2_000),
                _ => {
                    let seconds = aura_audio::decode(bytes.into()).unwrap().duration().as_secs_f32();
                    assert!((0.99..1.2).contains(&seconds), "{format:?}: {seconds} s");
                }
            }
        }
    }

    #[test]
    fn the_pieces_of_a_streamed_file_are_the_whole_of_it() {
        for format in AudioFormat::ALL {
            let (mut whole, mut pieces, mut streamed) = (SpeechFile::new(format), SpeechFile::new(format), Vec::new());
            for pcm in speech() {
                whole.push(&pcm);
                pieces.push(&pcm);
                streamed.extend(pieces.take());
            }
            streamed.extend(pieces.finish().unwrap());
            let whole = whole.finish().unwrap();
            let skip = if format == AudioFormat::Wav { WAV_HEADER } else { 0 };
            assert!(streamed[skip..] == whole[skip..], "{format:?}");
            if format == AudioFormat::Wav {
                assert_eq!(aura_audio::decode(streamed.into()).unwrap().samples.len(), 24_000);
            }
        }
    }

    #[test]
    fn an_unknown_format_names_the_known_ones() {
        assert!(AudioFormat::parse(None).is_ok_and(|format| format == AudioFormat::Mp3));
        let (_, message, ..) = AudioFormat::parse(Some("wma")).unwrap_err().into_parts();
        assert!(message.contains("mp3, opus, aac, flac, wav, pcm"), "{message}");
    }
}
