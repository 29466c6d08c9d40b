//! WAV files: written while recording, and decoded while they arrive.

use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use hound::{SampleFormat, WavSpec, WavWriter};

use super::{Pcm, SPEECH_RATE};
use crate::error::{Error, Result};

/// The longest header that is accepted, in bytes. Real files have at most a few hundred before the samples.
const HEADER_LIMIT: usize = 64 * 1024;
/// Sizes from here on mean "unknown", in bytes: nine hours of 16 kHz speech.
const UNKNOWN_SIZE: u64 = 1 << 30;

fn spec(rate: u32) -> WavSpec {
    WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int }
}

/// Writes mono samples at [`SPEECH_RATE`] into a complete 16-bit WAV file.
pub fn speech_wav(samples: &[i16]) -> Bytes {
    wav(samples, SPEECH_RATE)
}

/// Writes mono samples at a rate, in hertz, into a complete 16-bit WAV file.
pub fn wav(samples: &[i16], rate: u32) -> Bytes {
    let mut file = Cursor::new(Vec::with_capacity(44 + samples.len() * 2));
    // Writing to memory cannot fail, and recordings stay far below WAV's limit of 4 GB.
    if let Ok(mut writer) = WavWriter::new(&mut file, spec(rate)) {
        for sample in samples {
            let _ = writer.write_sample(*sample);
        }
        let _ = writer.finalize();
    }
    file.into_inner().into()
}

/// The header of a 16-bit WAV file of mono samples at [`SPEECH_RATE`] whose length is not known yet: its sizes are 0xFFFFFFFF, as FFmpeg
/// writes them into a pipe. The samples follow until the end of the file.
pub fn streamed_speech_wav_header() -> Bytes {
    let mut header = speech_wav(&[]).to_vec();
    for at in [4, 40] {
        header[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    }
    header.into()
}

/// A 16-bit mono WAV file that is written while recording. Each write reaches the operating system, so that a crash loses only what was
/// not passed to it; [`restore_wav`] corrects the header then. The file is locked while it is written, so that another process can tell.
pub struct WavFile {
    writer: WavWriter<BufWriter<File>>,
    /// The same open file, for the lock and to sync it.
    file: File,
    path: PathBuf,
}

impl WavFile {
    /// Creates the file and replaces an existing one. `rate` is in hertz.
    ///
    /// # Errors
    /// [`Error::Write`] when the file cannot be created.
    pub fn create(path: &Path, rate: u32) -> Result<Self> {
        let file = File::create(path).map_err(Error::write)?;
        // Some file systems have no locks.
        let _ = file.try_lock();
        let shared = file.try_clone().map_err(Error::write)?;
        let mut writer = WavWriter::new(BufWriter::new(shared), spec(rate)).map_err(Error::write)?;
        writer.flush().map_err(Error::write)?;
        Ok(Self { writer, file, path: path.to_owned() })
    }

    /// Appends samples and updates the header.
    ///
    /// # Errors
    /// [`Error::Write`] when the disk is full or the file cannot be written.
    pub fn write(&mut self, samples: &[i16]) -> Result<()> {
        for sample in samples {
            self.writer.write_sample(*sample).map_err(Error::write)?;
        }
        self.writer.flush().map_err(Error::write)
    }

    /// Completes and closes the file. Afterwards it is on the disk, so that it survives a power cut too.
    ///
    /// # Errors
    /// [`Error::Write`] when the file cannot be written.
    pub fn close(self) -> Result<()> {
        self.writer.finalize().map_err(Error::write)?;
        self.file.sync_all().map_err(Error::write)?;
        sync_folder(&self.path).map_err(Error::write)
    }
}

/// Syncs the folder of a file, without which a power cut may lose the new file's name. Only Unix has this.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Corrects the header of a file that [`WavFile`] wrote and a crash left behind: its sizes become those of the file. Returns the number of
/// samples, or `None` if another process is writing the file.
///
/// # Errors
/// [`Error::Write`] when the file cannot be opened or changed, [`Error::Unreadable`] when [`WavFile`] did not write it.
pub fn restore_wav(path: &Path) -> Result<Option<u64>> {
    const HEADER: u64 = 44;
    let mut file = File::options().read(true).write(true).open(path).map_err(Error::write)?;
    if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
        return Ok(None);
    }
    let length = file.metadata().map_err(Error::write)?.len();
    if length < HEADER {
        return Ok(Some(0));
    }
    let mut header = [0; HEADER as usize];
    file.read_exact(&mut header).map_err(Error::write)?;
    if &header[..4] != b"RIFF" || &header[8..16] != b"WAVEfmt " || &header[36..40] != b"data" {
        return Err(Error::unreadable("AURA did not write this WAV file."));
    }
    let samples = (length - HEADER) / 2;
    let size = u32::try_from(samples * 2).map_err(Error::write)?;
    let sizes = [(4, size.saturating_add(36)), (40, size)];
    if sizes.iter().any(|&(at, size)| header[at..at + 4] != size.to_le_bytes()) {
        file.set_len(HEADER + samples * 2).map_err(Error::write)?;
        for (at, size) in sizes {
            file.seek(SeekFrom::Start(at as u64)).map_err(Error::write)?;
            file.write_all(&size.to_le_bytes()).map_err(Error::write)?;
        }
        file.sync_all().map_err(Error::write)?;
    }
    Ok(Some(samples))
}

/// Decodes a complete WAV file of any rate, channel count and sample format to mono.
///
/// # Errors
/// [`Error::Unreadable`] when it is not a WAV file, its format is not supported, or it contains no audio.
pub fn read_wav(file: &[u8]) -> Result<Pcm> {
    let mut decoder = WavDecoder::new();
    let mut pcm = decoder.push(file)?.unwrap_or_default();
    if let Some(rest) = decoder.finish()? {
        pcm.rate = rest.rate;
        pcm.samples.extend(rest.samples);
    }
    if pcm.rate == 0 { Err(Error::unreadable("The WAV file contains no audio.")) } else { Ok(pcm) }
}

/// Decodes a WAV file to mono while it arrives.
///
/// Streamed files have sizes of 0 or 0xFFFFFFFF, which other decoders reject; here such a size means "until the end". Input may be cut
/// anywhere, also inside a sample.
#[derive(Debug, Default)]
pub struct WavDecoder {
    pending: Vec<u8>,
    format: Option<WavFormat>,
    /// Bytes of audio still to come; `None`: until the end.
    left: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct WavFormat {
    rate: u32,
    channels: usize,
    bytes: usize,
    float: bool,
}

impl WavDecoder {
    /// A decoder for one file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes the next bytes. Returns the samples that are complete, `None` while there are none.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is not a WAV file, or its format is not supported.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Pcm>> {
        self.pending.extend_from_slice(bytes);
        if self.format.is_none() && !self.read_header()? {
            return Ok(None);
        }
        Ok(self.take_samples())
    }

    /// Ends the file and returns the remaining samples.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when the file ended inside its header.
    pub fn finish(mut self) -> Result<Option<Pcm>> {
        if self.format.is_none() && !self.read_header()? {
            return Err(Error::unreadable("This is not a WAV file, or it ends inside its header."));
        }
        Ok(self.take_samples())
    }

    /// The duration of the audio that the header announces and that has not arrived; zero when the header has no plausible size.
    pub fn missing(&self) -> Duration {
        let (Some(format), Some(left)) = (self.format, self.left.filter(|left| *left < UNKNOWN_SIZE)) else {
            return Duration::ZERO;
        };
        let left = left.saturating_sub(self.pending.len() as u64);
        let bytes_per_second = (format.bytes * format.channels) as f64 * f64::from(format.rate);
        Duration::from_secs_f64(left as f64 / bytes_per_second)
    }

    fn take_samples(&mut self) -> Option<Pcm> {
        let format = self.format?;
        let frame = format.bytes * format.channels;
        let ready = self
            .left
            .map_or(self.pending.len(), |left| self.pending.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        let whole = ready - ready % frame;
        let samples = self.pending[..whole].chunks_exact(frame).map(|frame| format.mono(frame)).collect::<Vec<_>>();
        self.pending.drain(..whole);
        if let Some(left) = &mut self.left {
            *left -= whole as u64;
            if *left < frame as u64 {
                // Ignore the chunks after the audio, such as titles and dates.
                (self.left, self.pending) = (Some(0), Vec::new());
            }
        }
        (!samples.is_empty()).then_some(Pcm { rate: format.rate, samples })
    }

    /// Whether the header is complete. Then it is removed from `pending`.
    fn read_header(&mut self) -> Result<bool> {
        let bytes = &self.pending;
        let head = bytes.len().min(4);
        if bytes[..head] != b"RIFF"[..head] {
            return Err(Error::unreadable("This is not a WAV file."));
        }
        if bytes.len() >= 12 && &bytes[8..12] != b"WAVE" {
            return Err(Error::unreadable("This RIFF file is not a WAV file."));
        }
        let (mut at, mut format) = (12, None);
        while let Some(header) = bytes.get(at..at + 8) {
            let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            let body = at + 8;
            match &header[..4] {
                b"data" => {
                    self.format = Some(format.ok_or_else(|| Error::unreadable("The WAV file has no format chunk."))?);
                    self.left = (size != 0 && size < 0xFFFF_FF00).then_some(u64::from(size));
                    self.pending.drain(..body);
                    return Ok(true);
                }
                b"fmt " => match bytes.get(body..body + (size as usize).min(40)) {
                    Some(chunk) => format = Some(WavFormat::read(chunk)?),
                    None => return Ok(false),
                },
                _ => {}
            }
            // Chunks are padded to an even length.
            at = body + size as usize + (size as usize & 1);
            if at > HEADER_LIMIT {
                return Err(Error::unreadable("The WAV file has no audio in its first 64 KiB."));
            }
        }
        Ok(false)
    }
}

impl WavFormat {
    fn read(chunk: &[u8]) -> Result<Self> {
        if chunk.len() < 16 {
            return Err(Error::unreadable("The WAV file's format chunk is too short."));
        }
        let word = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        // WAVE_FORMAT_EXTENSIBLE (0xFFFE): the format code is the first word of the sub-format.
        let code = if word(0) == 0xFFFE && chunk.len() >= 26 { word(24) } else { word(0) };
        let (channels, bits) = (usize::from(word(2)), word(14));
        let known = matches!((code, bits), (1, 8 | 16 | 24 | 32) | (3, 32 | 64));
        if !known || !(1..=64).contains(&channels) || !(1_000..=768_000).contains(&rate) {
            return Err(Error::unreadable(format!(
                "This WAV format is not supported: code {code}, {bits} bits, {channels} channels, {rate} Hz."
            )));
        }
        Ok(Self { rate, channels, bytes: usize::from(bits / 8), float: code == 3 })
    }

    fn mono(&self, frame: &[u8]) -> f32 {
        let sum: f32 = frame.chunks_exact(self.bytes).map(|sample| self.sample(sample)).sum();
        sum / self.channels as f32
    }

    fn sample(&self, b: &[u8]) -> f32 {
        match (self.float, b) {
            (true, [a, b, c, d]) => f32::from_le_bytes([*a, *b, *c, *d]),
            (true, [a, b, c, d, e, f, g, h]) => f64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) as f32,
            // 8-bit WAV is unsigned.
            (_, [a]) => (f32::from(*a) - 128.0) / 128.0,
            (_, [a, b]) => crate::from_i16(i16::from_le_bytes([*a, *b])),
            (_, [a, b, c]) => (i32::from_le_bytes([0, *a, *b, *c]) >> 8) as f32 / 8_388_608.0,
            (_, [a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]) as f32 / 2_147_483_648.0,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ramp() -> Vec<i16> {
        (0..4_000).map(|i| (i * 8 - 16_000) as i16).collect()
    }

    #[test]
    fn a_file_decodes_the_same_in_pieces_of_any_size() {
        let file = speech_wav(&ramp());
        let whole = read_wav(&file).unwrap();
        assert_eq!((whole.rate, whole.samples.len()), (SPEECH_RATE, 4_000));
        for size in [1, 3, 7, 44, 45, 1_000] {
            let mut decoder = WavDecoder::new();
            let mut samples = Vec::new();
            for piece in file.chunks(size) {
                samples.extend(decoder.push(piece).unwrap().unwrap_or_default().samples);
            }
            samples.extend(decoder.finish().unwrap().unwrap_or_default().samples);
            assert_eq!(samples, whole.samples, "pieces of {size} bytes");
        }
    }

    #[test]
    fn a_streamed_size_means_until_the_end() {
        for size in [0_u32, 0xFFFF_FFFF, 0xFFFF_FFD3] {
            let mut file = speech_wav(&ramp()).to_vec();
            file[40..44].copy_from_slice(&size.to_le_bytes());
            assert_eq!(read_wav(&file).unwrap().samples.len(), 4_000, "size {size:#x}");
        }
    }

    #[test]
    fn chunks_after_the_audio_are_ignored() {
        let mut file = speech_wav(&ramp()).to_vec();
        file.extend_from_slice(b"LIST\x04\0\0\0abcd");
        assert_eq!(read_wav(&file).unwrap().samples.len(), 4_000);
    }

    #[test]
    fn a_file_is_readable_before_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("question.wav");
        let mut file = WavFile::create(&path, SPEECH_RATE).unwrap();
        file.write(&[1_000; 320]).unwrap();
        let saved = read_wav(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(saved.samples.len(), 320, "a crash now would lose sound");
        assert_eq!(restore_wav(&path).unwrap(), None, "it is being written");
        file.close().unwrap();
        assert_eq!(restore_wav(&path).unwrap(), Some(320));
    }

    #[test]
    fn a_file_that_a_crash_left_behind_gets_its_true_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("question.wav");
        let whole = speech_wav(&ramp()).to_vec();
        // The header says less than there is, more than there is, nothing, or the file ends within a sample.
        for (announced, bytes) in [(100_u32, whole.len()), (1 << 20, whole.len()), (0, whole.len()), (100, 44 + 77)] {
            let mut file = whole[..bytes].to_vec();
            file[4..8].copy_from_slice(&(announced + 36).to_le_bytes());
            file[40..44].copy_from_slice(&announced.to_le_bytes());
            std::fs::write(&path, &file).unwrap();
            let samples = (bytes as u64 - 44) / 2;
            assert_eq!(restore_wav(&path).unwrap(), Some(samples), "{announced}");
            let restored = std::fs::read(&path).unwrap();
            assert_eq!(restored, speech_wav(&ramp()[..samples as usize]), "{announced}");
        }
        for bytes in [0, 12, 44] {
            std::fs::write(&path, &whole[..bytes]).unwrap();
            assert_eq!(restore_wav(&path).unwrap(), Some(0), "{bytes} bytes");
        }
        std::fs::write(&path, [b'x'; 100]).unwrap();
        assert!(matches!(restore_wav(&path), Err(Error::Unreadable(_))));
    }

    #[test]
    fn other_files_are_rejected_with_a_message() {
        assert!(matches!(read_wav(b"hello, this is no sound"), Err(Error::Unreadable(_))));
        assert!(read_wav(b"RIFF").is_err());
        assert!(read_wav(b"").is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..400) {
            let mut file = speech_wav(&[1, 2, 3]).to_vec();
            file.truncate(cut.min(file.len()));
            file.extend(&bytes);
            let _ = read_wav(&file);
            let _ = read_wav(&bytes);
        }
    }
}
