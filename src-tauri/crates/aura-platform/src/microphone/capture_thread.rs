//! The thread that opens the stream and keeps it: a cpal stream must stay on the thread that opened it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use aura_core::error::{Error, Result};
use aura_core::ports::Standby;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::slot::{CloseOnDrop, Slot};
use super::{capture, pump};
use crate::audio_devices::{AudioHost, DeviceError, Direction, device_error};

/// Time between two checks that the microphone is still connected.
const CONNECTION_CHECK: Duration = Duration::from_secs(1);

/// Opens a microphone and keeps it until the pump ends.
pub(super) struct CaptureThread {
    pub(super) host: Arc<AudioHost>,
    /// The requested microphone; `None` for the default one.
    pub(super) device: Option<String>,
    pub(super) slot: Arc<Slot>,
    pub(super) standby: Arc<Mutex<Standby>>,
}

impl CaptureThread {
    /// Runs until the pump ends. Tells `sender` when the microphone is open, or why not. Blocks.
    pub(super) fn run(self, sender: oneshot::Sender<Result<()>>) {
        let closed = CloseOnDrop(self.slot.clone());
        let (stream, buffer, id) = match self.open() {
            Ok(opened) => opened,
            Err(error) => {
                drop(closed);
                if let Err(Err(error)) = sender.send(Err(error)) {
                    tracing::warn!(%error, "the microphone could not be opened");
                }
                return;
            }
        };
        // Nothing is sent: the channel closes when the pump ends.
        let (pump_lives, pump_ended) = sync_channel::<()>(0);
        let status = buffer.status.clone();
        let pump = pump::Pump::new(buffer, self.slot.clone(), self.standby.clone());
        let pump = std::thread::Builder::new().name("aura-microphone-pump".into()).spawn(move || {
            pump.run();
            drop((closed, pump_lives));
        });
        match pump {
            Ok(pump) => {
                status.set_pump(pump.thread().clone());
                self.slot.set_pump(pump.thread().clone());
                // Nobody waits for a microphone that only stands by.
                let _ = sender.send(Ok(()));
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
        // The pump ends when its recording has ended and no other one is expected, or the device is lost.
        while pump_ended.recv_timeout(CONNECTION_CHECK) == Err(RecvTimeoutError::Timeout) {
            if self.host.is_gone(&id) {
                status.fail(cpal::ErrorKind::DeviceNotAvailable.into());
            } else if self.is_replaced(&id) {
                self.slot.close();
            }
        }
        drop(stream);
        if status.is_lost.load(Ordering::Acquire) {
            self.host.reconnect();
        }
    }

    /// Whether another microphone is the default one now, while this one only stands by.
    fn is_replaced(&self, id: &str) -> bool {
        self.device.is_none() && !self.slot.is_busy() && self.host.default_input().is_some_and(|current| current != id)
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
