//! Plays speech through one output stream that stays open.
//!
//! Opening a device takes longer than all the rest of a turn, and a sleeping device swallows the first words. So the stream is opened
//! at the press, plays silence (on PulseAudio nothing) while there is nothing to say, and is opened again only when the device is lost or
//! another one is selected. It is closed after a while without use, because even silence costs processor time every 10 ms.

mod output;
#[cfg(target_os = "linux")]
mod pulse;
mod ring;
mod source;
mod status;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::{Device, Output, Speaker};
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;

use self::output::{OutputStream, StreamKeeper};
use crate::audio_devices::{AudioHost, DeviceError, Direction, OUTPUT_FRAMES, SERVER_TIMEOUT, device_error};
use crate::blocking::run_blocking;

/// Longest wait for the name of the default output, which usually takes 1 ms. After that the open stream is kept.
const DEFAULT_OUTPUT_TIMEOUT: Duration = Duration::from_millis(300);

/// How long an unused stream stays open: long enough for follow-up questions.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest callback, in frames: 40 ms at 48 kHz.
const MAX_OUTPUT_FRAMES: u32 = 4 * OUTPUT_FRAMES;

/// The sound system's outputs, played through rodio; those of PulseAudio by its own protocol.
pub struct RodioSpeaker {
    host: Arc<AudioHost>,
    #[cfg(target_os = "linux")]
    pulse: Arc<pulse::PulseServer>,
    /// Frames per callback. Doubled after underruns, up to [`MAX_OUTPUT_FRAMES`].
    frames: AtomicU32,
    open: Arc<Mutex<Option<OpenStream>>>,
    idle_timeout: Duration,
}

/// The stream that is open.
struct OpenStream {
    /// The device that was requested; `None` for the default output.
    requested: Option<String>,
    /// The device that was opened.
    id: String,
    stream: Arc<OutputStream>,
}

impl Default for RodioSpeaker {
    fn default() -> Self {
        Self::with_idle_timeout(IDLE_TIMEOUT)
    }
}

impl RodioSpeaker {
    /// A speaker that closes its stream after `idle_timeout` without use.
    pub fn with_idle_timeout(idle_timeout: Duration) -> Self {
        Self {
            host: Arc::default(),
            #[cfg(target_os = "linux")]
            pulse: Arc::default(),
            frames: AtomicU32::new(OUTPUT_FRAMES),
            open: Arc::default(),
            idle_timeout,
        }
    }

    /// Whether the open stream can be used again for this device.
    async fn is_current(&self, open: &OpenStream, device: Option<&str>) -> bool {
        if open.stream.is_lost() || open.requested.as_deref() != device {
            return false;
        }
        let frames = self.frames.load(Ordering::Relaxed);
        if open.stream.has_underruns() && frames < MAX_OUTPUT_FRAMES {
            self.frames.store(2 * frames, Ordering::Relaxed);
            return false;
        }
        if device.is_some() {
            return true;
        }
        // Headphones may have been plugged in: sound servers make them the default, but do not move a stream that names its device.
        let host = self.host.clone();
        match run_blocking("aura-default-output", DEFAULT_OUTPUT_TIMEOUT, move || host.default_output()).await {
            Ok(Some(id)) => id == open.id,
            _ => true,
        }
    }
}

#[async_trait]
impl Speaker for RodioSpeaker {
    async fn open(&self, device: Option<&str>) -> Result<Arc<dyn Output>> {
        // Locked while opening, so that two callers do not open two streams.
        let mut open = self.open.lock().await;
        if let Some(current) = &*open {
            if self.is_current(current, device).await {
                return Ok(current.stream.clone());
            }
            if current.stream.is_lost() {
                self.host.reconnect();
            }
            *open = None;
        }
        let (sender, receiver) = oneshot::channel();
        let request = StreamRequest {
            host: self.host.clone(),
            #[cfg(target_os = "linux")]
            pulse: self.pulse.clone(),
            #[cfg(target_os = "linux")]
            runtime: tokio::runtime::Handle::current(),
            device: device.map(str::to_owned),
            frames: self.frames.load(Ordering::Relaxed),
        };
        std::thread::Builder::new()
            .name("aura-speaker".into())
            .spawn(move || run_stream(&request, sender))
            .map_err(Error::internal)?;
        let (id, stream) = match tokio::time::timeout(SERVER_TIMEOUT, receiver).await {
            Ok(Ok(opened)) => opened?,
            Ok(Err(_)) => return Err(Error::internal("the speaker thread ended unexpectedly")),
            Err(_) => {
                self.host.reconnect();
                return Err(Error::new(
                    ErrorCode::NoSpeaker,
                    "The sound system does not respond. Restart it or your computer.",
                ));
            }
        };
        let stream = Arc::new(stream);
        *open = Some(OpenStream { requested: device.map(str::to_owned), id, stream: stream.clone() });
        tokio::spawn(close_when_idle(Arc::downgrade(&self.open), Arc::downgrade(&stream), self.idle_timeout));
        Ok(stream)
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        crate::audio_devices::list(self.host.clone(), Direction::Output).await
    }
}

/// Closes the stream after `timeout` without use. Ends when the stream is closed or replaced.
async fn close_when_idle(open: Weak<Mutex<Option<OpenStream>>>, stream: Weak<OutputStream>, timeout: Duration) {
    let mut last_used = Instant::now();
    loop {
        tokio::time::sleep(timeout / 4).await;
        let Some(open) = open.upgrade() else { return };
        // Locked, so that the stream is not handed out during the check.
        let mut open = open.lock().await;
        let is_ours = |current: &&OpenStream| std::ptr::eq(Arc::as_ptr(&current.stream), stream.as_ptr());
        let Some(current) = open.as_ref().filter(is_ours) else { return };
        if Arc::strong_count(&current.stream) > 1 || current.stream.is_playing() {
            last_used = Instant::now();
        } else if last_used.elapsed() >= timeout {
            *open = None;
            return;
        }
    }
}

/// What a stream is opened with.
struct StreamRequest {
    host: Arc<AudioHost>,
    #[cfg(target_os = "linux")]
    pulse: Arc<pulse::PulseServer>,
    /// Where the tasks of a stream run.
    #[cfg(target_os = "linux")]
    runtime: tokio::runtime::Handle,
    /// `None` for the default output.
    device: Option<String>,
    /// Frames per callback.
    frames: u32,
}

impl StreamRequest {
    /// Opens a stream. Returns the device's ID, too.
    fn open(&self) -> Result<(String, OutputStream, StreamKeeper), DeviceError> {
        let device = self.host.find(Direction::Output, self.device.as_deref())?;
        #[cfg(target_os = "linux")]
        if let Some(sink) = pulse::sink_name(&device.id) {
            let opened = self.pulse.open(sink, self.frames, &self.runtime);
            let (stream, keeper) = opened.map_err(DeviceError::Failed)?;
            return Ok((device.id, stream, keeper));
        }
        let (stream, keeper) = output::open(&device, self.frames).map_err(DeviceError::Failed)?;
        Ok((device.id, stream, keeper))
    }
}

/// Opens a stream, sends it to the caller, and keeps it until the caller drops it. The device must stay on the thread that opened
/// it.
fn run_stream(request: &StreamRequest, sender: oneshot::Sender<Result<(String, OutputStream)>>) {
    let opened = request.open().or_else(|error| {
        // A device may have been replaced: try once more.
        request.host.recover(&error);
        request.open()
    });
    match opened {
        Ok((id, stream, keeper)) => {
            // When the caller has given up, the stream is dropped here and the keeper ends at once.
            let _ = sender.send(Ok((id, stream)));
            keeper.run();
        }
        Err(error) => {
            let _ = sender.send(Err(device_error(Direction::Output, request.device.as_deref(), &error)));
        }
    }
}
