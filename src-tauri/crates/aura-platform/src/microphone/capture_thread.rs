//! The thread that opens the stream and keeps it: a cpal stream must stay on the thread that opened it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::{Replacement, Standby};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::slot::{CloseOnDrop, Slot};
use super::{capture, no_sound_error, pump};
use crate::audio_devices::{AudioHost, DeviceError, Direction, device_error, label};

/// Time between two checks that the microphone is still connected.
const CONNECTION_CHECK: Duration = Duration::from_secs(1);

/// Opens a microphone and keeps it until the pump ends.
pub(super) struct CaptureThread {
    pub(super) host: Arc<AudioHost>,
    /// The requested microphones, the first choice first. The default one comes last.
    pub(super) order: Vec<String>,
    /// The place in the order from which on they are tried.
    pub(super) from: usize,
    pub(super) slot: Arc<Slot>,
    pub(super) standby: Arc<Mutex<Standby>>,
}

impl CaptureThread {
    /// Runs until the pump ends. Tells `sender` when the microphone is open, or why not. Blocks.
    pub(super) fn run(self, sender: oneshot::Sender<Result<()>>) {
        let closed = CloseOnDrop(self.slot.clone());
        let (place, Opened { stream, buffer, id, label }) = match self.open() {
            Ok(opened) => opened,
            Err(error) => {
                drop(closed);
                if let Err(Err(error)) = sender.send(Err(error)) {
                    tracing::warn!(%error, "the microphone could not be opened");
                }
                return;
            }
        };
        if place > 0 {
            self.slot.set_replacement(Replacement { label, is_default: place == self.order.len() });
        }
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
            } else if !self.slot.is_busy() && self.is_outdated(place, &id) {
                self.slot.close();
            }
        }
        drop(stream);
        if status.is_lost.load(Ordering::Acquire) {
            self.host.reconnect();
        }
    }

    /// Whether another microphone would be opened now: one before this place is connected again, or another one is the default one.
    fn is_outdated(&self, place: usize, id: &str) -> bool {
        let is_default = place == self.order.len();
        (place > 0 && self.host.may_have(&self.order[..place]))
            || (is_default && self.host.default_input().is_some_and(|current| current != id))
    }

    /// Opens the first device of the order that can be used, and returns its place.
    fn open(&self) -> Result<(usize, Opened)> {
        let devices = self.order.iter().map(|id| Some(id.as_str())).chain([None]);
        let mut first_error = None;
        for (place, device) in devices.enumerate().skip(self.from) {
            match self.open_device(device) {
                Ok(opened) => return Ok((place, opened)),
                Err(error) if error.code == ErrorCode::NoMicrophone => drop(first_error.get_or_insert(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first_error.unwrap_or_else(no_sound_error))
    }

    /// Opens a device; `None`: the default one. When that fails, tries once more with a new connection and a new list of devices.
    fn open_device(&self, device: Option<&str>) -> Result<Opened> {
        let attempt = || {
            let found = self.host.find(Direction::Input, device)?;
            let (stream, buffer) = capture::open(&found).map_err(DeviceError::Failed)?;
            Ok(Opened { stream, buffer, id: found.id, label: label(&found.device) })
        };
        attempt()
            .or_else(|error| {
                self.host.recover(&error);
                attempt()
            })
            .map_err(|error| device_error(Direction::Input, device, &error))
    }
}

/// An open device.
struct Opened {
    stream: cpal::Stream,
    buffer: capture::CaptureBuffer,
    id: String,
    /// The name to show to the user.
    label: String,
}
