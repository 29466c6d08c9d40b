//! Records from the microphone.
//!
//! Three threads take part. The sound system calls back on its own thread, which only puts samples into a ring. The capture thread
//! opens the stream and keeps it, because starting one on PulseAudio can block for seconds. The pump empties the ring, resamples to the
//! rate of speech recognition, sends the samples on, and checks that they keep coming.
//!
//! The stream stays open between recordings as long as [`Standby`] says. The pump then drops what it reads, or keeps the last half second.

mod backlog;
mod capture;
mod capture_thread;
mod pump;
mod slot;

use std::sync::Arc;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::{Device, Microphone, Recording, Standby};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::capture_thread::CaptureThread;
use self::slot::{RecordingRequest, Slot};
use crate::audio_devices::{AudioHost, Direction, SERVER_TIMEOUT, list};

/// Blocks that are queued for the reader at most: more than two seconds.
const MAX_QUEUED_BLOCKS: usize = 256;

/// The sound system's microphones, recorded through cpal.
pub struct CpalMicrophone {
    host: Arc<AudioHost>,
    open: Mutex<Option<OpenMicrophone>>,
    standby: Arc<Mutex<Standby>>,
}

/// A microphone whose stream may be open between recordings.
struct OpenMicrophone {
    /// The microphones that were requested, the first choice first; none: the default one.
    order: Vec<String>,
    slot: Arc<Slot>,
}

impl Default for CpalMicrophone {
    /// A microphone that is closed apart from recordings, before [`Microphone::stand_by`] says something else.
    fn default() -> Self {
        Self { host: Arc::default(), open: Mutex::default(), standby: Arc::new(Mutex::new(Standby::Off)) }
    }
}

impl CpalMicrophone {
    /// Hands the request to the open microphone. Gives it back when that was opened for another order, is busy or closed.
    fn reuse(&self, order: &[String], request: RecordingRequest) -> Result<Arc<Slot>, RecordingRequest> {
        match &*self.open.lock() {
            Some(open) if open.order == order => open.slot.offer(request).map_or_else(|| Ok(open.slot.clone()), Err),
            _ => Err(request),
        }
    }

    /// Opens a microphone of the order, from this place on, on a thread of its own. It is the one that stays open, unless another one is busy.
    /// The receiver is told when it is open, or why not.
    fn start(
        &self,
        order: &[String],
        from: usize,
        request: Option<RecordingRequest>,
    ) -> Result<(Arc<Slot>, oneshot::Receiver<Result<()>>)> {
        let slot = Arc::new(Slot::new(request));
        let mut open = self.open.lock();
        let is_kept = open.as_ref().is_none_or(|open| open.slot.close());
        let standby = if is_kept { self.standby.clone() } else { Arc::new(Mutex::new(Standby::Off)) };
        if is_kept {
            *open = Some(OpenMicrophone { order: order.to_owned(), slot: slot.clone() });
        }
        drop(open);
        let (sender, opened) = oneshot::channel();
        let capture =
            CaptureThread { host: self.host.clone(), order: order.to_owned(), from, slot: slot.clone(), standby };
        std::thread::Builder::new()
            .name("aura-microphone".into())
            .spawn(move || capture.run(sender))
            .map_err(Error::internal)?;
        Ok((slot, opened))
    }

    /// Starts a recording with a microphone of the order, from this place on. `None` when the sound system does not answer.
    async fn begin(&self, order: &[String], from: usize) -> Result<Option<Recording>> {
        let (blocks, received) = mpsc::channel(MAX_QUEUED_BLOCKS);
        let stop = CancellationToken::new();
        let request = RecordingRequest { blocks, stop: stop.clone() };
        let slot = match self.reuse(order, request) {
            Ok(slot) => slot,
            Err(request) => {
                let (slot, opened) = self.start(order, from, Some(request))?;
                match tokio::time::timeout(SERVER_TIMEOUT, opened).await {
                    Ok(Ok(opened)) => opened?,
                    Ok(Err(_)) => return Err(Error::internal("the microphone thread ended unexpectedly")),
                    Err(_) => {
                        slot.abandon();
                        return Ok(None);
                    }
                }
                slot
            }
        };
        let replacement = slot.replacement();
        // The pump sleeps between callbacks; a stop must not wait for the next one.
        let stopped = stop.clone();
        tokio::spawn(async move {
            stopped.cancelled().await;
            slot.wake();
        });
        Ok(Some(Recording::new(received, stop).replaced_by(replacement)))
    }
}

#[async_trait]
impl Microphone for CpalMicrophone {
    async fn record(&self, order: &[String]) -> Result<Recording> {
        if let Some(recording) = self.begin(order, 0).await? {
            return Ok(recording);
        }
        // The default one may answer where a chosen one does not.
        let other = if order.is_empty() { None } else { self.begin(order, order.len()).await? };
        other.ok_or_else(no_sound_error)
    }

    fn stand_by(&self, order: &[String], standby: Standby) {
        *self.standby.lock() = standby;
        {
            let mut open = self.open.lock();
            if open.as_ref().is_some_and(|open| open.order != order && open.slot.close()) {
                *open = None;
            }
            let is_open = open.as_ref().is_some_and(|open| !open.slot.is_closed());
            if is_open || standby != Standby::Always {
                return;
            }
        }
        if let Err(error) = self.start(order, 0, None) {
            tracing::warn!(%error, "the microphone could not be opened");
        }
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        list(self.host.clone(), Direction::Input).await
    }
}

impl Drop for CpalMicrophone {
    fn drop(&mut self) {
        if let Some(open) = self.open.get_mut() {
            open.slot.close();
        }
    }
}

/// The microphone delivered no samples.
fn no_sound_error() -> Error {
    Error::new(
        ErrorCode::NoMicrophone,
        "The microphone delivers no sound. Check that it is connected and switched on, or choose another one in Settings.",
    )
}
