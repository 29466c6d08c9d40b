//! A recording that is written to a WAV file by a thread of its own, so that a turn never waits for the disk.

use std::path::PathBuf;

use aura_audio::WavFile;
use tokio::sync::{mpsc, oneshot};

use super::turn::Turn;
use crate::error::{Error, Result};

/// Blocks of samples that may be queued for the disk: at least 40 s of recording.
const QUEUE: usize = 4_096;

/// A recording that is being written. Dropping it completes the file, too; the turn waits for that before it ends.
#[derive(Debug)]
pub(super) struct RecordingFile {
    samples: mpsc::Sender<Vec<i16>>,
    done: oneshot::Receiver<Result<()>>,
}

impl RecordingFile {
    /// Creates the file. [`RecordingFile::close`] reports errors. If the turn is discarded by the time the file is complete, the file is
    /// deleted.
    pub(super) fn create(path: PathBuf, rate: u32, turn: &Turn) -> Self {
        let (discard, being_written) = (turn.discard.clone(), turn.files.token());
        let (samples, mut inbox) = mpsc::channel::<Vec<i16>>(QUEUE);
        let (report, done) = oneshot::channel();
        std::thread::spawn(move || {
            let written = (|| {
                let mut file = WavFile::create(&path, rate)?;
                while let Some(block) = inbox.blocking_recv() {
                    file.write(&block)?;
                }
                file.close()
            })();
            if discard.is_cancelled() {
                let _ = std::fs::remove_file(&path);
            }
            let _ = report.send(written.map_err(Error::from));
            drop(being_written);
        });
        Self { samples, done }
    }

    /// Queues samples. Waits only while the queue is full.
    pub(super) async fn write(&self, samples: Vec<i16>) {
        // The thread ends at the first failure; `close` reports it.
        let _ = self.samples.send(samples).await;
    }

    /// Completes the file.
    ///
    /// # Errors
    /// When the file could not be written.
    pub(super) async fn close(self) -> Result<()> {
        drop(self.samples);
        self.done.await.unwrap_or_else(|cause| Err(Error::internal(cause)))
    }
}
