//! The speaker port against a private PulseAudio server, measured at the server's output.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_core::error::ErrorCode;
use aura_core::ports::Speaker;
use aura_platform::RodioSpeaker;
use aura_tests::sound::{self, SoundMonitor, with_sound};
use bytes::Bytes;

const LOUD: f32 = 0.05;
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(30);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// A 440 Hz tone.
fn tone(rate: u32, ms: u32) -> Vec<f32> {
    let sample = |n| (std::f32::consts::TAU * 440.0 * n as f32 / rate as f32).cos() * 0.5;
    (0..rate * ms / 1000).map(sample).collect()
}

fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}

/// Waits until a condition holds.
async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect("the condition never held");
}

/// Median, smallest and largest. Printed only: speed depends on the computer and is measured by `cargo xtask bench voice`.
fn spread(mut all: Vec<f64>) -> String {
    all.sort_by(f64::total_cmp);
    assert!(!all.is_empty(), "nothing was measured");
    format!("p50 {:.1} ms (min {:.1}, max {:.1}, n {})", all[all.len() / 2], all[0], all[all.len() - 1], all.len())
}

#[test]
fn an_utterance_is_played_whole_and_a_stop_silences_it() {
    with_sound("an_utterance_is_played_whole_and_a_stop_silences_it", || {
        run(async {
            let speaker = RodioSpeaker::default();
            let begun = Instant::now();
            let output = speaker.open(None).await.unwrap();
            eprintln!("open: {:.0} ms at {} Hz", ms(begun, Instant::now()), output.rate());
            let monitor = SoundMonitor::open();

            let mut latency = Vec::new();
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(220)).await;
                output.begin();
                assert_eq!(output.played(), 0);
                let written = Instant::now();
                output.write(&tone(output.rate(), 100)).await.unwrap();
                let heard = monitor.onset(written, LOUD, LIMIT).expect("nothing was heard");
                latency.push(ms(written, heard));
                output.drained().await.unwrap();
                assert_eq!(output.played(), u64::from(output.rate() / 10));
            }
            eprintln!("write to heard: {}", spread(latency));

            let mut silence = Vec::new();
            let quiet = || monitor.all().iter().rev().take(250).all(|(_, peak)| *peak <= LOUD);
            for _ in 0..10 {
                // The last utterance has faded out.
                until(quiet).await;
                let begun = Instant::now();
                output.begin();
                // Far more than fits into the ring: the writer waits until it is stopped.
                let long = tone(output.rate(), 60_000);
                let length = long.len() as u64;
                let writer = {
                    let output = output.clone();
                    tokio::spawn(async move { output.write(&long).await })
                };
                monitor.onset(begun, LOUD, LIMIT).expect("nothing was heard");
                let stopped = Instant::now();
                output.stop();
                eprintln!("stop() took {:.2} ms", ms(stopped, Instant::now()));
                tokio::time::timeout(LIMIT, writer).await.expect("write() still waits").unwrap().unwrap();
                output.drained().await.unwrap();
                // Nothing of it is left: a quarter of a second of silence.
                until(quiet).await;
                let played = output.played();
                assert!(played > 0 && played < length / 2, "{played} of {length}");
                silence.extend(monitor.last(LOUD).map(|last| ms(stopped, last)));
            }
            eprintln!("stop() to silence: {}", spread(silence));
        });
    });
}

#[test]
fn a_write_waits_while_the_ring_is_full_and_loses_no_sample() {
    with_sound("a_write_waits_while_the_ring_is_full_and_loses_no_sample", || {
        run(async {
            let (speaker, monitor) = (RodioSpeaker::default(), SoundMonitor::open());
            let mut output = speaker.open(None).await.unwrap();
            // On a busy computer playback is interrupted; the speaker then uses longer callbacks from the next press on. One clean round
            // is enough.
            for round in 0..10 {
                tokio::time::sleep(Duration::from_millis(200)).await;
                output = speaker.open(None).await.unwrap();
                output.begin();
                let begun = Instant::now();
                let long = tone(output.rate(), 2500);
                output.write(&long).await.unwrap();
                let waiting = long.len() as u64 - output.played();
                assert!(waiting <= u64::from(output.rate()) * 5 / 4, "the ring took {waiting} samples");
                output.drained().await.unwrap();
                assert_eq!(output.played(), long.len() as u64);
                until(|| monitor.all().iter().rev().take(250).all(|(_, peak)| *peak <= LOUD)).await;
                let all: Vec<_> = monitor.all().into_iter().filter(|(at, _)| *at >= begun).collect();
                let first = all.iter().position(|(_, peak)| *peak > LOUD).unwrap();
                let last = all.iter().rposition(|(_, peak)| *peak > LOUD).unwrap();
                let quiet = all[first..=last].iter().filter(|(_, peak)| *peak <= LOUD).count();
                eprintln!("2500 ms were heard as {} ms, {quiet} of them silent", last - first + 1);
                if quiet < 50 && (2450..2600).contains(&(last - first + 1)) {
                    break;
                }
                assert!(round < 9, "playback is interrupted");
            }

            // A waiting writer returns when the utterance is stopped, and writes nothing into the next one.
            output.begin();
            let writer = {
                let (output, long) = (output.clone(), tone(output.rate(), 10_000));
                tokio::spawn(async move { output.write(&long).await })
            };
            until(|| output.played() > 0).await;
            output.stop();
            output.begin();
            tokio::time::timeout(LIMIT, writer).await.expect("write() still waits").unwrap().unwrap();
            output.write(&tone(output.rate(), 50)).await.unwrap();
            output.drained().await.unwrap();
            assert_eq!(output.played(), u64::from(output.rate() / 20));
        });
    });
}

#[test]
fn reached_returns_when_a_position_was_played() {
    with_sound("reached_returns_when_a_position_was_played", || {
        run(async {
            let speaker = RodioSpeaker::default();
            let output = speaker.open(None).await.unwrap();
            output.begin();
            let rate = u64::from(output.rate());
            let waiter = |position: u64| {
                let output = output.clone();
                tokio::spawn(async move {
                    output.reached(position).await;
                    output.played()
                })
            };
            let (first, middle) = (waiter(1), waiter(rate / 4));
            // A position may be waited for before its samples are written.
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(!first.is_finished(), "nothing was written yet");
            output.write(&tone(output.rate(), 500)).await.unwrap();
            assert!(tokio::time::timeout(LIMIT, first).await.expect("it still waits").unwrap() >= 1);
            let played = tokio::time::timeout(LIMIT, middle).await.expect("it still waits").unwrap();
            assert!(played >= rate / 4, "{played}");
            output.drained().await.unwrap();
            // A position that was played is not waited for.
            tokio::time::timeout(LIMIT, output.reached(rate / 2)).await.expect("it still waits");

            // Neither is one that is never written, once the utterance is stopped.
            let never = waiter(rate);
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(!never.is_finished(), "half a second was written");
            output.stop();
            tokio::time::timeout(LIMIT, never).await.expect("it still waits after the stop").unwrap();
        });
    });
}

#[test]
fn the_stream_is_reused_until_the_default_output_changes() {
    with_sound("the_stream_is_reused_until_the_default_output_changes", || {
        run(async {
            let speaker = RodioSpeaker::default();
            let mut first = speaker.open(None).await.unwrap();
            // On a busy computer, a stream with underruns is opened again with longer callbacks, twice at most.
            for again in 0..4 {
                let begun = Instant::now();
                let second = speaker.open(None).await.unwrap();
                eprintln!("open again: {:.1} ms", ms(begun, Instant::now()));
                if Arc::ptr_eq(&first, &second) {
                    break;
                }
                assert!(again < 3, "the stream is opened again each time");
                first = second;
            }

            let devices = speaker.devices().await.unwrap();
            eprintln!("{devices:?}");
            let speakers: Vec<_> =
                devices.iter().filter(|device| device.default).map(|device| device.label.as_str()).collect();
            assert_eq!(speakers, ["Speaker"]);
            let cable = devices.iter().find(|device| device.id.contains("cable")).unwrap();
            let named = speaker.open(Some(&cable.id)).await.unwrap();
            assert!(!Arc::ptr_eq(&first, &named));
            let error = speaker.open(Some("pulseaudio:headset")).await.err().unwrap();
            assert_eq!(error.code, ErrorCode::NoSpeaker);
            assert!(error.message.contains("“headset” is not connected"), "{}", error.message);

            let before = speaker.open(None).await.unwrap();
            sound::pactl(&["set-default-sink", "cable"]);
            // The speaker does not wait for a slow server, so a busy computer may need another press.
            for press in 0..100 {
                if !Arc::ptr_eq(&before, &speaker.open(None).await.unwrap()) {
                    break;
                }
                assert!(press < 99, "the new default output is not used");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    });
}

#[test]
fn a_lost_speaker_is_an_error_and_can_be_opened_again() {
    with_sound("a_lost_speaker_is_an_error_and_can_be_opened_again", || {
        run(async {
            let speaker = RodioSpeaker::default();
            let output = speaker.open(None).await.unwrap();
            output.begin();
            output.write(&tone(output.rate(), 100)).await.unwrap();
            until(|| output.played() > 0).await;
            sound::crash();
            let crashed = Instant::now();
            let lost = tokio::time::timeout(LIMIT, output.write(&tone(output.rate(), 60_000))).await;
            eprintln!("lost after {:.0} ms", ms(crashed, Instant::now()));
            assert_eq!(lost.expect("write() still waits").unwrap_err().code, ErrorCode::SpeakerLost);
            assert_eq!(output.drained().await.map_err(|error| error.code), Err(ErrorCode::SpeakerLost));
            assert_eq!(speaker.open(None).await.err().map(|error| error.code), Some(ErrorCode::NoSpeaker));

            let _server = sound::restart();
            let again = speaker.open(None).await.unwrap();
            again.begin();
            again.write(&tone(again.rate(), 100)).await.unwrap();
            again.drained().await.unwrap();
            assert_eq!(again.played(), u64::from(again.rate() / 10));
        });
    });
}

#[test]
fn a_stream_that_the_server_ends_is_lost() {
    with_sound("a_stream_that_the_server_ends_is_lost", || {
        run(async {
            let speaker = RodioSpeaker::default();
            let output = speaker.open(None).await.unwrap();
            output.begin();
            output.write(&tone(output.rate(), 100)).await.unwrap();
            output.drained().await.unwrap();
            // While nothing is played, so that no callback could stop.
            sound::pactl(&["unload-module", "module-null-sink"]);
            let lost = tokio::time::timeout(LIMIT, output.write(&tone(output.rate(), 60_000))).await;
            assert_eq!(lost.expect("write() still waits").unwrap_err().code, ErrorCode::SpeakerLost);
        });
    });
}

#[test]
fn flac_ogg_wav_and_mp3_are_decoded() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rate, channels) in
        [("a.flac", 22_050, 1), ("b.ogg", 24_000, 2), ("c.wav", 44_100, 2), ("d.flac", 48_000, 2)]
    {
        let file = folder.path().join(name);
        sound::make_file(&file, rate, channels, "synth 1 sine 440 gain -6");
        let pcm = aura_audio::decode(Bytes::from(std::fs::read(&file).unwrap())).unwrap();
        assert_eq!(pcm.rate, rate, "{name}");
        // Vorbis pads its last block.
        let slack = if name.ends_with("ogg") { 2048 } else { 0 };
        assert!(pcm.samples.len().abs_diff(rate as usize) <= slack, "{name}: {} samples", pcm.samples.len());
        let peak = pcm.samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        assert!((0.4..0.6).contains(&peak), "{name}: {peak}");
    }
    // On Debian, sox needs another package to write MP3, so this file is made here: one second of silence.
    let pcm = aura_audio::decode(Bytes::from(silent_mp3())).unwrap();
    assert_eq!(pcm.rate, 44_100);
    assert!(
        pcm.samples.len() > 40_000 && pcm.samples.iter().all(|sample| sample.abs() < 0.001),
        "{}",
        pcm.samples.len()
    );
    assert!(aura_audio::decode(Bytes::from_static(b"<html>503</html>")).is_err());
}

/// MPEG 1 layer III, 32 kbit/s, 44.1 kHz, mono: 38 frames whose side information marks them as empty.
fn silent_mp3() -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x10, 0xc4];
    frame.resize(104, 0);
    frame.repeat(38)
}

#[test]
fn an_unused_stream_is_closed() {
    with_sound("an_unused_stream_is_closed", || {
        run(async {
            let speaker = RodioSpeaker::with_idle_timeout(Duration::from_millis(400));
            let streams = || !sound::pactl(&["list", "short", "sink-inputs"]).trim().is_empty();
            for _ in 0..2 {
                let output = speaker.open(None).await.unwrap();
                until(streams).await;
                output.begin();
                output.write(&tone(output.rate(), 300)).await.unwrap();
                output.drained().await.unwrap();
                // A stream that is in use stays open, even when nothing is played.
                tokio::time::sleep(Duration::from_millis(1_200)).await;
                assert!(streams(), "it is closed while it is in use");
                drop(output);
                until(|| !streams()).await;
            }
        });
    });
}
