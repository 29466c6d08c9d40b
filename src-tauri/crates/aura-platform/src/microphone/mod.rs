//! Records from the microphone.
//!
//! Three threads take part. The sound system calls back on its own thread, which only puts samples into a ring. The capture thread
//! opens the stream and keeps it, because starting one on PulseAudio can block for seconds. The pump empties the ring, resamples to the
//! rate of speech recognition, sends the samples on, and checks that they keep coming.

mod backlog;
mod capture;
mod pump;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::{Device, Microphone, Recording};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::audio_devices::{AudioHost, DeviceError, Direction, SERVER_TIMEOUT, device_error, list};

/// Blocks that are queued for the reader at most: more than two seconds.
const MAX_QUEUED_BLOCKS: usize = 256;

/// Time between two checks that the microphone is still connected.
const CONNECTION_CHECK: Duration = Duration::from_secs(1);

/// The sound system's microphones, recorded through cpal.
#[derive(Default)]
pub struct CpalMicrophone {
    host: Arc<AudioHost>,
}

#[async_trait]
impl Microphone for CpalMicrophone {
    async fn record(&self, device: Option<&str>) -> Result<Recording> {
        let (blocks, received) = mpsc::channel(MAX_QUEUED_BLOCKS);
        let stop = CancellationToken::new();
        let (sender, opened) = oneshot::channel();
        let capture =
            CaptureThread { host: self.host.clone(), device: device.map(str::to_owned), blocks, stop: stop.clone() };
        std::thread::Builder::new()
            .name("aura-microphone".into())
            .spawn(move || capture.run(sender))
            .map_err(Error::internal)?;
        let pump = match tokio::time::timeout(SERVER_TIMEOUT, opened).await {
            Ok(Ok(Ok(pump))) => pump,
            Ok(Ok(Err(error))) => return Err(error),
            Ok(Err(_)) => return Err(Error::internal("the microphone thread ended unexpectedly")),
            Err(_) => {
                stop.cancel();
                return Err(no_sound_error());
            }
        };
        // The pump sleeps between callbacks; a stop must not wait for the next one.
        let stopped = stop.clone();
        tokio::spawn(async move {
            stopped.cancelled().await;
            pump.unpark();
        });
        Ok(Recording::new(received, stop))
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        list(self.host.clone(), Direction::Input).await
    }
}

/// The microphone delivered no samples.
fn no_sound_error() -> Error {
    Error::new(
        ErrorCode::NoMicrophone,
        "The microphone delivers no sound. Check that it is connected and switched on, or choose another one in Settings.",
    )
}

/// Opens the stream and keeps it until the recording ends. A cpal stream must stay on the thread that opened it.
struct CaptureThread {
    host: Arc<AudioHost>,
    /// The requested microphone; `None` for the default one.
    device: Option<String>,
    blocks: mpsc::Sender<Result<Vec<i16>>>,
    stop: CancellationToken,
}

impl CaptureThread {
    fn run(self, sender: oneshot::Sender<Result<std::thread::Thread>>) {
        let (stream, buffer, id) = match self.open() {
            Ok(opened) => opened,
            Err(error) => {
                let _ = sender.send(Err(error));
                return;
            }
        };
        // Nothing is sent: the channel closes when the pump ends.
        let (pump_lives, pump_ended) = sync_channel::<()>(0);
        let status = buffer.status.clone();
        let pump = pump::Pump::new(buffer, self.blocks, self.stop.clone());
        let pump = std::thread::Builder::new().name("aura-microphone-pump".into()).spawn(move || {
            pump.run();
            drop(pump_lives);
        });
        match pump {
            Ok(pump) => {
                status.set_pump(pump.thread().clone());
                // A caller that gave up has cancelled the token, which ends the pump.
                let _ = sender.send(Ok(pump.thread().clone()));
            }
            Err(cause) => {
                let _ = sender.send(Err(Error::internal(cause)));
                return;
            }
        }
        if let Err(cause) = cpal::traits::StreamTrait::play(&stream) {
            tracing::warn!(%cause, "the microphone could not be started");
            status.fail(cause);
        }
        // The pump ends when the recording is stopped, lost, or dropped by its reader.
        while pump_ended.recv_timeout(CONNECTION_CHECK) == Err(RecvTimeoutError::Timeout) {
            if self.host.is_gone(&id) {
                status.fail(cpal::ErrorKind::DeviceNotAvailable.into());
            }
        }
        drop(stream);
        if status.is_lost.load(Ordering::Acquire) {
            self.host.reconnect();
        }
    }

    /// Opens the device. When that fails, tries once more with a new connection and a new list of devices.
    fn open(&self) -> Result<(cpal::Stream, capture::CaptureBuffer, String)> {
        let attempt = || {
            let device = self.host.find(Direction::Input, self.device.as_deref())?;
            let (stream, buffer) = capture::open(&device).map_err(DeviceError::Failed)?;
            Ok((stream, buffer, device.id))
        };
        attempt()
            .or_else(|error| {
                self.host.recover(&error);
                attempt()
            })
            .map_err(|error| device_error(Direction::Input, self.device.as_deref(), &error))
    }
}
