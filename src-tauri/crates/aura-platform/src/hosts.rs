//! The sound system of this computer: which one answers, its devices, and what its errors mean.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aura_core::error::{Code, Error};
use aura_core::ports::Device;
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, ErrorKind, HostId, StreamConfig, SupportedBufferSize, SupportedStreamConfig};

/// A sound server that does not answer within this is taken to be out of order.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// Frames per callback that are played: 10 ms at 48 kHz. The defaults of sound servers are up to two seconds.
pub(crate) const PLAY_FRAMES: u32 = 480;

/// Frames per callback that are recorded: 20 ms at 48 kHz. PulseAudio throws away what it cannot hand over within one callback's
/// time; at 10 ms that was one sample in fifty on a computer that is merely busy.
pub(crate) const RECORD_FRAMES: u32 = 960;

/// Which way the sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a microphone.
    In,
    /// To a speaker.
    Out,
}

/// A device that was found, with the configuration it prefers.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) device: cpal::Device,
    pub(crate) config: SupportedStreamConfig,
    /// The device's stable name.
    pub(crate) id: String,
}

/// Why no device was found.
pub(crate) enum Missing {
    /// There is none, or not the one that was named.
    Device,
    /// The sound system said no.
    Refused(cpal::Error),
}

/// The sound system that answers, kept open between uses: connecting again costs up to 100 ms at every press.
#[derive(Default)]
pub(crate) struct Hosts {
    /// Held while connecting, which may take seconds.
    open: Mutex<Option<Arc<cpal::Host>>>,
    /// What is open is not to be used again.
    forgotten: AtomicBool,
}

impl Hosts {
    /// The sound system: PipeWire, else PulseAudio, else ALSA on Linux.
    fn host(&self) -> Option<Arc<cpal::Host>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.swap(false, Ordering::AcqRel) {
            *open = None;
        }
        if open.is_none() {
            *open = cpal::available_hosts().into_iter().filter(|id| worth_asking(*id)).find_map(|id| {
                match cpal::host_from_id(id) {
                    Ok(host) => Some(Arc::new(host)),
                    Err(cause) => {
                        tracing::debug!(host = id.name(), %cause, "sound system not used");
                        None
                    }
                }
            });
        }
        open.clone()
    }

    /// Forgets what is known: devices vanish and come back, and a sound server that was restarted needs a new connection. Waits for
    /// nobody, so that the runtime may call it.
    pub(crate) fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }

    /// Finds a device by its name, or the default one. Blocks.
    pub(crate) fn find(&self, way: Way, name: Option<&str>) -> Result<Found, Missing> {
        let host = self.host().ok_or(Missing::Device)?;
        let device = match name {
            None => match way {
                Way::In => host.default_input_device().filter(|device| !is_monitor(device)),
                Way::Out => host.default_output_device(),
            },
            Some(name) => {
                let all: Vec<_> = devices(&host, way).map_err(Missing::Refused)?.collect();
                let same = |device: &&cpal::Device| id(device).is_some_and(|id| id == name);
                // A computer that moved from PulseAudio to PipeWire keeps its devices' own names.
                let own = name.split_once(':').map_or(name, |(_, own)| own);
                let alike = |device: &&cpal::Device| {
                    id(device).is_some_and(|id| id.split_once(':').is_some_and(|(_, it)| it == own))
                        || label(device) == name
                };
                all.iter().find(same).or_else(|| all.iter().find(alike)).cloned()
            }
        };
        let device = device.ok_or(Missing::Device)?;
        let config = match way {
            Way::In => device.default_input_config(),
            Way::Out => device.default_output_config(),
        };
        let config = config.map_err(Missing::Refused)?;
        Ok(Found { id: id(&device).unwrap_or_default(), device, config })
    }

    /// Whether a microphone that is recording was taken away without a word: PulseAudio and PipeWire move the stream to another
    /// source then, which hears somebody else or nobody. Asked over a connection of its own, because an open one keeps to the list it
    /// has seen. Blocks.
    pub(crate) fn is_gone(&self, id: &str) -> bool {
        let Some(host) = self.host().map(|host| host.id()).filter(|host| host.name() != "ALSA") else { return false };
        let fresh = cpal::host_from_id(host).ok();
        let listed = fresh
            .and_then(|host| Some(host.devices().ok()?.any(|device| self::id(&device).is_some_and(|it| it == id))));
        // A server that does not answer now is noticed by the samples that stay away.
        listed == Some(false)
    }

    /// The name of the present default output. Blocks.
    pub(crate) fn default_output(&self) -> Option<String> {
        self.host()?.default_output_device().as_ref().and_then(id)
    }

    /// Every device of one kind, asked for anew. Blocks.
    pub(crate) fn list(&self, way: Way) -> Result<Vec<Device>, cpal::Error> {
        self.forget();
        let Some(host) = self.host() else { return Ok(Vec::new()) };
        let default = match way {
            Way::In => host.default_input_device(),
            Way::Out => host.default_output_device(),
        };
        let default = default.as_ref().and_then(id);
        let mut all: Vec<Device> = devices(&host, way)?
            .filter(|device| way == Way::Out || !is_monitor(device))
            .filter_map(|device| {
                let id = id(&device)?;
                Some(Device { label: label(&device), default: Some(&id) == default.as_ref(), id })
            })
            .collect();
        all.dedup_by(|a, b| a.id == b.id);
        Ok(all)
    }
}

fn devices(host: &cpal::Host, way: Way) -> Result<impl Iterator<Item = cpal::Device> + use<>, cpal::Error> {
    Ok(host.devices()?.filter(move |device| match way {
        Way::In => device.supports_input(),
        Way::Out => device.supports_output(),
    }))
}

fn id(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.to_string())
}

fn label(device: &cpal::Device) -> String {
    device.description().map_or_else(|_| device.to_string(), |description| description.name().to_owned())
}

/// Whether this input is a loudspeaker listened to. It is what PulseAudio calls the default microphone when there is none; recording
/// it would only hear AURA itself.
fn is_monitor(device: &cpal::Device) -> bool {
    id(device).is_some_and(|id| id.ends_with(".monitor"))
}

/// ALSA always says that it is available and then complains on standard error; it is only asked where there is a card, or a
/// configuration that leads elsewhere.
fn worth_asking(id: HostId) -> bool {
    if id.name() != "ALSA" {
        return true;
    }
    let cards = std::fs::read_to_string("/proc/asound/pcm").is_ok_and(|cards| !cards.trim().is_empty());
    // A server on another computer is only reached through ALSA; one on this computer has been asked already.
    let remote = std::env::var("PULSE_SERVER")
        .is_ok_and(|server| !server.is_empty() && !server.starts_with("unix:") && !server.starts_with('/'));
    let configured = remote || std::env::var_os("ALSA_CONFIG_PATH").is_some();
    let file = std::path::Path::new("/etc/asound.conf").exists()
        || std::env::home_dir().is_some_and(|home| home.join(".asoundrc").exists());
    cards || configured || file
}

/// The configurations to try, best first: short callbacks where the device allows them, else its own.
pub(crate) fn configs(wanted: &SupportedStreamConfig, frames: u32) -> Vec<StreamConfig> {
    let own = wanted.config();
    let allowed = match wanted.buffer_size() {
        SupportedBufferSize::Range { min, max } => (*min..=*max).contains(&frames),
        SupportedBufferSize::Unknown => true,
    };
    let short = StreamConfig { buffer_size: BufferSize::Fixed(frames), ..own };
    let own = StreamConfig { buffer_size: BufferSize::Default, ..own };
    if allowed { vec![short, own] } else { vec![own] }
}

/// Whether a stream lives on after this error.
pub(crate) fn harmless(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied)
}

/// A device that could not be opened, in words for the person.
pub(crate) fn explain(way: Way, name: Option<&str>, missing: &Missing) -> Error {
    let (code, thing) = match way {
        Way::In => (Code::NoMicrophone, "microphone"),
        Way::Out => (Code::NoSpeaker, "speaker"),
    };
    match (missing, name) {
        (Missing::Refused(cause), _) if way == Way::In && cause.kind() == ErrorKind::PermissionDenied => {
            denied().because(cause)
        }
        (Missing::Refused(cause), _) if cause.kind() == ErrorKind::DeviceBusy => {
            Error::new(code, format!("Another program keeps the {thing} for itself. Close it, then try again."))
                .because(cause)
        }
        (Missing::Refused(cause), _) if cause.kind() != ErrorKind::DeviceNotAvailable => Error::new(
            code,
            format!("The {thing} cannot be opened. Unplug it and plug it in again, or pick another in Settings."),
        )
        .because(cause),
        (_, Some(name)) => {
            let name = name.split_once(':').map_or(name, |(_, own)| own);
            Error::new(code, format!("The {thing} “{name}” is not connected. Connect it, or pick another in Settings."))
        }
        (_, None) => Error::new(
            code,
            format!("No {thing} was found. Connect one, or check the sound settings of your computer."),
        ),
    }
}

/// The operating system does not let AURA record.
fn denied() -> Error {
    let remedy = if cfg!(target_os = "macos") {
        "Allow it in System Settings, Privacy & Security, Microphone, then start AURA again."
    } else if cfg!(target_os = "windows") {
        "Allow it in Settings, Privacy & security, Microphone (also for desktop apps)."
    } else {
        "Check that you may use the sound devices (on Debian: `sudo adduser $USER audio`, then log in again)."
    };
    Error::new(Code::MicrophoneDenied, format!("AURA may not use the microphone. {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_waits_for_nobody() {
        let hosts = Hosts::default();
        let connecting = hosts.open.lock();
        hosts.forget();
        drop(connecting);
        assert!(hosts.forgotten.load(Ordering::Acquire));
    }

    #[test]
    fn says_what_to_do() {
        let refused = |kind| Missing::Refused(cpal::Error::new(kind));
        let error = explain(Way::In, None, &refused(ErrorKind::PermissionDenied));
        assert_eq!(error.code, Code::MicrophoneDenied);
        let error = explain(Way::Out, None, &refused(ErrorKind::PermissionDenied));
        assert_eq!(error.code, Code::NoSpeaker);
        let error = explain(Way::In, Some("pulseaudio:headset"), &Missing::Device);
        assert_eq!(error.code, Code::NoMicrophone);
        assert!(error.message.contains("“headset” is not connected"), "{}", error.message);
        let error = explain(Way::Out, None, &refused(ErrorKind::DeviceBusy));
        assert!(error.message.contains("Another program"), "{}", error.message);
    }

    #[test]
    fn asks_for_short_callbacks_where_they_are_allowed() {
        let config = |min, max| {
            SupportedStreamConfig::new(2, 44_100, SupportedBufferSize::Range { min, max }, cpal::SampleFormat::I16)
        };
        let tried = configs(&config(16, 8192), 480);
        assert_eq!(
            tried.iter().map(|config| config.buffer_size).collect::<Vec<_>>(),
            [BufferSize::Fixed(480), BufferSize::Default]
        );
        assert!(tried.iter().all(|config| config.sample_rate == 44_100 && config.channels == 2));
        assert_eq!(configs(&config(1024, 8192), 480).len(), 1);
    }
}
