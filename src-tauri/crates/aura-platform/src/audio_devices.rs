//! The sound system of this computer: which one is used, its devices, and what its errors mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::Device;
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, ErrorKind, HostId, StreamConfig, SupportedBufferSize, SupportedStreamConfig};
use parking_lot::Mutex;

use crate::blocking::{BlockingError, run_blocking};

/// A sound server that takes longer to answer is considered out of order.
pub(crate) const SERVER_TIMEOUT: Duration = Duration::from_secs(4);

/// Frames per playback callback: 10 ms at 48 kHz. The defaults of sound servers are up to 2 s. With 5 ms a sound server on two busy cores left
/// gaps in the sound.
pub(crate) const OUTPUT_FRAMES: u32 = 480;

/// Frames per recording callback: 20 ms at 48 kHz. PulseAudio drops samples that it cannot deliver within the time of one callback; at
/// 10 ms it dropped one sample in fifty on a moderately busy computer.
pub(crate) const INPUT_FRAMES: u32 = 960;

/// The direction of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a microphone.
    Input,
    /// To a speaker.
    Output,
}

/// A device that was found, with the configuration it prefers.
#[derive(Clone)]
pub(crate) struct AudioDevice {
    /// The device as cpal knows it.
    pub(crate) device: cpal::Device,
    /// The device's preferred format, rate, channels and buffer sizes.
    pub(crate) config: SupportedStreamConfig,
    /// The device's stable name.
    pub(crate) id: String,
}

/// Why a device cannot be used.
pub(crate) enum DeviceError {
    /// There is no device, or none with the requested name.
    NotFound,
    /// The sound system returned an error.
    Failed(cpal::Error),
}

/// A connection to the sound system, kept between uses: connecting again costs up to 100 ms at every press.
#[derive(Default)]
pub(crate) struct AudioHost {
    /// The open connection. Locked while connecting, which may take seconds.
    host: Mutex<Option<Arc<cpal::Host>>>,
    /// The next use needs a new list of devices.
    is_stale: AtomicBool,
    /// The next use connects again.
    is_broken: AtomicBool,
}

impl AudioHost {
    /// The sound system; on Linux PipeWire, else PulseAudio, else ALSA. Blocks.
    fn host(&self) -> Option<Arc<cpal::Host>> {
        let mut host = self.host.lock();
        let is_stale = self.is_stale.swap(false, Ordering::AcqRel);
        let is_broken = self.is_broken.swap(false, Ordering::AcqRel);
        if is_broken || (is_stale && !host.as_ref().is_some_and(|host| lists_anew(host) && host.devices().is_ok())) {
            *host = None;
        }
        if host.is_none() {
            *host =
                cpal::available_hosts().into_iter().filter(|id| is_usable(*id)).find_map(
                    |id| match cpal::host_from_id(id) {
                        Ok(host) => Some(Arc::new(host)),
                        Err(cause) => {
                            tracing::debug!(host = id.name(), %cause, "this sound system is not available");
                            None
                        }
                    },
                );
        }
        host.clone()
    }

    /// Makes the next use list the devices anew, because devices come and go. Never blocks.
    pub(crate) fn invalidate(&self) {
        self.is_stale.store(true, Ordering::Release);
    }

    /// Makes the next use connect again, because sound servers restart and hang. Never blocks.
    pub(crate) fn reconnect(&self) {
        self.is_broken.store(true, Ordering::Release);
    }

    /// Prepares another attempt after one that failed: a device that was not found needs a new list, everything else a new connection. Never
    /// blocks.
    pub(crate) fn recover(&self, from: &DeviceError) {
        match from {
            DeviceError::NotFound => self.invalidate(),
            DeviceError::Failed(_) => self.reconnect(),
        }
    }

    /// Finds the named device, or the default one. Blocks.
    pub(crate) fn find(&self, direction: Direction, name: Option<&str>) -> Result<AudioDevice, DeviceError> {
        let host = self.host().ok_or(DeviceError::NotFound)?;
        let device = match name {
            None => match direction {
                Direction::Input => host.default_input_device().filter(|device| !is_monitor(device)),
                Direction::Output => host.default_output_device(),
            },
            Some(name) => {
                let all: Vec<_> = devices(&host, direction).map_err(DeviceError::Failed)?.collect();
                let has_id = |device: &&cpal::Device| id(device).is_some_and(|id| id == name);
                all.iter().find(has_id).or_else(|| all.iter().find(|device| is_named(device, name))).cloned()
            }
        };
        let device = device.ok_or(DeviceError::NotFound)?;
        let config = match direction {
            Direction::Input => device.default_input_config(),
            Direction::Output => device.default_output_config(),
        };
        let config = config.map_err(DeviceError::Failed)?;
        Ok(AudioDevice { id: id(&device).unwrap_or_default(), device, config })
    }

    /// Whether a microphone was disconnected while it records. PulseAudio and PipeWire then move the stream to another source without
    /// an error, which records something else or silence. Blocks.
    pub(crate) fn is_gone(&self, device_id: &str) -> bool {
        // A server that does not answer is detected by the callbacks that stop.
        self.connected().is_some_and(|all| !all.iter().any(|device| id(device).is_some_and(|id| id == device_id)))
    }

    /// Whether one of these microphones is connected, or may be. Blocks.
    pub(crate) fn may_have(&self, names: &[String]) -> bool {
        self.connected().is_none_or(|all| {
            let is_wanted = |device: &cpal::Device| names.iter().any(|name| is_named(device, name));
            all.iter().any(|device| device.supports_input() && is_wanted(device))
        })
    }

    /// The devices that there are now; `None` when that cannot be told while one of them is open. Blocks.
    fn connected(&self) -> Option<Vec<cpal::Device>> {
        let host = self.host().filter(|host| host.id().name() != "ALSA")?;
        let listed = if lists_anew(&host) {
            host.devices()
        } else {
            cpal::host_from_id(host.id()).and_then(|host| host.devices())
        };
        listed.ok().map(Iterator::collect)
    }

    /// The ID of the current default microphone. Blocks.
    pub(crate) fn default_input(&self) -> Option<String> {
        self.host()?.default_input_device().as_ref().and_then(id)
    }

    /// The id of the current default output. Blocks.
    pub(crate) fn default_output(&self) -> Option<String> {
        self.host()?.default_output_device().as_ref().and_then(id)
    }

    /// All devices of one direction, listed anew. Blocks.
    pub(crate) fn list(&self, direction: Direction) -> Result<Vec<Device>, cpal::Error> {
        self.invalidate();
        let Some(host) = self.host() else { return Ok(Vec::new()) };
        let default = match direction {
            Direction::Input => host.default_input_device(),
            Direction::Output => host.default_output_device(),
        };
        let default = default.as_ref().and_then(id);
        let mut all: Vec<Device> = devices(&host, direction)?
            .filter(|device| direction == Direction::Output || !is_monitor(device))
            .filter_map(|device| {
                let id = id(&device)?;
                Some(Device { label: label(&device), default: Some(&id) == default.as_ref(), id })
            })
            .collect();
        all.dedup_by(|a, b| a.id == b.id);
        Ok(all)
    }
}

/// All devices of one direction, listed anew on a thread of its own.
///
/// # Errors
/// The sound system fails, or does not answer within [`SERVER_TIMEOUT`].
pub(crate) async fn list(host: Arc<AudioHost>, direction: Direction) -> Result<Vec<Device>> {
    match run_blocking("aura-devices", SERVER_TIMEOUT, move || host.list(direction)).await {
        Ok(Ok(devices)) => Ok(devices),
        Ok(Err(cause)) => Err(device_error(direction, None, &DeviceError::Failed(cause))),
        Err(BlockingError::TimedOut) => {
            let code = match direction {
                Direction::Input => ErrorCode::NoMicrophone,
                Direction::Output => ErrorCode::NoSpeaker,
            };
            Err(Error::new(code, "The sound system does not respond. Restart it or your computer."))
        }
        Err(BlockingError::ThreadFailed) => {
            Err(Error::internal("the thread that lists audio devices ended unexpectedly"))
        }
    }
}

/// Whether an open connection lists the devices that there are now. One to PulseAudio does, and is kept while the server answers: dropped,
/// it may stay open (pulseaudio 0.3.2 does not end its thread), and the server admits only 64. The others keep their first list.
fn lists_anew(host: &cpal::Host) -> bool {
    host.id().name() == "PulseAudio"
}

fn devices(host: &cpal::Host, direction: Direction) -> Result<impl Iterator<Item = cpal::Device> + use<>, cpal::Error> {
    Ok(host.devices()?.filter(move |device| match direction {
        Direction::Input => device.supports_input(),
        Direction::Output => device.supports_output(),
    }))
}

fn id(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.to_string())
}

/// Whether a device goes by this name: its ID, the same of another sound system, or its label. The part of an ID after the colon stays the
/// same when a computer moves from PulseAudio to PipeWire.
fn is_named(device: &cpal::Device, name: &str) -> bool {
    let own_name = name.split_once(':').map_or(name, |(_, own)| own);
    id(device).is_some_and(|id| id.split_once(':').is_some_and(|(_, own)| own == own_name)) || label(device) == name
}

/// The name of a device to show to the user.
pub(crate) fn label(device: &cpal::Device) -> String {
    device.description().map_or_else(|_| device.to_string(), |description| description.name().to_owned())
}

/// Whether this input records what a speaker plays. PulseAudio makes such an input the default when no microphone is connected;
/// recording it would only capture AURA's own answers.
fn is_monitor(device: &cpal::Device) -> bool {
    id(device).is_some_and(|id| id.ends_with(".monitor"))
}

/// Whether to try a sound system. cpal always lists ALSA, which prints errors when there is no sound card; so ALSA is tried only with
/// a card, or with a configuration that leads to another computer.
fn is_usable(id: HostId) -> bool {
    if id.name() != "ALSA" {
        return true;
    }
    let has_card = std::fs::read_to_string("/proc/asound/pcm").is_ok_and(|cards| !cards.trim().is_empty());
    // cpal reaches a PulseAudio server on another computer only through ALSA. A local one was tried before.
    let is_remote = std::env::var("PULSE_SERVER")
        .is_ok_and(|server| !server.is_empty() && !server.starts_with("unix:") && !server.starts_with('/'));
    let is_configured = std::env::var_os("ALSA_CONFIG_PATH").is_some()
        || std::path::Path::new("/etc/asound.conf").exists()
        || std::env::home_dir().is_some_and(|home| home.join(".asoundrc").exists());
    has_card || is_remote || is_configured
}

/// The configurations to try, best first: callbacks of `frames` where the device allows them, else its default size.
pub(crate) fn stream_configs(preferred: &SupportedStreamConfig, frames: u32) -> Vec<StreamConfig> {
    let config = preferred.config();
    let is_allowed = match preferred.buffer_size() {
        SupportedBufferSize::Range { min, max } => (*min..=*max).contains(&frames),
        SupportedBufferSize::Unknown => true,
    };
    let short = StreamConfig { buffer_size: BufferSize::Fixed(frames), ..config };
    let default = StreamConfig { buffer_size: BufferSize::Default, ..config };
    if is_allowed { vec![short, default] } else { vec![default] }
}

/// Whether a stream continues after this error.
pub(crate) fn is_recoverable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied)
}

/// The error for the user when a device cannot be opened. `name` is the requested device; `None` for the default one.
pub(crate) fn device_error(direction: Direction, name: Option<&str>, error: &DeviceError) -> Error {
    let (code, thing) = match direction {
        Direction::Input => (ErrorCode::NoMicrophone, "microphone"),
        Direction::Output => (ErrorCode::NoSpeaker, "speaker"),
    };
    match (error, name) {
        (DeviceError::Failed(cause), _)
            if direction == Direction::Input && cause.kind() == ErrorKind::PermissionDenied =>
        {
            permission_denied().because(cause)
        }
        (DeviceError::Failed(cause), _) if cause.kind() == ErrorKind::DeviceBusy => {
            Error::new(code, format!("Another program is using the {thing}. Close that program, then try again."))
                .because(cause)
        }
        (DeviceError::Failed(cause), _) if cause.kind() != ErrorKind::DeviceNotAvailable => Error::new(
            code,
            format!("AURA cannot open the {thing}. Unplug it and plug it in again, or choose another one in Settings."),
        )
        .because(cause),
        (_, Some(name)) => {
            let name = name.split_once(':').map_or(name, |(_, own)| own);
            Error::new(
                code,
                format!("The {thing} “{name}” is not connected. Connect it, or choose another one in Settings."),
            )
        }
        (_, None) => {
            Error::new(code, format!("No {thing} was found. Connect one, or check your computer's sound settings."))
        }
    }
}

/// The operating system does not let AURA record.
fn permission_denied() -> Error {
    let remedy = if cfg!(target_os = "macos") {
        "Allow it in System Settings, Privacy & Security, Microphone, then restart AURA."
    } else if cfg!(target_os = "windows") {
        "Allow it in Settings, Privacy & security, Microphone (also for desktop apps)."
    } else {
        "Check that your user may use the sound devices (on Debian: `sudo adduser $USER audio`, then log in again)."
    };
    Error::new(ErrorCode::MicrophoneDenied, format!("AURA is not allowed to use the microphone. {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalidating_does_not_wait_for_a_connection_in_progress() {
        let host = AudioHost::default();
        let connecting = host.host.lock();
        host.invalidate();
        drop(connecting);
        assert!(host.is_stale.load(Ordering::Acquire));
    }

    #[test]
    fn device_errors_say_what_to_do() {
        let failed = |kind| DeviceError::Failed(cpal::Error::new(kind));
        let error = device_error(Direction::Input, None, &failed(ErrorKind::PermissionDenied));
        assert_eq!(error.code, ErrorCode::MicrophoneDenied);
        let error = device_error(Direction::Output, None, &failed(ErrorKind::PermissionDenied));
        assert_eq!(error.code, ErrorCode::NoSpeaker);
        let error = device_error(Direction::Input, Some("pulseaudio:headset"), &DeviceError::NotFound);
        assert_eq!(error.code, ErrorCode::NoMicrophone);
        assert!(error.message.contains("“headset” is not connected"), "{}", error.message);
        let error = device_error(Direction::Output, None, &failed(ErrorKind::DeviceBusy));
        assert!(error.message.contains("Another program"), "{}", error.message);
    }

    #[test]
    fn short_callbacks_are_tried_first_where_the_device_allows_them() {
        let config = |min, max| {
            SupportedStreamConfig::new(2, 44_100, SupportedBufferSize::Range { min, max }, cpal::SampleFormat::I16)
        };
        let tried = stream_configs(&config(16, 8192), 480);
        assert_eq!(
            tried.iter().map(|config| config.buffer_size).collect::<Vec<_>>(),
            [BufferSize::Fixed(480), BufferSize::Default]
        );
        assert!(tried.iter().all(|config| config.sample_rate == 44_100 && config.channels == 2));
        assert_eq!(stream_configs(&config(1024, 8192), 480).len(), 1);
    }
}
