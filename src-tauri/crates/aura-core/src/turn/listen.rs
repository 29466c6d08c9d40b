//! Listen: the microphone until the key is released. What is heard goes to disk while it is heard.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::answer::Prepared;
use super::trace::Turn;
use crate::audio::{LONGEST_SOUND, Mixdown, Pcm, SPEECH_RATE, WavFile, meter, read_wav, rms, too_long};
use crate::error::{Code, Error, Result};
use crate::event::Event;
use crate::ports::Speaker;
use crate::record::Stage;

/// A level event at most this often: 30 a second.
const LEVEL_EVERY: Duration = Duration::from_millis(33);
/// Below this a frame is silence in any room: -48 dB full scale.
const SILENCE: f32 = 0.004;
/// Speech shorter than this is not sent.
const SHORTEST_SPEECH: Duration = Duration::from_millis(100);
/// The largest sound file that is taken: 25 MB, the smallest limit of the providers.
const LARGEST_FILE: u64 = 25 * 1024 * 1024;
/// Sound files that are unpacked at once: each may take a processor, and a few hundred megabytes until it is at the rate of speech.
static UNPACKING: Semaphore = Semaphore::const_new(4);

/// What was recorded: mono samples at 16 kHz.
pub(super) struct Heard {
    pub(super) samples: Vec<i16>,
    /// How much of it is speech or something as loud.
    pub(super) voiced: Duration,
    /// The file it is written to, still open; dropping it completes the file as well.
    pub(super) disk: Option<Disk>,
}

impl Heard {
    fn new(samples: Vec<i16>, disk: Option<Disk>) -> Result<Self> {
        let voiced = voiced(&samples);
        if voiced < SHORTEST_SPEECH {
            return Err(Error::new(
                Code::NothingHeard,
                "I heard nothing. Hold the key, wait for the tone and speak; or choose another microphone under Settings.",
            ));
        }
        Ok(Self { samples, voiced, disk })
    }
}

impl Turn {
    /// Records until the key is released, the limit is reached or the microphone is gone.
    pub(super) async fn listen(&self, prepared: &Prepared) -> Result<Heard> {
        let _stage = self.enter(Stage::Listening);
        let settings = &self.config.settings.listening;
        let mut recording = self.room.ports.microphone.record(settings.microphone.as_deref()).await?;
        // Not sooner: without a microphone there is nothing to keep.
        let path = self.keep("question");
        let disk = path.clone().map(|path| Disk::create(path, SPEECH_RATE, self.dismissed()));
        self.edit(|record| record.question_audio = path);

        let longest = settings.longest_seconds as usize * SPEECH_RATE as usize;
        let mut samples: Vec<i16> = Vec::new();
        let mut shown = Instant::now();
        let mut unshown = 0;
        let mut released = false;
        loop {
            let block = tokio::select! {
                biased;
                () = self.release.cancelled(), if !released => {
                    released = true;
                    recording.stop();
                    continue;
                }
                block = recording.next() => block,
            };
            match block {
                Some(Ok(block)) => {
                    if samples.is_empty() && !block.is_empty() {
                        self.room.events.send(Event::Recording { turn: self.id.clone() });
                        prepared.chime(self.release.clone());
                    }
                    if let Some(disk) = &disk {
                        disk.write(block.clone());
                    }
                    samples.extend(block);
                }
                Some(Err(error)) if voiced(&samples) >= Duration::from_millis(500) => {
                    self.tell_error("microphone_lost", &error);
                    break;
                }
                Some(Err(error)) => return Err(error),
                None => break,
            }
            if shown.elapsed() >= LEVEL_EVERY && !released {
                let elapsed_ms =
                    u32::try_from(samples.len() as u64 * 1_000 / u64::from(SPEECH_RATE)).unwrap_or(u32::MAX);
                self.room.events.send(Event::Level { level: meter(&samples[unshown..]), elapsed_ms });
                (shown, unshown) = (Instant::now(), samples.len());
            }
            if samples.len() >= longest && !released {
                let seconds = settings.longest_seconds;
                self.tell(
                    "recording_limit",
                    format!("The recording reached its limit of {seconds} seconds. I answer what I heard until then."),
                );
                released = true;
                recording.stop();
            }
        }
        self.stopped_listening();
        Heard::new(samples, disk)
    }

    /// A recording from a file, as if it had been spoken.
    pub(super) async fn open_recording(&self, path: &Path) -> Result<Heard> {
        let _stage = self.enter(Stage::Listening);
        let shown = path.display();
        let size = tokio::fs::metadata(path)
            .await
            .map_err(|cause| Error::invalid(format!("The sound file {shown} cannot be opened.")).because(cause))?
            .len();
        if size > LARGEST_FILE {
            return Err(Error::invalid(format!("The sound file {shown} is larger than 25 MB. Send a shorter one.")));
        }
        let file = tokio::fs::read(path)
            .await
            .map_err(|cause| Error::invalid(format!("The sound file {shown} cannot be read.")).because(cause))?;
        let heard = self.decode(file.into(), &format!("The sound file {shown}")).await?;
        self.edit(|record| record.question_audio = Some(path.to_owned()));
        Ok(heard)
    }

    /// A recording that came with the request.
    pub(super) async fn take_recording(&self, file: Bytes) -> Result<Heard> {
        let _stage = self.enter(Stage::Listening);
        self.decode(file, "The recording").await
    }

    /// Where this turn keeps a recording of its own, if it keeps any.
    pub(super) fn keep(&self, what: &str) -> Option<PathBuf> {
        Some(self.room.recordings.as_ref()?.join(format!("{}-{what}.wav", self.id)))
    }

    async fn decode(&self, file: Bytes, shown: &str) -> Result<Heard> {
        if file.is_empty() {
            return Err(Error::invalid(format!("{shown} is empty.")));
        }
        let samples = unpacked(self.room.ports.speaker.clone(), file).await?;
        Heard::new(samples, None)
    }
}

/// What a sound file holds, at the rate of speech.
pub(crate) async fn unpacked(speaker: Arc<dyn Speaker>, file: Bytes) -> Result<Vec<i16>> {
    // It is never closed.
    let turn = UNPACKING.acquire().await.map_err(Error::internal)?;
    let unpack = move || {
        // A caller that goes away does not stop the thread.
        let _turn = turn;
        let pcm = if file.starts_with(b"RIFF") { read_wav(&file) } else { speaker.decode(file) }?;
        if pcm.duration() > LONGEST_SOUND {
            return Err(too_long());
        }
        Ok(to_speech(&pcm))
    };
    tokio::task::spawn_blocking(unpack).await.unwrap_or_else(|ended| {
        // The decoder met something that nobody thought of: that is the file's fault, not the caller's nor ours.
        Err(Error::invalid("This sound file is damaged. Send it as WAV, MP3, OGG Vorbis or FLAC.").because(ended))
    })
}

fn to_speech(pcm: &Pcm) -> Vec<i16> {
    let mut mixdown = Mixdown::new(1, pcm.rate);
    let mut samples = mixdown.push(&pcm.samples);
    samples.extend(mixdown.finish());
    samples
}

/// How much of a recording stands out of its own noise.
pub(crate) fn voiced(samples: &[i16]) -> Duration {
    const FRAME: usize = SPEECH_RATE as usize / 50;
    let mut levels: Vec<f32> = samples.chunks_exact(FRAME).map(rms).collect();
    let frames = levels.clone();
    levels.sort_by(f32::total_cmp);
    let floor = levels.get(levels.len() / 10).copied().unwrap_or_default();
    // A floor that is loud itself is speech without a pause, not noise.
    let threshold = (floor * 2.5).clamp(SILENCE, 0.03);
    Duration::from_millis(20)
        * u32::try_from(frames.iter().filter(|level| **level > threshold).count()).unwrap_or(u32::MAX)
}

/// A WAV file that is written by a thread of its own: the turn never waits for the disk.
pub(super) struct Disk {
    samples: mpsc::Sender<Vec<i16>>,
    done: tokio::sync::oneshot::Receiver<Result<()>>,
}

impl Disk {
    /// Starts the file. Errors are told by [`Disk::close`]. What was dismissed when the file is complete is removed.
    pub(super) fn create(path: PathBuf, rate: u32, dismissed: Arc<AtomicBool>) -> Self {
        let (samples, inbox) = mpsc::channel::<Vec<i16>>();
        let (tell, done) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let written = (|| {
                let mut file = WavFile::create(&path, rate)?;
                while let Ok(block) = inbox.recv() {
                    file.write(&block)?;
                }
                file.close()
            })();
            if dismissed.load(Ordering::Acquire) {
                let _ = std::fs::remove_file(&path);
            }
            let _ = tell.send(written);
        });
        Self { samples, done }
    }

    /// Queues samples.
    pub(super) fn write(&self, samples: Vec<i16>) {
        // After a failure the thread is gone; `close` says why.
        let _ = self.samples.send(samples);
    }

    /// Completes the file.
    pub(super) async fn close(self) -> Result<()> {
        drop(self.samples);
        self.done.await.unwrap_or_else(|cause| Err(Error::internal(cause)))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::ports::{Device, Output};

    /// A decoder with a defect.
    struct Defect;

    #[async_trait]
    impl Speaker for Defect {
        async fn open(&self, _: Option<&str>) -> Result<Arc<dyn Output>> {
            Err(Error::cancelled())
        }

        async fn devices(&self) -> Result<Vec<Device>> {
            Ok(Vec::new())
        }

        fn decode(&self, _: Bytes) -> Result<Pcm> {
            panic!("the decoder met something that nobody thought of")
        }
    }

    #[tokio::test]
    async fn a_file_that_breaks_the_decoder_is_the_callers_mistake() {
        let error = unpacked(Arc::new(Defect), Bytes::from_static(b"fLaC")).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest, "{error:?}");
    }

    #[tokio::test]
    async fn a_recording_that_is_too_long_is_refused_at_any_rate() {
        let wav = |rate: u32, samples: usize| {
            let mut file = crate::audio::speech_wav(&vec![0; samples]).to_vec();
            file[24..28].copy_from_slice(&rate.to_le_bytes());
            unpacked(Arc::new(Defect), file.into())
        };
        assert_eq!(wav(SPEECH_RATE, 16_000 * 60).await.unwrap().len(), 16_000 * 60);
        // A rate that makes hours of little.
        assert_eq!(wav(1_000, 1_000 * 790).await.unwrap_err(), too_long());
    }

    fn noise(level: f32, ms: usize) -> Vec<i16> {
        (0..SPEECH_RATE as usize * ms / 1_000)
            .map(|i| (((i * 7_919) % 2_000) as f32 / 1_000.0 - 1.0) * level * 32_767.0)
            .map(|s| s as i16)
            .collect()
    }

    #[test]
    fn speech_stands_out_of_silence_and_of_noise() {
        assert_eq!(voiced(&noise(0.0, 2_000)), Duration::ZERO);
        assert_eq!(voiced(&noise(0.003, 2_000)), Duration::ZERO);
        let in_noise = [noise(0.01, 1_000), noise(0.2, 600), noise(0.01, 400)].concat();
        assert!((580..=620).contains(&voiced(&in_noise).as_millis()), "{:?}", voiced(&in_noise));
        assert_eq!(voiced(&noise(0.3, 1_000)), Duration::from_secs(1), "speech without a pause is speech");
    }
}
