//! The real microphone adapter against a real sound server.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::{Duration, Instant};

use aura_core::audio::{SPEECH_RATE, rms};
use aura_core::error::Code;
use aura_core::ports::{Microphone, Recording};
use aura_platform::SoundMicrophone;
use aura_tests::process::{in_own_process, wait_until};
use aura_tests::sound::{self, with_sound};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// Records so many milliseconds.
async fn listen(recording: &mut Recording, ms: usize) -> Vec<i16> {
    let mut samples = Vec::new();
    while samples.len() < ms * SPEECH_RATE as usize / 1000 {
        let block = recording.next().await.unwrap().unwrap();
        assert!(!block.is_empty() && block.len() <= 640, "a block of {}", block.len());
        samples.extend(block);
    }
    samples
}

/// How strong a frequency is, 0..=1.
fn strength(samples: &[i16], frequency: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = std::f64::consts::TAU * frequency * n as f64 / f64::from(SPEECH_RATE);
        re += f64::from(*sample) / 32768.0 * angle.cos();
        im += f64::from(*sample) / 32768.0 * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f64
}

/// The server soon has no stream of ours.
fn nothing_is_open() {
    let closed = || !sound::pactl(&["list", "source-outputs"]).contains("cpal");
    assert!(wait_until(Duration::from_secs(30), closed), "still open:\n{}", sound::pactl(&["list", "source-outputs"]));
}

#[test]
fn hears_what_is_said_and_stops() {
    with_sound("hears_what_is_said_and_stops", || {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let tone = folder.path().join("tone.wav");
            sound::make_file(&tone, 44_100, 1, "synth 250 sine 440 gain -6");
            let _playing = sound::play_into_microphone(&tone);

            let microphone = SoundMicrophone::default();
            let mut first_ms = Vec::new();
            let (mut clean, mut heard) = (0, Vec::new());
            // A busy computer tears holes into a recording, here and there: a wrong rate or wrong channels spoil each of them.
            for _ in 0..30 {
                let begun = Instant::now();
                let mut recording = microphone.record(None).await.unwrap();
                let mut samples = recording.next().await.unwrap().unwrap();
                first_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
                samples.extend(listen(&mut recording, 600).await);
                let stopped = Instant::now();
                recording.stop();
                let rest = async {
                    while let Some(block) = recording.next().await {
                        samples.extend(block.unwrap());
                    }
                };
                tokio::time::timeout(Duration::from_secs(30), rest).await.expect("it records on after the stop");
                eprintln!("the end took {:.1} ms", stopped.elapsed().as_secs_f64() * 1000.0);
                let (tone, other) = (strength(&samples, 440.0), strength(&samples, 1000.0));
                heard.push(format!("440 Hz {tone:.3}, 1000 Hz {other:.3}"));
                // PulseAudio halves mono that is played on two channels.
                clean += usize::from((0.15..0.27).contains(&tone) && other < 0.02);
                if clean == 4 {
                    break;
                }
            }
            assert_eq!(clean, 4, "{heard:#?}");
            eprintln!("first recording: open to first block {:.0} ms", first_ms.remove(0));
            first_ms.sort_by(f64::total_cmp);
            eprintln!("next {}: p50 {:.0} ms, all {first_ms:.0?}", first_ms.len(), first_ms[first_ms.len() / 2]);
            nothing_is_open();
        });
    });
}

#[test]
fn lists_and_picks_devices() {
    with_sound("lists_and_picks_devices", || {
        run(async {
            let microphone = SoundMicrophone::default();
            let devices = microphone.devices().await.unwrap();
            eprintln!("{devices:?}");
            assert_eq!(devices.iter().filter(|device| device.default).count(), 1);
            let default = devices.iter().find(|device| device.default).unwrap();
            assert_eq!(default.label, "Microphone");
            assert!(devices.iter().all(|device| !device.id.ends_with(".monitor")), "a loudspeaker is no microphone");

            // By its name, by the name that another sound system gave it, and by its label.
            for name in [default.id.as_str(), "pipewire:microphone", "Microphone"] {
                let mut recording = microphone.record(Some(name)).await.unwrap();
                assert!(recording.next().await.unwrap().is_ok(), "{name}");
            }
            let error = microphone.record(Some("pulseaudio:headset")).await.unwrap_err();
            assert_eq!(error.code, Code::NoMicrophone);
            assert!(error.message.contains("“headset” is not connected"), "{}", error.message);
        });
    });
}

#[test]
fn a_computer_without_a_microphone_says_so() {
    with_sound("a_computer_without_a_microphone_says_so", || {
        run(async {
            // What PulseAudio does when the last microphone is unplugged: a loudspeaker becomes the source.
            sound::pactl(&["unload-module", "module-remap-source"]);
            let error = SoundMicrophone::default().record(None).await.unwrap_err();
            assert_eq!(error.code, Code::NoMicrophone, "{error:?}");
            assert!(error.message.contains("Connect one"), "{}", error.message);
        });
    });
}

#[test]
fn no_sound_system_at_all() {
    let nowhere = || {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().as_os_str().to_owned();
        let environment = vec![
            ("HOME", home.clone()),
            ("XDG_RUNTIME_DIR", home.clone()),
            ("PULSE_SERVER", "unix:/nowhere".into()),
            ("PIPEWIRE_RUNTIME_DIR", home),
        ];
        (folder, environment)
    };
    in_own_process("no_sound_system_at_all", nowhere, || {
        run(async {
            let error = SoundMicrophone::default().record(None).await.unwrap_err();
            assert_eq!(error.code, Code::NoMicrophone, "{error:?}");
        });
    });
}

#[test]
fn a_microphone_that_vanishes_is_one_error_and_comes_back() {
    with_sound("a_microphone_that_vanishes_is_one_error_and_comes_back", || {
        run(async {
            let microphone = SoundMicrophone::default();
            let mut recording = microphone.record(None).await.unwrap();
            listen(&mut recording, 300).await;
            sound::crash();
            let crashed = Instant::now();
            let mut errors = Vec::new();
            while let Some(block) = recording.next().await {
                errors.extend(block.err());
            }
            eprintln!("lost after {:.0} ms", crashed.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), [Code::MicrophoneLost], "{errors:?}");
            assert!(microphone.record(None).await.is_err());

            let _server = sound::restart();
            let mut again = microphone.record(None).await.unwrap();
            let block = again.next().await.unwrap().unwrap();
            assert!(rms(&block) < 0.01);
        });
    });
}

#[test]
fn dropping_the_recording_frees_the_device() {
    with_sound("dropping_the_recording_frees_the_device", || {
        run(async {
            let microphone = SoundMicrophone::default();
            let mut recording = microphone.record(None).await.unwrap();
            recording.next().await.unwrap().unwrap();
            drop(recording);
            nothing_is_open();
        });
    });
}
