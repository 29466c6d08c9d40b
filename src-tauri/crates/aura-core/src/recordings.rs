//! The files of recordings: `<turn>-question.wav` and `<turn>-answer.wav` while a turn runs, the same names with `.flac` some time later.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use uuid::Uuid;

use crate::error::{Error, Result};

/// Length of a UUID as text.
const ID_CHARS: usize = 36;
/// Length of the header of the WAV files that AURA records.
const WAV_HEADER: usize = 44;

/// A recording that AURA made.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) path: PathBuf,
    /// ID of its turn.
    pub(crate) turn: String,
    /// When the turn began.
    pub(crate) began: Timestamp,
    /// When the file was last written.
    pub(crate) written: SystemTime,
    pub(crate) bytes: u64,
}

impl Recording {
    /// The recording in this file; `None` for a file of somebody else.
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (turn, rest) = name.split_at_checked(ID_CHARS)?;
        if !["-question.wav", "-question.flac", "-answer.wav", "-answer.flac"].contains(&rest) {
            return None;
        }
        let id = Uuid::parse_str(turn).ok()?;
        let file = std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        let written = file.modified().ok()?;
        // The ID holds the time at which the turn began. The file may have been copied or compressed since.
        let began = match id.get_timestamp().map(|time| time.to_unix()) {
            Some((seconds, nanoseconds)) => {
                Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()?
            }
            None => Timestamp::try_from(written).ok()?,
        };
        Some(Self { turn: turn.to_owned(), began, written, bytes: file.len(), path })
    }
}

/// Every recording in the folder, oldest first.
pub(crate) fn list(folder: &Path) -> std::io::Result<Vec<Recording>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        found.extend(Recording::of(entry?.path()));
    }
    found.sort_by(|a, b| (a.began, &a.path).cmp(&(b.began, &b.path)));
    Ok(found)
}

/// Whether two paths name the same recording, compressed or not.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    a.file_stem().is_some() && a.file_stem() == b.file_stem() && a.parent() == b.parent()
}

/// The names under which a recording may be found: as the record says, and compressed or not.
pub fn names(path: &Path) -> Vec<PathBuf> {
    let other = match path.extension().and_then(|extension| extension.to_str()) {
        Some("wav") => Some("flac"),
        Some("flac") => Some("wav"),
        _ => None,
    };
    std::iter::once(path.to_owned()).chain(other.map(|extension| path.with_extension(extension))).collect()
}

/// The file in which a recording is now: it may have been compressed since its record was read. `None` when it is gone.
pub(crate) async fn find(path: &Path) -> Option<PathBuf> {
    for name in names(path) {
        if tokio::fs::try_exists(&name).await.unwrap_or(false) {
            return Some(name);
        }
    }
    None
}

/// The content of a recording; `None` when it is gone or cannot be read.
pub(crate) async fn read(path: &Path) -> Option<Vec<u8>> {
    for name in names(path) {
        if let Ok(file) = tokio::fs::read(&name).await {
            return Some(file);
        }
    }
    None
}

/// Writes a FLAC file with the samples of a WAV file beside it, and leaves the WAV file. Returns the new file once it is on the disk; `None`
/// when the file is not one that AURA recorded, or holds no sound.
///
/// # Errors
/// The file cannot be read, or the new one cannot be written.
pub(crate) fn compress(wav: &Path) -> Result<Option<PathBuf>> {
    let failed = |cause| Error::storage("compress a recording", cause);
    let Some((samples, rate)) = samples(&std::fs::read(wav).map_err(failed)?) else { return Ok(None) };
    let compressed = aura_audio::flac(&samples, rate)?;
    // The encoder has few users. A recording that does not come back exactly stays as it is.
    let decoded = aura_audio::decode(compressed.clone().into())?;
    let is_exact = decoded.rate == rate
        && decoded.samples.len() == samples.len()
        && decoded.samples.iter().zip(&samples).all(|(decoded, sample)| *decoded * 32_768.0 == f32::from(*sample));
    if !is_exact {
        tracing::warn!(file = %wav.display(), "a recording could not be compressed without loss and stays as it is");
        return Ok(None);
    }
    let path = wav.with_extension("flac");
    let folder = wav.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".compressing-").tempfile_in(folder).map_err(failed)?;
    file.write_all(&compressed).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(&path).map_err(|cause| failed(cause.error))?;
    // The name must be on the disk before the WAV file goes.
    #[cfg(unix)]
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(Some(path))
}

/// The samples and the rate of a WAV file that AURA recorded. After a crash, its header may count fewer samples than the file holds.
fn samples(wav: &[u8]) -> Option<(Vec<i16>, u32)> {
    let (header, data) = wav.split_at_checked(WAV_HEADER)?;
    // Mono PCM with 16 bits, and the samples at once after it.
    let is_ours = header.starts_with(b"RIFF")
        && header[8..16] == *b"WAVEfmt "
        && header[20..24] == [1, 0, 1, 0]
        && header[34..40] == *b"\x10\0data";
    let rate = u32::from_le_bytes(header[24..28].try_into().ok()?);
    let samples: Vec<i16> = data.as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
    (is_ours && !samples.is_empty()).then_some((samples, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_keeps_every_sample_even_those_that_its_header_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a-question.wav");
        let samples: Vec<i16> = (0..20_000).map(|i| ((i * 37) % 5_000) as i16 - 2_500).collect();
        let mut wav = aura_audio::speech_wav(&samples).to_vec();
        // As after a crash: the header counts half of them, and the last sample is cut.
        wav[40..44].copy_from_slice(&20_000_u32.to_le_bytes());
        wav.push(7);
        std::fs::write(&path, wav).unwrap();
        let compressed = compress(&path).unwrap().unwrap();
        let decoded = aura_audio::decode(std::fs::read(&compressed).unwrap().into()).unwrap();
        let decoded: Vec<i16> = decoded.samples.iter().map(|sample| (sample * 32_768.0) as i16).collect();
        assert_eq!(decoded, samples);
        assert!(path.exists(), "the caller deletes it once the record names the new file");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        for content in [&b"hello"[..], &aura_audio::speech_wav(&[])] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(compress(&path).unwrap(), None);
        }
        std::fs::write(folder.path().join(format!("{}-notes.wav", Uuid::now_v7())), "").unwrap();
        assert!(list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn the_age_of_a_recording_is_that_of_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 0));
        for name in ["question.wav", "answer.flac"] {
            std::fs::write(folder.path().join(format!("{id}-{name}")), "sound").unwrap();
        }
        let found = list(folder.path()).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|file| file.began.as_second() == 1_700_000_000 && file.turn == id.to_string()));
    }
}
