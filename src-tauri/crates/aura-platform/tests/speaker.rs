//! The real speaker adapter against a real sound server, measured at the speaker.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_core::error::Code;
use aura_core::ports::Speaker;
use aura_platform::SoundSpeaker;
use aura_tests::sound::{self, Ear, with_sound};
use bytes::Bytes;

const LOUD: f32 = 0.05;
/// What does not come by then does not come.
const LIMIT: Duration = Duration::from_secs(30);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// A tone of so many milliseconds.
fn tone(rate: u32, ms: u32) -> Vec<f32> {
    let wave = |n| (std::f32::consts::TAU * 440.0 * n as f32 / rate as f32).cos() * 0.5;
    (0..rate * ms / 1000).map(wave).collect()
}

fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}

/// Waits until something holds.
async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect("it never came to be so");
}

/// Smallest, middle and largest; how fast it is depends on the computer, and is for `cargo xtask bench turn` to say.
fn spread(mut all: Vec<f64>) -> String {
    all.sort_by(f64::total_cmp);
    assert!(!all.is_empty(), "nothing was measured");
    format!("p50 {:.1} ms (min {:.1}, max {:.1}, n {})", all[all.len() / 2], all[0], all[all.len() - 1], all.len())
}

#[test]
fn speaks_whole_and_stops() {
    with_sound("speaks_whole_and_stops", || {
        run(async {
            let speaker = SoundSpeaker::default();
            let begun = Instant::now();
            let output = speaker.open(None).await.unwrap();
            eprintln!("open: {:.0} ms at {} Hz", ms(begun, Instant::now()), output.rate());
            let ear = Ear::open();

            let mut latency = Vec::new();
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(220)).await;
                output.begin();
                assert_eq!(output.played(), 0);
                let written = Instant::now();
                output.write(&tone(output.rate(), 100)).await.unwrap();
                let heard = ear.onset(written, LOUD, LIMIT).expect("nothing was heard");
                latency.push(ms(written, heard));
                output.drained().await.unwrap();
                assert_eq!(output.played(), u64::from(output.rate() / 10));
            }
            eprintln!("write to heard: {}", spread(latency));

            let mut silence = Vec::new();
            let quiet = || ear.all().iter().rev().take(250).all(|(_, peak)| *peak <= LOUD);
            for _ in 0..10 {
                // What was said before is over.
                until(quiet).await;
                let begun = Instant::now();
                output.begin();
                // Far more than fits: whoever writes it waits until it is stopped.
                let long = tone(output.rate(), 60_000);
                let length = long.len() as u64;
                let writer = {
                    let output = output.clone();
                    tokio::spawn(async move { output.write(&long).await })
                };
                ear.onset(begun, LOUD, LIMIT).expect("nothing was heard");
                let stopped = Instant::now();
                output.stop();
                eprintln!("stop() took {:.2} ms", ms(stopped, Instant::now()));
                tokio::time::timeout(LIMIT, writer).await.expect("write() still waits").unwrap().unwrap();
                output.drained().await.unwrap();
                // Nothing is left of it: a quarter of a second of silence in a row, as the speaker gives it.
                until(quiet).await;
                let played = output.played();
                assert!(played > 0 && played < length / 2, "{played} of {length}");
                silence.extend(ear.last(LOUD).map(|last| ms(stopped, last)));
            }
            eprintln!("stop() to silence: {}", spread(silence));
        });
    });
}

#[test]
fn waits_while_the_ring_is_full_and_keeps_every_sample() {
    with_sound("waits_while_the_ring_is_full_and_keeps_every_sample", || {
        run(async {
            let (speaker, ear) = (SoundSpeaker::default(), Ear::open());
            let mut output = speaker.open(None).await.unwrap();
            // A busy computer breaks up the sound; the speaker then takes longer callbacks, at the next press. One good round counts.
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
                until(|| ear.all().iter().rev().take(250).all(|(_, peak)| *peak <= LOUD)).await;
                let all: Vec<_> = ear.all().into_iter().filter(|(at, _)| *at >= begun).collect();
                let first = all.iter().position(|(_, peak)| *peak > LOUD).unwrap();
                let last = all.iter().rposition(|(_, peak)| *peak > LOUD).unwrap();
                let quiet = all[first..=last].iter().filter(|(_, peak)| *peak <= LOUD).count();
                eprintln!("2500 ms were heard as {} ms, {quiet} of them silent", last - first + 1);
                if quiet < 50 && (2450..2600).contains(&(last - first + 1)) {
                    break;
                }
                assert!(round < 9, "the sound breaks up");
            }

            // A writer that waits comes back when the utterance is stopped, and says nothing in the next.
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
fn keeps_the_stream_until_the_default_changes() {
    with_sound("keeps_the_stream_until_the_default_changes", || {
        run(async {
            let speaker = SoundSpeaker::default();
            let mut first = speaker.open(None).await.unwrap();
            // A stream that stumbles on a busy computer is opened anew with longer callbacks, twice at most.
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
            assert_eq!(error.code, Code::NoSpeaker);
            assert!(error.message.contains("“headset” is not connected"), "{}", error.message);

            let before = speaker.open(None).await.unwrap();
            sound::pactl(&["set-default-sink", "cable"]);
            // A server that is slow to answer is not waited for, so a busy computer may need another press.
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
fn a_speaker_that_vanishes_is_an_error_and_comes_back() {
    with_sound("a_speaker_that_vanishes_is_an_error_and_comes_back", || {
        run(async {
            let speaker = SoundSpeaker::default();
            let output = speaker.open(None).await.unwrap();
            output.begin();
            output.write(&tone(output.rate(), 100)).await.unwrap();
            until(|| output.played() > 0).await;
            sound::crash();
            let crashed = Instant::now();
            let lost = tokio::time::timeout(LIMIT, output.write(&tone(output.rate(), 60_000))).await;
            eprintln!("lost after {:.0} ms", ms(crashed, Instant::now()));
            assert_eq!(lost.expect("write() still waits").unwrap_err().code, Code::SpeakerLost);
            assert_eq!(output.drained().await.map_err(|error| error.code), Err(Code::SpeakerLost));
            assert_eq!(speaker.open(None).await.err().map(|error| error.code), Some(Code::NoSpeaker));

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
fn reads_flac_ogg_wav_and_mp3() {
    let folder = tempfile::tempdir().unwrap();
    let speaker = SoundSpeaker::default();
    for (name, rate, channels) in
        [("a.flac", 22_050, 1), ("b.ogg", 24_000, 2), ("c.wav", 44_100, 2), ("d.flac", 48_000, 2)]
    {
        let file = folder.path().join(name);
        sound::make_file(&file, rate, channels, "synth 1 sine 440 gain -6");
        let pcm = speaker.decode(Bytes::from(std::fs::read(&file).unwrap())).unwrap();
        assert_eq!(pcm.rate, rate, "{name}");
        // Vorbis fills its last block.
        let slack = if name.ends_with("ogg") { 2048 } else { 0 };
        assert!(pcm.samples.len().abs_diff(rate as usize) <= slack, "{name}: {} samples", pcm.samples.len());
        let peak = pcm.samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        assert!((0.4..0.6).contains(&peak), "{name}: {peak}");
    }
    // sox writes no MP3 on Debian without another package, so this one is made by hand: a second of silent frames.
    let pcm = speaker.decode(Bytes::from(silent_mp3())).unwrap();
    assert_eq!(pcm.rate, 44_100);
    assert!(
        pcm.samples.len() > 40_000 && pcm.samples.iter().all(|sample| sample.abs() < 0.001),
        "{}",
        pcm.samples.len()
    );
    assert!(speaker.decode(Bytes::from_static(b"<html>503</html>")).is_err());
}

/// MPEG 1 layer III, 32 kbit/s, 44.1 kHz, mono: 38 frames whose side information says that they are empty.
fn silent_mp3() -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x10, 0xc4];
    frame.resize(104, 0);
    frame.repeat(38)
}

#[test]
fn rests_when_nobody_speaks() {
    with_sound("rests_when_nobody_speaks", || {
        run(async {
            let speaker = SoundSpeaker::resting_after(Duration::from_millis(400));
            let streams = || !sound::pactl(&["list", "short", "sink-inputs"]).trim().is_empty();
            for _ in 0..2 {
                let output = speaker.open(None).await.unwrap();
                until(streams).await;
                output.begin();
                output.write(&tone(output.rate(), 300)).await.unwrap();
                output.drained().await.unwrap();
                // It stays while somebody has it, however long that is silent.
                tokio::time::sleep(Duration::from_millis(1_200)).await;
                assert!(streams(), "it is closed under whoever uses it");
                drop(output);
                until(|| !streams()).await;
            }
        });
    });
}
