//! The microphone port against a private PulseAudio server.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::{Duration, Instant};

use aura_audio::{SPEECH_RATE, rms};
use aura_core::error::ErrorCode;
use aura_core::ports::{Microphone, Recording, Replacement, Standby};
use aura_platform::CpalMicrophone;
use aura_tests::process::{in_own_process, wait_until};
use aura_tests::sound::{self, with_sound};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// Records for `ms` milliseconds.
async fn listen(recording: &mut Recording, ms: usize) -> Vec<i16> {
    let mut samples = Vec::new();
    while samples.len() < ms * SPEECH_RATE as usize / 1000 {
        let block = recording.next().await.unwrap().unwrap();
        assert!(!block.is_empty() && block.len() <= 640, "a block of {}", block.len());
        samples.extend(block);
    }
    samples
}

/// The amplitude of a frequency, 0..=1.
fn amplitude(samples: &[i16], frequency: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = std::f64::consts::TAU * frequency * n as f64 / f64::from(SPEECH_RATE);
        re += f64::from(*sample) / 32768.0 * angle.cos();
        im += f64::from(*sample) / 32768.0 * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f64
}

/// Waits until AURA has no recording stream open.
fn wait_until_closed() {
    let closed = || !sound::pactl(&["list", "source-outputs"]).contains("cpal");
    assert!(wait_until(Duration::from_secs(30), closed), "still open:\n{}", sound::pactl(&["list", "source-outputs"]));
}

#[test]
fn a_tone_is_recorded_until_the_stop() {
    with_sound("a_tone_is_recorded_until_the_stop", || {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let tone = folder.path().join("tone.wav");
            sound::make_file(&tone, 44_100, 1, "synth 250 sine 440 gain -6");
            let _playing = sound::play_into_microphone(&tone);

            let microphone = CpalMicrophone::default();
            let mut first_ms = Vec::new();
            let (mut clean, mut heard) = (0, Vec::new());
            // A busy computer leaves gaps in some recordings. A wrong rate or wrong channels would spoil all of them.
            for _ in 0..30 {
                let begun = Instant::now();
                let mut recording = microphone.record(&[]).await.unwrap();
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
                tokio::time::timeout(Duration::from_secs(30), rest).await.expect("it still records after the stop");
                eprintln!("the end took {:.1} ms", stopped.elapsed().as_secs_f64() * 1000.0);
                let (tone, other) = (amplitude(&samples, 440.0), amplitude(&samples, 1000.0));
                heard.push(format!("440 Hz {tone:.3}, 1000 Hz {other:.3}"));
                // PulseAudio halves the amplitude of mono that is played on two channels.
                clean += usize::from((0.15..0.27).contains(&tone) && other < 0.02);
                if clean == 4 {
                    break;
                }
            }
            assert_eq!(clean, 4, "{heard:#?}");
            eprintln!("first recording: open to first block {:.0} ms", first_ms.remove(0));
            first_ms.sort_by(f64::total_cmp);
            eprintln!("next {}: p50 {:.0} ms, all {first_ms:.0?}", first_ms.len(), first_ms[first_ms.len() / 2]);
            wait_until_closed();
        });
    });
}

#[test]
fn microphones_are_listed_and_selected_by_name() {
    with_sound("microphones_are_listed_and_selected_by_name", || {
        run(async {
            let microphone = CpalMicrophone::default();
            let devices = microphone.devices().await.unwrap();
            eprintln!("{devices:?}");
            assert_eq!(devices.iter().filter(|device| device.default).count(), 1);
            let default = devices.iter().find(|device| device.default).unwrap();
            assert_eq!(default.label, "Microphone");
            assert!(
                devices.iter().all(|device| !device.id.ends_with(".monitor")),
                "a monitor is listed as a microphone"
            );

            // By its id, by the id that another sound system gave it, and by its label.
            for name in [default.id.as_str(), "pipewire:microphone", "Microphone"] {
                let mut recording = microphone.record(&[name.to_owned()]).await.unwrap();
                assert!(recording.next().await.unwrap().is_ok(), "{name}");
            }
            let mut recording = microphone.record(&["pulseaudio:headset".to_owned()]).await.unwrap();
            recording.next().await.unwrap().unwrap();
            let other = Replacement { label: "Microphone".to_owned(), is_default: true };
            assert_eq!(recording.take_replacement(), Some(other));
        });
    });
}

#[test]
fn a_microphone_that_is_gone_gives_way_to_the_next_and_is_used_again_when_it_is_back() {
    with_sound("a_microphone_that_is_gone_gives_way_to_the_next_and_is_used_again_when_it_is_back", || {
        run(async {
            let plug_in = |name| {
                let (name, label) = (format!("source_name={name}"), format!("description={name}"));
                sound::pactl(&["load-module", "module-null-source", &name, &label]).trim().to_owned()
            };
            let order = ["pulseaudio:headset", "pulseaudio:desk"].map(str::to_owned);
            let microphone = CpalMicrophone::default();
            microphone.stand_by(&order, Standby::AfterUse);
            let other = async || {
                let mut recording = microphone.record(&order).await.unwrap();
                recording.next().await.unwrap().unwrap();
                recording.take_replacement().map(|other| (other.label, other.is_default))
            };
            let desk = Some(("desk".to_owned(), false));
            let (headset, _) = (plug_in("headset"), plug_in("desk"));
            assert_eq!(other().await, None);
            sound::pactl(&["unload-module", &headset]);
            wait_until_closed();
            assert_eq!(other().await, desk);
            // It stands by, and says so again.
            assert_eq!(other().await, desk);
            plug_in("headset");
            wait_until_closed();
            assert_eq!(other().await, None);
        });
    });
}

#[test]
fn a_computer_without_a_microphone_is_reported() {
    with_sound("a_computer_without_a_microphone_is_reported", || {
        run(async {
            // When the last microphone is unplugged, PulseAudio makes a monitor of a speaker the default source.
            sound::pactl(&["unload-module", "module-remap-source"]);
            let error = CpalMicrophone::default().record(&[]).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::NoMicrophone, "{error:?}");
            assert!(error.message.contains("Connect one"), "{}", error.message);
        });
    });
}

#[test]
fn a_computer_without_a_sound_system_is_reported() {
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
    in_own_process("a_computer_without_a_sound_system_is_reported", nowhere, || {
        run(async {
            let error = CpalMicrophone::default().record(&[]).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::NoMicrophone, "{error:?}");
        });
    });
}

#[test]
fn a_lost_microphone_is_one_error_and_can_be_opened_again() {
    with_sound("a_lost_microphone_is_one_error_and_can_be_opened_again", || {
        run(async {
            let microphone = CpalMicrophone::default();
            let mut recording = microphone.record(&[]).await.unwrap();
            listen(&mut recording, 300).await;
            sound::crash();
            let crashed = Instant::now();
            let mut errors = Vec::new();
            while let Some(block) = recording.next().await {
                errors.extend(block.err());
            }
            eprintln!("lost after {:.0} ms", crashed.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(
                errors.iter().map(|error| error.code).collect::<Vec<_>>(),
                [ErrorCode::MicrophoneLost],
                "{errors:?}"
            );
            assert!(microphone.record(&[]).await.is_err());

            let _server = sound::restart();
            let mut again = microphone.record(&[]).await.unwrap();
            let block = again.next().await.unwrap().unwrap();
            assert!(rms(&block) < 0.01);
        });
    });
}

#[test]
fn dropping_the_recording_closes_the_device() {
    with_sound("dropping_the_recording_closes_the_device", || {
        run(async {
            let microphone = CpalMicrophone::default();
            let mut recording = microphone.record(&[]).await.unwrap();
            recording.next().await.unwrap().unwrap();
            drop(recording);
            wait_until_closed();
        });
    });
}

#[test]
fn a_microphone_that_stands_by_records_at_once_and_is_closed_on_request() {
    with_sound("a_microphone_that_stands_by_records_at_once_and_is_closed_on_request", || {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let tone = folder.path().join("tone.wav");
            sound::make_file(&tone, 44_100, 1, "synth 250 sine 440 gain -6");
            let _playing = sound::play_into_microphone(&tone);

            let microphone = CpalMicrophone::default();
            microphone.stand_by(&[], Standby::Always);
            let is_open = || sound::pactl(&["list", "source-outputs"]).contains("cpal");
            assert!(wait_until(Duration::from_secs(30), is_open), "the microphone is not opened");
            // The sound before the press comes at once, and is the tone that was played.
            let heard = async || {
                let mut recording = microphone.record(&[]).await.unwrap();
                recording.stop();
                let mut samples = Vec::new();
                while let Some(block) = recording.next().await {
                    samples.extend(block.unwrap());
                }
                samples.len() >= 7_800 && amplitude(&samples, 440.0) > 0.15
            };
            let until = Instant::now() + Duration::from_secs(30);
            while !heard().await {
                assert!(Instant::now() < until, "no sound from before the press");
                // As long as the sound that is kept, and a little more.
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            // Two recordings at once: the second one opens a stream of its own.
            let mut first = microphone.record(&[]).await.unwrap();
            let mut second = microphone.record(&[]).await.unwrap();
            assert!(first.next().await.unwrap().is_ok() && second.next().await.unwrap().is_ok());
            drop((first, second));

            microphone.stand_by(&[], Standby::Off);
            wait_until_closed();
            let mut recording = microphone.record(&[]).await.unwrap();
            recording.next().await.unwrap().unwrap();
        });
    });
}

#[test]
fn no_connection_to_the_sound_server_is_left_behind() {
    with_sound("no_connection_to_the_sound_server_is_left_behind", || {
        run(async {
            let microphone = CpalMicrophone::default();
            for _ in 0..5 {
                microphone.devices().await.unwrap();
            }
            // Long enough that AURA looks several times whether the microphone is still there.
            let mut recording = microphone.record(&[]).await.unwrap();
            listen(&mut recording, 7_000).await;
            drop(recording);
            wait_until_closed();
            let clients = sound::pactl(&["list", "clients"]);
            let own = clients.lines().filter(|line| line.contains("\"cpal-pulseaudio-")).count();
            assert_eq!(own, 1, "{clients}");
        });
    });
}
