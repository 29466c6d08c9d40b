//! Decodes speech as it arrives: raw samples, a WAV file whose header may have wrong sizes, or a compressed file.

use std::time::Duration;

use bytes::Bytes;

use super::decoder::Decoder;
use super::error_reply;
use crate::media::MediaType;
use crate::redact::shorten;
use crate::types::{Failure, FailureKind, RateLimit, SpeechEvent, Usage};
use aura_audio::{Pcm, WavDecoder};

/// The sample rate of raw samples whose media type names none, in hertz: that of OpenAI, Kokoro and Gemini.
const RAW_RATE: u32 = 24_000;
/// The largest compressed file that is accepted, in bytes: twenty minutes of MP3.
const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;
/// The longest audio that may be missing at the end of a file without being heard.
const TOLERATED_GAP: Duration = Duration::from_millis(50);
/// The largest text body that is kept, in bytes: an error inside a successful reply.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Decodes little-endian 16-bit mono samples, cut anywhere.
#[derive(Debug)]
pub(crate) struct RawPcmDecoder {
    rate: u32,
    /// The first byte of a sample whose second byte has not arrived.
    odd: Option<u8>,
}

impl RawPcmDecoder {
    /// A decoder for a media type in lower case, which may name the sample rate: `audio/l16;codec=pcm;rate=24000`.
    pub(crate) fn new(media_type: &str) -> Self {
        let rate = media_type
            .split(';')
            .filter_map(|part| part.trim().strip_prefix("rate="))
            .find_map(|rate| rate.trim().parse().ok());
        Self { rate: rate.filter(|rate| (4_000..=384_000).contains(rate)).unwrap_or(RAW_RATE), odd: None }
    }

    /// Decodes the next bytes. Half a sample is kept for the next call.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<Pcm> {
        let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let (Some(low), Some((&high, after))) = (self.odd, bytes.split_first()) {
            samples.push(sample(low, high));
            self.odd = None;
            rest = after;
        }
        let pairs = rest.chunks_exact(2);
        if let [low] = pairs.remainder() {
            self.odd = Some(*low);
        }
        samples.extend(pairs.map(|pair| sample(pair[0], pair[1])));
        (!samples.is_empty()).then_some(Pcm { rate: self.rate, samples })
    }
}

fn sample(low: u8, high: u8) -> f32 {
    aura_audio::from_i16(i16::from_le_bytes([low, high]))
}

/// The format of a body, with the state of its decoder.
#[derive(Debug)]
enum SpeechBody {
    Wav(WavDecoder),
    Raw(RawPcmDecoder),
    File(Vec<u8>),
    Text(Vec<u8>),
}

/// Decodes the body of a reply to a speech request.
#[derive(Debug)]
pub(crate) struct SpeechDecoder {
    content_type: String,
    requested: String,
    start: Vec<u8>,
    body: Option<SpeechBody>,
    content: bool,
    rate_limit: Option<RateLimit>,
}

impl SpeechDecoder {
    /// A decoder for a reply with this content type, in lower case, to a request for the format `requested`: `wav`, `pcm` or `mp3`.
    pub(crate) fn new(content_type: String, requested: &str, rate_limit: Option<RateLimit>) -> Self {
        let requested = requested.to_owned();
        Self { content_type, requested, start: Vec::new(), body: None, content: false, rate_limit }
    }

    /// Determines the format. The first four bytes count more than the content type, which some servers get wrong.
    fn recognise(&self) -> SpeechBody {
        let start = self.start.as_slice();
        let is_text = self.content_type.starts_with("text/") || self.content_type.contains("json");
        let compressed = matches!(MediaType::of(start), Some(MediaType::Mp3 | MediaType::Ogg | MediaType::Flac));
        if start.starts_with(b"RIFF") {
            SpeechBody::Wav(WavDecoder::new())
        } else if is_text {
            SpeechBody::Text(Vec::new())
        } else if self.content_type.starts_with("audio/l16")
            || self.content_type.starts_with("audio/pcm")
            || (self.requested == "pcm" && !compressed)
        {
            SpeechBody::Raw(RawPcmDecoder::new(&self.content_type))
        } else if compressed || self.content_type.starts_with("audio/mp") || self.content_type.starts_with("audio/ogg")
        {
            SpeechBody::File(Vec::new())
        } else if start.starts_with(b"{") || start.starts_with(b"<") {
            SpeechBody::Text(Vec::new())
        } else {
            SpeechBody::Wav(WavDecoder::new())
        }
    }

    fn feed(&mut self, bytes: &[u8], out: &mut Vec<SpeechEvent>) -> Result<(), Failure> {
        let content = self.content;
        let pcm = match &mut self.body {
            Some(SpeechBody::Wav(decoder)) => decoder.push(bytes).map_err(|error| unreadable(content, &error))?,
            Some(SpeechBody::Raw(raw)) => raw.push(bytes),
            Some(SpeechBody::File(file)) => {
                file.extend_from_slice(bytes);
                if file.len() > MAX_FILE_BYTES {
                    return Err(Failure::new(FailureKind::Unsupported, "The provider's speech is larger than 32 MiB."));
                }
                None
            }
            Some(SpeechBody::Text(text)) => {
                text.extend_from_slice(&bytes[..bytes.len().min(MAX_TEXT_BYTES - text.len())]);
                None
            }
            None => None,
        };
        if let Some(pcm) = pcm.filter(|pcm| !pcm.samples.is_empty()) {
            self.content = true;
            out.push(SpeechEvent::Pcm(pcm));
        }
        Ok(())
    }
}

/// The failure for audio that cannot be decoded: an interruption after content.
pub(crate) fn unreadable(content: bool, error: &aura_audio::Error) -> Failure {
    let kind = if content { FailureKind::Interrupted } else { FailureKind::Unsupported };
    Failure::new(kind, shorten(&format!("The provider's audio cannot be read: {}", error)))
}

/// The failure for a successful reply without audio. Real providers send and bill such replies; a retry helps.
pub(crate) fn silent() -> Failure {
    Failure::new(FailureKind::Empty, "The provider sent no audio.")
}

impl Decoder for SpeechDecoder {
    type Output = SpeechEvent;

    fn push(&mut self, bytes: &[u8], out: &mut Vec<SpeechEvent>) -> Result<(), Failure> {
        if self.body.is_some() {
            return self.feed(bytes, out);
        }
        self.start.extend_from_slice(bytes);
        if self.start.len() < 4 {
            return Ok(());
        }
        self.body = Some(self.recognise());
        let start = std::mem::take(&mut self.start);
        self.feed(&start, out)
    }

    fn finish(&mut self, out: &mut Vec<SpeechEvent>) -> Result<(), Failure> {
        match self.body.take() {
            Some(SpeechBody::Wav(decoder)) => {
                let missing = decoder.missing();
                // An error here means that the body ended inside the header.
                let last =
                    decoder.finish().map_err(|error| if self.content { unreadable(true, &error) } else { silent() })?;
                if let Some(pcm) = last.filter(|pcm| !pcm.samples.is_empty()) {
                    self.content = true;
                    out.push(SpeechEvent::Pcm(pcm));
                }
                if self.content && missing > TOLERATED_GAP {
                    return Err(error_reply::interrupted(true, "The speech is shorter than its header says."));
                }
            }
            Some(SpeechBody::File(file)) if !file.is_empty() => {
                self.content = true;
                out.push(SpeechEvent::File(Bytes::from(file)));
            }
            Some(SpeechBody::Text(text)) => {
                let error = serde_json::from_slice(&text).ok().and_then(|value| error_reply::in_success(&value));
                return Err(error.unwrap_or_else(|| {
                    let text = String::from_utf8_lossy(&text);
                    if text.trim_start().starts_with('<') {
                        return error_reply::interrupted(
                            false,
                            "The reply is a web page. Check the provider's base URL and the network.",
                        );
                    }
                    Failure::new(
                        FailureKind::Unsupported,
                        shorten(&format!("The provider sent text instead of audio: {text}")),
                    )
                }));
            }
            _ => {}
        }
        if !self.content {
            return Err(Failure { rate_limit: self.rate_limit.take().map(Box::new), ..silent() });
        }
        if let Some(rate_limit) = self.rate_limit.take() {
            out.push(SpeechEvent::Usage(Box::new(Usage { rate_limit: Some(rate_limit), ..Usage::default() })));
        }
        Ok(())
    }

    fn has_content(&self) -> bool {
        self.content
    }

    fn is_complete(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decoder::decode_all, recorded};

    fn samples(events: &[SpeechEvent]) -> Vec<f32> {
        let pcm = events
            .iter()
            .flat_map(|piece| if let SpeechEvent::Pcm(pcm) = piece { pcm.samples.clone() } else { panic!() });
        pcm.collect()
    }

    fn run(content_type: &str, requested: &str, chunks: &[&[u8]]) -> (Vec<SpeechEvent>, Option<Failure>) {
        decode_all(SpeechDecoder::new(content_type.to_owned(), requested, None), chunks)
    }

    #[test]
    fn wrong_sizes_in_a_wav_header_make_no_difference() {
        let good = recorded::bytes("speech_ok_24k.wav");
        let (events, failure) = run("audio/wav", "wav", &[&good]);
        assert_eq!(failure, None);
        let expected = samples(&events);
        assert_eq!(expected.len(), 2400, "100 ms at 24 kHz");
        for name in ["speech_ok_24k.wav", "speech_streamed_header_24k.wav", "speech_zero_data_header_24k.wav"] {
            let bytes = recorded::bytes(name);
            for size in [1, 3, 43, 44, 45, 1000] {
                let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
                let (events, failure) = run("audio/wav", "wav", &chunks);
                assert_eq!(failure, None, "{name} in chunks of {size}");
                assert_eq!(samples(&events), expected, "{name} in chunks of {size}");
                assert!(events.iter().all(|piece| matches!(piece, SpeechEvent::Pcm(pcm) if pcm.rate == 24_000)));
            }
        }
    }

    #[test]
    fn audio_shorter_than_its_header_says_is_interrupted() {
        let good = recorded::bytes("speech_ok_24k.wav");
        let (events, failure) = run("audio/wav", "wav", &[&good[..good.len() / 2]]);
        assert_eq!((samples(&events).len(), failure.unwrap().kind), (1189, FailureKind::Interrupted));
        assert_eq!(run("audio/wav", "wav", &[&good[..good.len() - 480]]).1, None, "10 ms less are tolerated");
    }

    #[test]
    fn samples_are_available_before_the_body_ends() {
        let mut decoder = SpeechDecoder::new("audio/wav".into(), "wav", None);
        let mut out = Vec::new();
        decoder.push(&recorded::bytes("speech_streamed_header_24k.wav")[..1044], &mut out).unwrap();
        assert_eq!(samples(&out).len(), 500);
    }

    #[test]
    fn a_body_without_samples_is_empty() {
        for bytes in [
            recorded::bytes("speech_header_only.wav"),
            Vec::new(),
            b"RI".to_vec(),
            b"RIFF\xff\xff\xff\xffWAVEfmt ".to_vec(),
        ] {
            assert_eq!(run("audio/wav", "wav", &[&bytes]).1.unwrap().kind, FailureKind::Empty, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn an_error_sent_as_audio_is_reported() {
        let body = recorded::bytes("lmstudio_200_unexpected_endpoint.json");
        let failure = run("application/json", "wav", &[&body]).1.unwrap();
        assert_eq!(failure.kind, FailureKind::Unsupported);
        assert!(failure.message.starts_with("Unexpected endpoint"));
        assert_eq!(run("audio/wav", "wav", &[b"<html>hello</html>"]).1.unwrap().kind, FailureKind::Unreachable);
        assert_eq!(run("text/plain", "wav", &[b"hello"]).1.unwrap().kind, FailureKind::Unsupported);
    }

    #[test]
    fn raw_samples_and_compressed_files_are_decoded() {
        let (events, failure) = run("audio/pcm; rate=16000", "pcm", &[&[0, 0x40, 0], &[0xc0, 9]]);
        assert_eq!(failure, None);
        assert_eq!(samples(&events), [0.5, -0.5]);
        assert!(matches!(&events[0], SpeechEvent::Pcm(pcm) if pcm.rate == 16_000));
        let (events, _) = run("application/octet-stream", "pcm", &[&[0, 0x40, 0, 0x40]]);
        assert!(matches!(&events[0], SpeechEvent::Pcm(pcm) if pcm.rate == 24_000));
        let (events, _) = run("audio/mpeg", "mp3", &[b"ID3\x04", b"rest"]);
        assert_eq!(events, [SpeechEvent::File(Bytes::from_static(b"ID3\x04rest"))]);
    }
}
