//! Compressed files that players and browsers read: MP3, Opus and AAC.

use ogg::{PacketWriteEndInfo, PacketWriter};
use oxideav_aac::encoder::{EncoderConfig, StreamEncoder};
use oxideav_mp3::Mp3Encoder;
use oxideav_mp3::frame::ChannelMode;
use ropus::{Application, Bitrate, Channels, Encoder};

use crate::error::{Error, Result};
use crate::resample::resample;
use crate::{from_i16, to_i16};

/// The sample rate of a compressed file, in hertz: that of speech services, and one that all three formats have.
const RATE: u32 = 24_000;
/// Bits per second of an MP3 file: with fewer, this encoder is audibly coarse.
const MP3_BIT_RATE: u32 = 128_000;
/// Bits per second of an AAC file.
const AAC_BIT_RATE: u32 = 96_000;
/// Bits per second of an Opus file, which needs far fewer for the same quality.
const OPUS_BIT_RATE: u32 = 32_000;
/// Opus frames per second: each is 20 ms long.
const OPUS_FRAMES: u32 = 50;
/// The clock of the positions in an Ogg Opus file, in hertz, whatever the sample rate is.
const OPUS_CLOCK: u32 = 48_000;
/// The largest Opus packet, in bytes: what the encoder's documentation recommends.
const OPUS_PACKET: usize = 4_000;
/// The number of the only stream in an Ogg file.
const OGG_STREAM: u32 = 1;

/// Compresses mono 16-bit samples at a rate, in hertz, into an MP3 file.
///
/// # Errors
/// [`Error::Write`] when there are no samples, or the encoder refuses them.
pub fn mp3(samples: &[i16], rate: u32) -> Result<Vec<u8>> {
    let samples = at_rate(samples, rate)?;
    let mut encoder = Mp3Encoder::new(MP3_BIT_RATE / 1_000, RATE, ChannelMode::SingleChannel).map_err(cause)?;
    encoder.push_samples(&samples).map_err(cause)?;
    let mut file = Vec::new();
    encoder.finish(&mut file).map_err(cause)?;
    Ok(file)
}

/// Compresses mono 16-bit samples at a rate, in hertz, into an AAC file (ADTS).
///
/// # Errors
/// [`Error::Write`] when there are no samples, or the encoder refuses them.
pub fn aac(samples: &[i16], rate: u32) -> Result<Vec<u8>> {
    let samples = at_rate(samples, rate)?;
    let config = EncoderConfig { sample_rate: RATE, channels: 1, bitrate: AAC_BIT_RATE };
    StreamEncoder::new(config).and_then(|mut encoder| encoder.encode_all(&samples)).map_err(cause)
}

/// Compresses mono 16-bit samples at a rate, in hertz, into an Ogg Opus file.
///
/// # Errors
/// [`Error::Write`] when there are no samples, or the encoder refuses them.
pub fn opus(samples: &[i16], rate: u32) -> Result<Vec<u8>> {
    let samples = at_rate(samples, rate)?;
    let mut encoder = Encoder::builder(RATE, Channels::Mono, Application::Voip)
        .bitrate(Bitrate::Bits(OPUS_BIT_RATE))
        .build()
        .map_err(cause)?;
    // What the encoder holds back is skipped at the beginning and must be pushed out at the end.
    let skip = encoder.lookahead() * OPUS_CLOCK / RATE;
    let mut file = Vec::new();
    let mut writer = PacketWriter::new(&mut file);
    let mut write = |packet: Vec<u8>, end, position| writer.write_packet(packet, OGG_STREAM, end, position);
    write(opus_head(skip)?, PacketWriteEndInfo::EndPage, 0).map_err(Error::write)?;
    write(opus_tags(), PacketWriteEndInfo::EndPage, 0).map_err(Error::write)?;
    let frame_length = (RATE / OPUS_FRAMES) as usize;
    let end = u64::from(skip) + samples.len() as u64 * u64::from(OPUS_CLOCK / RATE);
    let mut position = 0;
    let mut packet = vec![0; OPUS_PACKET];
    for number in 0.. {
        let begin = (number * frame_length).min(samples.len());
        let mut frame = samples[begin..(begin + frame_length).min(samples.len())].to_vec();
        frame.resize(frame_length, 0);
        let length = encoder.encode(&frame, &mut packet).map_err(cause)?;
        position += u64::from(OPUS_CLOCK / OPUS_FRAMES);
        let is_last = position >= end;
        let info = if is_last { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket };
        // The position of the last packet says where the sound ends within it.
        write(packet[..length].to_vec(), info, position.min(end)).map_err(Error::write)?;
        if is_last {
            break;
        }
    }
    drop(writer);
    Ok(file)
}

/// The first packet of an Ogg Opus file. `skip`: samples at 48 kHz to leave out at the beginning.
fn opus_head(skip: u32) -> Result<Vec<u8>> {
    let skip = u16::try_from(skip).map_err(Error::write)?;
    let mut head = b"OpusHead\x01\x01".to_vec(); // version 1, one channel
    head.extend(skip.to_le_bytes());
    head.extend(RATE.to_le_bytes());
    head.extend([0, 0, 0]); // no gain, mono or stereo
    Ok(head)
}

/// The second packet of an Ogg Opus file: who wrote it, and no comments.
fn opus_tags() -> Vec<u8> {
    const VENDOR: &[u8] = b"aura-audio";
    let mut tags = b"OpusTags".to_vec();
    tags.extend((VENDOR.len() as u32).to_le_bytes());
    tags.extend(VENDOR);
    tags.extend(0_u32.to_le_bytes());
    tags
}

/// The samples at [`RATE`].
fn at_rate(samples: &[i16], rate: u32) -> Result<Vec<i16>> {
    if samples.is_empty() {
        return Err(Error::write("there are no samples"));
    }
    if rate == RATE {
        return Ok(samples.to_vec());
    }
    let samples: Vec<f32> = samples.iter().map(|sample| from_i16(*sample)).collect();
    Ok(resample(&samples, rate, RATE).into_iter().map(to_i16).collect())
}

fn cause(cause: impl std::fmt::Debug) -> Error {
    Error::write(format!("{cause:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a tone of 440 Hz.
    fn tone(rate: u32) -> Vec<i16> {
        let step = 440.0 * std::f32::consts::TAU / rate as f32;
        (0..rate).map(|i| ((i as f32 * step).sin() * 12_000.0) as i16).collect()
    }

    /// The frequency of a tone in hertz, from how often it rises through zero.
    fn frequency(samples: &[i16], rate: u32) -> f32 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let rises = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        rises as f32 * rate as f32 / middle.len() as f32
    }

    fn check(samples: &[i16], rate: u32) {
        let (seconds, hertz) = (samples.len() as f32 / rate as f32, frequency(samples, rate));
        assert!((0.95..1.2).contains(&seconds), "{seconds} s");
        assert!((430.0..450.0).contains(&hertz), "{hertz} Hz");
        assert!(crate::rms(samples) > 0.15, "{}", crate::rms(samples));
    }

    #[test]
    fn an_mp3_file_holds_the_sound() {
        let file = mp3(&tone(44_100), 44_100).unwrap();
        assert!(file.len() < 20_000, "{} bytes", file.len());
        let pcm = crate::decode(file.into()).unwrap();
        check(&pcm.samples.iter().map(|sample| to_i16(*sample)).collect::<Vec<_>>(), pcm.rate);
    }

    #[test]
    fn an_aac_file_holds_the_sound() {
        let file = aac(&tone(24_000), 24_000).unwrap();
        assert!(file.len() < 16_000 && file.starts_with(&[0xFF]), "{} bytes", file.len());
        let frames = oxideav_aac::decode::StreamDecoder::new().decode_all(&file).unwrap();
        check(&frames.into_iter().flat_map(|frame| frame.pcm).collect::<Vec<_>>(), RATE);
    }

    #[test]
    fn an_opus_file_holds_the_sound() {
        let file = opus(&tone(24_000), 24_000).unwrap();
        assert!(file.len() < 8_000, "{} bytes", file.len());
        let mut reader = ogg::PacketReader::new(std::io::Cursor::new(file));
        let head = reader.read_packet_expected().unwrap().data;
        assert_eq!((&head[..8], head[9]), (&b"OpusHead"[..], 1));
        assert!(reader.read_packet_expected().unwrap().data.starts_with(b"OpusTags"));
        let mut decoder = ropus::Decoder::new(RATE, Channels::Mono).unwrap();
        let (mut samples, mut end) = (Vec::new(), 0);
        while let Some(packet) = reader.read_packet().unwrap() {
            let mut frame = [0; 480];
            decoder.decode(&packet.data, &mut frame, ropus::DecodeMode::Normal).unwrap();
            samples.extend(frame);
            end = packet.absgp_page();
        }
        check(&samples, RATE);
        let skip = u64::from(u16::from_le_bytes([head[10], head[11]]));
        assert_eq!(end - skip, 48_000, "exactly a second");
    }

    #[test]
    fn without_samples_there_is_no_file() {
        assert!(mp3(&[], RATE).is_err() && aac(&[], RATE).is_err() && opus(&[], RATE).is_err());
    }
}
