//! The volume, by the programs that come with PipeWire and PulseAudio.

use std::process::{Command, Stdio};

use aura_core::error::{Error, ErrorCode, Result};

use crate::opener::session_variables;

/// A program that sets the volume of the default speaker.
enum Mixer {
    WirePlumber,
    PulseAudio,
}

impl Mixer {
    /// The one that is installed.
    fn find() -> Result<Self> {
        let is_there = |name| which::which(name).is_ok();
        // Without the daemon of its session, `wpctl` fails; PulseAudio's program then still works.
        match (is_there("pactl"), is_there("wpctl")) {
            (true, _) => Ok(Self::PulseAudio),
            (false, true) => Ok(Self::WirePlumber),
            (false, false) => {
                let message = "AURA needs the program `pactl` or `wpctl` to set the volume. Install pulseaudio-utils or wireplumber.";
                Err(Error::new(ErrorCode::Desktop, message))
            }
        }
    }

    fn run(&self, arguments: [&str; 2], value: Option<&str>) -> Result<String> {
        let program = match self {
            Self::WirePlumber => "wpctl",
            Self::PulseAudio => "pactl",
        };
        let failed = |cause: String| {
            let message = "The volume cannot be set: the sound server does not answer. Check that the sound works, then try again.";
            Error::new(ErrorCode::Desktop, message).because(cause)
        };
        let mut command = Command::new(program);
        command.env_clear().envs(session_variables()).env("LC_ALL", "C").stdin(Stdio::null());
        let output = command.args(arguments).args(value).output().map_err(|cause| failed(cause.to_string()))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }
}

/// Sets the volume, in percent.
pub(super) fn set(percent: u32) -> Result<()> {
    let percent = format!("{percent}%");
    let mixer = Mixer::find()?;
    let arguments = match mixer {
        Mixer::WirePlumber => ["set-volume", "@DEFAULT_AUDIO_SINK@"],
        Mixer::PulseAudio => ["set-sink-volume", "@DEFAULT_SINK@"],
    };
    mixer.run(arguments, Some(&percent)).map(drop)
}

/// The volume, in percent.
pub(super) fn get() -> Result<u32> {
    let mixer = Mixer::find()?;
    let arguments = match mixer {
        Mixer::WirePlumber => ["get-volume", "@DEFAULT_AUDIO_SINK@"],
        Mixer::PulseAudio => ["get-sink-volume", "@DEFAULT_SINK@"],
    };
    let told = mixer.run(arguments, None)?;
    read(&told).ok_or_else(|| Error::new(ErrorCode::Desktop, "The sound server does not tell the volume."))
}

/// Reads the first percentage, or a factor after `Volume:`.
fn read(told: &str) -> Option<u32> {
    let mut words = told.split_whitespace();
    if let Some(percent) = words.clone().find_map(|word| word.strip_suffix('%')?.parse().ok()) {
        return Some(percent);
    }
    let factor: f64 = words.find_map(|word| word.parse().ok())?;
    Some((factor * 100.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_is_read_as_both_programs_tell_it() {
        assert_eq!(
            read("Volume: front-left: 26214 /  40% / -23.88 dB,   front-right: 26214 /  40% / -23.88 dB"),
            Some(40)
        );
        assert_eq!(read("Volume: 0.45 [MUTED]\n"), Some(45));
        assert_eq!(read("Failure: No such entity"), None);
    }
}
