//! Spoken audio as it arrives: raw samples, a WAV file whose header may lie, or a compressed file.

use std::time::Duration;

use bytes::Bytes;

use super::errors;
use super::stream::Decoder;
use crate::audio::{Pcm, WavDecoder};
use crate::providers::{Class, Failure, RateLimit, SpeechPiece, Usage};

/// The rate of raw samples that come without one: what OpenAI, Kokoro and Gemini send.
const RAW_RATE: u32 = 24_000;
/// The longest compressed file that is kept, in bytes: twenty minutes of MP3.
const MAX_FILE: usize = 32 * 1024 * 1024;
/// Sound that may be missing at the end of a file without anyone noticing.
const SHORT: Duration = Duration::from_millis(50);
/// The longest error in a success's clothes.
const MAX_WORDS: usize = 64 * 1024;

/// Little-endian 16-bit mono samples, cut anywhere.
#[derive(Debug)]
pub(in crate::providers) struct Raw {
    rate: u32,
    odd: Option<u8>,
}

impl Raw {
    /// Samples whose media type may name a rate: `audio/L16;codec=pcm;rate=24000`.
    pub(in crate::providers) fn new(media_type: &str) -> Self {
        let rate = media_type
            .split(';')
            .filter_map(|part| part.trim().strip_prefix("rate="))
            .find_map(|rate| rate.trim().parse().ok());
        Self { rate: rate.filter(|rate| (4_000..=384_000).contains(rate)).unwrap_or(RAW_RATE), odd: None }
    }

    /// The samples that are complete; half of one is kept for the next piece.
    pub(in crate::providers) fn push(&mut self, bytes: &[u8]) -> Option<Pcm> {
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
    f32::from(i16::from_le_bytes([low, high])) / 32768.0
}

#[derive(Debug)]
enum Format {
    Wav(WavDecoder),
    Raw(Raw),
    File(Vec<u8>),
    Words(Vec<u8>),
}

/// Decodes the body of a speech reply.
#[derive(Debug)]
pub(in crate::providers) struct Speech {
    content_type: String,
    asked_for: String,
    start: Vec<u8>,
    format: Option<Format>,
    content: bool,
    rate_limit: Option<RateLimit>,
}

impl Speech {
    /// A reply of that content type to a request that asked for `asked_for`: `wav`, `pcm`, `mp3`.
    pub(in crate::providers) fn new(content_type: String, asked_for: &str, rate_limit: Option<RateLimit>) -> Self {
        let asked_for = asked_for.to_owned();
        Self { content_type, asked_for, start: Vec::new(), format: None, content: false, rate_limit }
    }

    /// What the bytes are. Their first four tell more than the content type, which some servers get wrong.
    fn recognise(&self) -> Format {
        let start = self.start.as_slice();
        let is_text = self.content_type.starts_with("text/") || self.content_type.contains("json");
        let compressed = start.starts_with(b"ID3")
            || start.starts_with(b"OggS")
            || start.starts_with(b"fLaC")
            || matches!(start, [0xff, second, ..] if second & 0xe6 == 0xe2); // an MPEG layer III frame
        if start.starts_with(b"RIFF") {
            Format::Wav(WavDecoder::new())
        } else if is_text {
            Format::Words(Vec::new())
        } else if self.content_type.starts_with("audio/l16")
            || self.content_type.starts_with("audio/pcm")
            || (self.asked_for == "pcm" && !compressed)
        {
            Format::Raw(Raw::new(&self.content_type))
        } else if compressed || self.content_type.starts_with("audio/mp") || self.content_type.starts_with("audio/ogg")
        {
            Format::File(Vec::new())
        } else if start.starts_with(b"{") || start.starts_with(b"<") {
            Format::Words(Vec::new())
        } else {
            Format::Wav(WavDecoder::new())
        }
    }

    fn feed(&mut self, bytes: &[u8], out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        let content = self.content;
        let pcm = match &mut self.format {
            Some(Format::Wav(decoder)) => decoder.push(bytes).map_err(|error| unreadable(content, &error))?,
            Some(Format::Raw(raw)) => raw.push(bytes),
            Some(Format::File(file)) => {
                file.extend_from_slice(bytes);
                if file.len() > MAX_FILE {
                    return Err(Failure::new(Class::Unsupported, "The provider's speech is longer than AURA keeps."));
                }
                None
            }
            Some(Format::Words(words)) => {
                words.extend_from_slice(&bytes[..bytes.len().min(MAX_WORDS - words.len())]);
                None
            }
            None => None,
        };
        if let Some(pcm) = pcm.filter(|pcm| !pcm.samples.is_empty()) {
            self.content = true;
            out.push(SpeechPiece::Pcm(pcm));
        }
        Ok(())
    }
}

/// Audio that cannot be decoded is of no use here; another route may send better.
pub(in crate::providers) fn unreadable(content: bool, error: &crate::error::Error) -> Failure {
    let class = if content { Class::Interrupted } else { Class::Unsupported };
    Failure::new(class, errors::shorten(&format!("The provider's audio cannot be read: {}", error.message)))
}

/// A success without sound, which is billed and happens: once more is worth it.
pub(in crate::providers) fn silent() -> Failure {
    Failure::new(Class::Empty, "The provider sent no audio.")
}

impl Decoder for Speech {
    type Piece = SpeechPiece;

    fn push(&mut self, bytes: &[u8], out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        if self.format.is_some() {
            return self.feed(bytes, out);
        }
        self.start.extend_from_slice(bytes);
        if self.start.len() < 4 {
            return Ok(());
        }
        self.format = Some(self.recognise());
        let start = std::mem::take(&mut self.start);
        self.feed(&start, out)
    }

    fn finish(&mut self, out: &mut Vec<SpeechPiece>) -> Result<(), Failure> {
        match self.format.take() {
            Some(Format::Wav(decoder)) => {
                let missing = decoder.missing();
                // An error here means that the body ended inside its header.
                let last =
                    decoder.finish().map_err(|error| if self.content { unreadable(true, &error) } else { silent() })?;
                if let Some(pcm) = last.filter(|pcm| !pcm.samples.is_empty()) {
                    self.content = true;
                    out.push(SpeechPiece::Pcm(pcm));
                }
                if self.content && missing > SHORT {
                    return Err(errors::broken(true, "The speech is shorter than its header says."));
                }
            }
            Some(Format::File(file)) if !file.is_empty() => {
                self.content = true;
                out.push(SpeechPiece::File(Bytes::from(file)));
            }
            Some(Format::Words(words)) => {
                let said = serde_json::from_slice(&words).ok().and_then(|value| errors::in_success(&value));
                return Err(said.unwrap_or_else(|| {
                    let words = String::from_utf8_lossy(&words);
                    if words.trim_start().starts_with('<') {
                        return errors::broken(
                            false,
                            "The reply is a web page. Check the provider's address and the network.",
                        );
                    }
                    Failure::new(
                        Class::Unsupported,
                        errors::shorten(&format!("The provider sent text instead of audio: {words}")),
                    )
                }));
            }
            _ => {}
        }
        if !self.content {
            return Err(Failure { rate_limit: self.rate_limit.take().map(Box::new), ..silent() });
        }
        if let Some(rate_limit) = self.rate_limit.take() {
            out.push(SpeechPiece::Used(Box::new(Usage { rate_limit: Some(rate_limit), ..Usage::default() })));
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
    use crate::providers::wire::{recorded, stream::decode_all};

    fn samples(pieces: &[SpeechPiece]) -> Vec<f32> {
        let pcm = pieces
            .iter()
            .flat_map(|piece| if let SpeechPiece::Pcm(pcm) = piece { pcm.samples.clone() } else { panic!() });
        pcm.collect()
    }

    fn run(content_type: &str, asked_for: &str, chunks: &[&[u8]]) -> (Vec<SpeechPiece>, Option<Failure>) {
        decode_all(Speech::new(content_type.to_owned(), asked_for, None), chunks)
    }

    #[test]
    fn wav_headers_that_lie_make_no_difference() {
        let good = recorded::bytes("speech_ok_24k.wav");
        let (pieces, failure) = run("audio/wav", "wav", &[&good]);
        assert_eq!(failure, None);
        let expected = samples(&pieces);
        assert_eq!(expected.len(), 2400, "100 ms at 24 kHz");
        for name in ["speech_ok_24k.wav", "speech_streamed_header_24k.wav", "speech_zero_data_header_24k.wav"] {
            let bytes = recorded::bytes(name);
            for size in [1, 3, 43, 44, 45, 1000] {
                let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
                let (pieces, failure) = run("audio/wav", "wav", &chunks);
                assert_eq!(failure, None, "{name} in chunks of {size}");
                assert_eq!(samples(&pieces), expected, "{name} in chunks of {size}");
                assert!(pieces.iter().all(|piece| matches!(piece, SpeechPiece::Pcm(pcm) if pcm.rate == 24_000)));
            }
        }
    }

    #[test]
    fn sound_that_is_shorter_than_promised_broke_off() {
        let good = recorded::bytes("speech_ok_24k.wav");
        let (pieces, failure) = run("audio/wav", "wav", &[&good[..good.len() / 2]]);
        assert_eq!((samples(&pieces).len(), failure.unwrap().class), (1189, Class::Interrupted));
        assert_eq!(run("audio/wav", "wav", &[&good[..good.len() - 480]]).1, None, "10 ms less are no loss");
    }

    #[test]
    fn sound_is_there_before_the_body_ends() {
        let mut decoder = Speech::new("audio/wav".into(), "wav", None);
        let mut out = Vec::new();
        decoder.push(&recorded::bytes("speech_streamed_header_24k.wav")[..1044], &mut out).unwrap();
        assert_eq!(samples(&out).len(), 500);
    }

    #[test]
    fn nothing_to_hear_is_empty() {
        for bytes in [
            recorded::bytes("speech_header_only.wav"),
            Vec::new(),
            b"RI".to_vec(),
            b"RIFF\xff\xff\xff\xffWAVEfmt ".to_vec(),
        ] {
            assert_eq!(run("audio/wav", "wav", &[&bytes]).1.unwrap().class, Class::Empty, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn an_error_dressed_as_audio_is_told() {
        let body = recorded::bytes("lmstudio_200_unexpected_endpoint.json");
        let failure = run("application/json", "wav", &[&body]).1.unwrap();
        assert_eq!(failure.class, Class::Unsupported);
        assert!(failure.message.starts_with("Unexpected endpoint"));
        assert_eq!(run("audio/wav", "wav", &[b"<html>hello</html>"]).1.unwrap().class, Class::Unreachable);
        assert_eq!(run("text/plain", "wav", &[b"hello"]).1.unwrap().class, Class::Unsupported);
    }

    #[test]
    fn raw_samples_and_files() {
        let (pieces, failure) = run("audio/pcm; rate=16000", "pcm", &[&[0, 0x40, 0], &[0xc0, 9]]);
        assert_eq!(failure, None);
        assert_eq!(samples(&pieces), [0.5, -0.5]);
        assert!(matches!(&pieces[0], SpeechPiece::Pcm(pcm) if pcm.rate == 16_000));
        let (pieces, _) = run("application/octet-stream", "pcm", &[&[0, 0x40, 0, 0x40]]);
        assert!(matches!(&pieces[0], SpeechPiece::Pcm(pcm) if pcm.rate == 24_000));
        let (pieces, _) = run("audio/mpeg", "mp3", &[b"ID3\x04", b"rest"]);
        assert_eq!(pieces, [SpeechPiece::File(Bytes::from_static(b"ID3\x04rest"))]);
    }
}
