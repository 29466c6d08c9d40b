//! WAV reader and writer. Streamed headers have a size of 0 or 0xFFFFFFFF, so a chunk that announces more bytes than
//! there are extends to the end of the file.

use std::f64::consts::PI;

/// 16-bit samples, interleaved when there is more than one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pcm {
    pub(crate) rate: u32,
    pub(crate) channels: u16,
    pub(crate) samples: Vec<i16>,
}

/// Error from [`read`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum WavError {
    #[error("not a RIFF/WAVE file")]
    NotWav,
    #[error("no fmt chunk before the data")]
    NoFormat,
    #[error("no data chunk")]
    NoData,
    #[error("unsupported encoding {tag} with {bits} bits")]
    Encoding { tag: u16, bits: u16 },
}

struct WavFormat {
    tag: u16,
    channels: u16,
    rate: u32,
    bits: u16,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Reads a WAV file with 8, 16, 24 or 32-bit PCM or 32-bit float samples.
pub(crate) fn read(bytes: &[u8]) -> Result<Pcm, WavError> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut at = 12;
    let mut format = None;
    while let (Some(id), Some(size)) = (bytes.get(at..at + 4), u32_at(bytes, at + 4)) {
        let body = at + 8;
        let end = body.saturating_add(size as usize).min(bytes.len());
        if id == b"fmt " {
            format = read_format(bytes.get(body..end).unwrap_or_default());
        } else if id == b"data" {
            let format = format.ok_or(WavError::NoFormat)?;
            // A size of 0 before more bytes comes from a streamed header.
            let end = if size == 0 { bytes.len() } else { end };
            return decode(&format, bytes.get(body..end).unwrap_or_default());
        }
        // Chunks are padded to an even length.
        at = body.saturating_add(size as usize).saturating_add(size as usize & 1);
    }
    Err(WavError::NoData)
}

fn read_format(chunk: &[u8]) -> Option<WavFormat> {
    let mut tag = u16_at(chunk, 0)?;
    if tag == 0xFFFE {
        // WAVE_FORMAT_EXTENSIBLE keeps the real tag in the first two bytes of the sub-format.
        tag = u16_at(chunk, 24)?;
    }
    Some(WavFormat { tag, channels: u16_at(chunk, 2)?.max(1), rate: u32_at(chunk, 4)?, bits: u16_at(chunk, 14)? })
}

fn decode(format: &WavFormat, data: &[u8]) -> Result<Pcm, WavError> {
    let high = |b: &[u8]| i16::from_le_bytes([b[b.len() - 2], b[b.len() - 1]]);
    let samples = match (format.tag, format.bits) {
        (1, 8) => data.iter().map(|b| (i16::from(*b) - 128) << 8).collect(),
        (1, 16) => data.chunks_exact(2).map(high).collect(),
        (1, 24) => data.chunks_exact(3).map(high).collect(),
        (1, 32) => data.chunks_exact(4).map(high).collect(),
        (3, 32) => data
            .chunks_exact(4)
            .map(|b| (f32::from_le_bytes([b[0], b[1], b[2], b[3]]).clamp(-1.0, 1.0) * 32767.0) as i16)
            .collect(),
        (tag, bits) => return Err(WavError::Encoding { tag, bits }),
    };
    Ok(Pcm { rate: format.rate.max(1), channels: format.channels, samples })
}

/// The 44-byte header for 16-bit PCM. `data_bytes` of `u32::MAX` marks a stream of unknown length.
pub(crate) fn header(rate: u32, channels: u16, data_bytes: u32) -> Vec<u8> {
    let frame = u32::from(channels) * 2;
    let mut out = Vec::with_capacity(44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&data_bytes.saturating_add(36).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(&1u16.to_le_bytes());
    out.extend_from_slice(&channels.to_le_bytes());
    out.extend_from_slice(&rate.to_le_bytes());
    out.extend_from_slice(&(rate * frame).to_le_bytes());
    out.extend_from_slice(&(channels * 2).to_le_bytes());
    out.extend_from_slice(&16u16.to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data_bytes.to_le_bytes());
    out
}

impl Pcm {
    /// Length in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.channels) / f64::from(self.rate)
    }

    /// Root mean square, from 0 to 1.
    pub(crate) fn loudness(&self) -> f64 {
        if self.samples.is_empty() {
            return 0.0;
        }
        let sum: f64 = self.samples.iter().map(|s| (f64::from(*s) / 32768.0).powi(2)).sum();
        (sum / self.samples.len() as f64).sqrt()
    }

    /// Little-endian samples without a header.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.samples.iter().flat_map(|s| s.to_le_bytes()).collect()
    }

    /// A complete file with true sizes.
    pub(crate) fn to_wav(&self) -> Vec<u8> {
        let mut out = header(self.rate, self.channels, (self.samples.len() * 2) as u32);
        out.extend(self.to_bytes());
        out
    }

    /// One channel at the given rate.
    pub(crate) fn mono_at(&self, rate: u32) -> Self {
        let channels = usize::from(self.channels);
        let mono: Vec<i16> = self
            .samples
            .chunks_exact(channels)
            .map(|frame| (frame.iter().map(|s| i32::from(*s)).sum::<i32>() / channels as i32) as i16)
            .collect();
        let samples = if rate == self.rate { mono } else { resample(&mono, self.rate, rate) };
        Self { rate, channels: 1, samples }
    }
}

/// Windowed-sinc resampling, 16 lobes a side: the recogniser mishears what linear interpolation aliases.
fn resample(input: &[i16], from: u32, to: u32) -> Vec<i16> {
    const LOBES: f64 = 16.0;
    let step = f64::from(from) / f64::from(to);
    let cutoff = (1.0 / step).min(1.0);
    let reach = LOBES / cutoff;
    let length = (input.len() as f64 / step) as usize;
    (0..length)
        .map(|n| {
            let centre = n as f64 * step;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(input.len().saturating_sub(1));
            let mut sum = 0.0;
            for (offset, sample) in input.iter().enumerate().take(last + 1).skip(first) {
                let x = (offset as f64 - centre) * cutoff;
                let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
                let window = 0.5 + 0.5 * (PI * x / LOBES).cos();
                sum += f64::from(*sample) * sinc * window * cutoff;
            }
            sum.round().clamp(-32768.0, 32767.0) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, seconds: f64) -> Pcm {
        let count = (f64::from(rate) * seconds) as usize;
        let at = |n: usize| (8000.0 * (2.0 * PI * 440.0 * n as f64 / f64::from(rate)).sin()) as i16;
        Pcm { rate, channels: 1, samples: (0..count).map(at).collect() }
    }

    #[test]
    fn sizes_in_a_streamed_header_are_ignored() {
        let pcm = tone(24_000, 0.1);
        for size in [u32::MAX, 0] {
            let mut bytes = header(24_000, 1, size);
            bytes.extend(pcm.to_bytes());
            assert_eq!(read(&bytes).unwrap(), pcm);
        }
        assert_eq!(read(&pcm.to_wav()).unwrap(), pcm);
        assert_eq!(read(b"RIFF....WAVE"), Err(WavError::NoData));
        assert_eq!(read(b"<html>"), Err(WavError::NotWav));
    }

    #[test]
    fn hound_reads_the_written_file_and_stereo_is_mixed_to_mono() {
        let pcm = tone(22_050, 0.5);
        let reader = hound::WavReader::new(std::io::Cursor::new(pcm.to_wav())).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.duration()), (22_050, 11_025));
        let stereo = Pcm { rate: 22_050, channels: 2, samples: pcm.samples.iter().flat_map(|s| [*s, *s]).collect() };
        let mono = stereo.mono_at(16_000);
        assert!((mono.seconds() - 0.5).abs() < 0.001);
        let expected = tone(16_000, 0.5).samples;
        let pairs = mono.samples.iter().zip(&expected).skip(200).take(6800);
        let apart = pairs.map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
        assert!(apart.max().unwrap() < 200);
    }
}
