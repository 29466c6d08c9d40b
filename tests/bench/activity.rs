//! `cargo xtask bench activity`: how much human speech in noise is missed, how much noise is taken for speech, and how much of a
//! loudspeaker's echo is removed.
//!
//! What is speech is taken from the recordings themselves, which are nearly free of noise. The noise is computed, the same in each run.

use std::process::ExitCode;
use std::time::Instant;

use aura_audio::{EchoCanceller, SPEECH_RATE, VoiceActivity, decode, from_i16, rms};

/// People who read, in English and German.
const CLIPS: [&str; 4] = ["beckett", "german", "jfk", "two_cities"];
/// Levels of the speech over the noise, in decibels.
const RATIOS: [f32; 3] = [20.0, 10.0, 5.0];
const NOISES: [&str; 5] = ["white", "pink", "hum", "typing", "babble"];
/// Samples in which speech is looked for at once: 32 ms.
const STEP: usize = 512;

fn main() -> ExitCode {
    let mut clips = Vec::new();
    for name in CLIPS {
        let path = format!("{}/fixtures/speech/{name}.wav", env!("CARGO_MANIFEST_DIR"));
        match std::fs::read(&path)
            .map_err(|cause| cause.to_string())
            .and_then(|file| decode(file.into()).map_err(|error| error.to_string()))
        {
            Ok(pcm) => clips.push(pcm.to_speech()),
            Err(cause) => {
                eprintln!("{path}: {cause}");
                return ExitCode::FAILURE;
            }
        }
    }
    speech_in_noise(&clips);
    echo(&clips);
    ExitCode::SUCCESS
}

/// Whether each step of a recording has speech in it.
fn speech(samples: &[i16]) -> Vec<bool> {
    let mut activity = VoiceActivity::default();
    samples
        .chunks_exact(STEP)
        .map(|step| {
            let before = activity.duration();
            activity.push(step);
            activity.duration() > before
        })
        .collect()
}

fn speech_in_noise(clips: &[Vec<i16>]) {
    let seconds = clips.iter().map(Vec::len).sum::<usize>() / SPEECH_RATE as usize;
    println!(
        "voice activity, {seconds} s of human speech: speech that is missed, and pauses in which speech is found, in %\n"
    );
    println!("{:10} {:>20} {:>20} {:>20}", "noise", "20 dB", "10 dB", "5 dB");
    let began = Instant::now();
    let mut heard = 0;
    for noise in NOISES {
        let cells = RATIOS.map(|ratio| {
            let (mut missed, mut spoken, mut found, mut pauses) = (0, 0, 0, 0);
            for clip in clips {
                let noise = make_noise(noise, clip.len(), clips);
                let gain = level(clip) / level(&noise) / 10f32.powf(ratio / 20.0);
                // At half the level, so that the sum fits.
                let mixed: Vec<i16> =
                    clip.iter().zip(&noise).map(|(a, b)| ((f32::from(*a) + b * gain) / 2.0) as i16).collect();
                heard += mixed.len();
                for (is_speech, is_found) in speech(clip).into_iter().zip(speech(&mixed)) {
                    let (count, wrong, is_wrong) = if is_speech {
                        (&mut spoken, &mut missed, !is_found)
                    } else {
                        (&mut pauses, &mut found, is_found)
                    };
                    *count += 1;
                    *wrong += u32::from(is_wrong);
                }
            }
            let percent = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
            format!("{:.1} / {:.0}", percent(missed, spoken), percent(found, pauses))
        });
        println!("{noise:10} {:>20} {:>20} {:>20}", cells[0], cells[1], cells[2]);
    }
    let real = heard as f64 / f64::from(SPEECH_RATE);
    println!("\n{:.2} ms for a second of sound", began.elapsed().as_secs_f64() * 1_000.0 / real);
}

/// Computed noise of any level.
fn make_noise(kind: &str, length: usize, clips: &[Vec<i16>]) -> Vec<f32> {
    let mut state = 88_172_645_463_325_252_u64;
    // xorshift: from -1 to 1.
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    match kind {
        "white" => (0..length).map(|_| random()).collect(),
        "pink" => {
            let (mut slow, mut middle, mut fast) = (0.0, 0.0, 0.0);
            let mut next = || {
                let white = random();
                slow = 0.997_65 * slow + white * 0.099_046;
                middle = 0.963 * middle + white * 0.296_516_4;
                fast = 0.57 * fast + white * 1.052_691_3;
                slow + middle + fast + white * 0.184_8
            };
            (0..length).map(|_| next()).collect()
        }
        "hum" => {
            let tone = |i: usize, hertz: f32| (i as f32 / SPEECH_RATE as f32 * hertz * std::f32::consts::TAU).sin();
            (0..length).map(|i| tone(i, 50.0) + 0.5 * tone(i, 150.0) + 0.2 * random()).collect()
        }
        "typing" => {
            let (mut noise, mut key) = (vec![0.0; length], 800);
            while key < length {
                for (at, sample) in noise[key..].iter_mut().take(400).enumerate() {
                    *sample += random() * (-(at as f32) / 60.0).exp();
                }
                key += 1_600 + ((random() + 1.0) * 1_200.0) as usize;
            }
            noise
        }
        _ => (0..length)
            .map(|i| clips.iter().enumerate().map(|(k, clip)| f32::from(clip[(i + k * 7_919) % clip.len()])).sum())
            .collect(),
    }
}

fn level(samples: &[impl Copy + Into<f32>]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| (*sample).into().powi(2)).sum();
    (sum / samples.len().max(1) as f32).sqrt().max(1.0e-6)
}

fn echo(clips: &[Vec<i16>]) {
    println!(
        "\nechoes of a voice that reads, in a room: how much is removed after two seconds (ERLE), and the speech found in the rest\n"
    );
    println!("{:>10} {:>12} {:>14}", "delay", "removed", "taken for speech");
    // The longest clip is the answer that the loudspeaker plays.
    let Some(answer) = clips.iter().max_by_key(|clip| clip.len()) else { return };
    for delay_ms in [20, 50, 100, 200, 300] {
        let recorded = in_room(answer, delay_ms * SPEECH_RATE as usize / 1_000);
        let (mut canceller, mut clean) = (EchoCanceller::default(), Vec::new());
        for (played, recorded) in answer.chunks(320).zip(recorded.chunks(320)) {
            canceller.played(played.iter().copied().map(from_i16));
            clean.extend(canceller.recorded(recorded));
        }
        let begin = 2 * SPEECH_RATE as usize;
        let removed = 20.0 * (rms(&recorded[begin..]) / rms(&clean[begin..]).max(1.0e-5)).log10();
        let mut activity = VoiceActivity::default();
        activity.push(&clean);
        println!("{:>7} ms {:>9.0} dB {:>11} ms", delay_ms, removed, activity.duration().as_millis());
    }
}

/// What a microphone records of this sound `delay` samples later, with some reflections.
fn in_room(sound: &[i16], delay: usize) -> Vec<i16> {
    let mut echo = vec![0.0; sound.len()];
    for (tap, gain) in [(0, 0.5), (37, 0.3), (90, -0.2), (211, 0.15), (800, 0.08), (1_600, 0.05)] {
        for (at, sample) in sound.iter().enumerate().take(sound.len().saturating_sub(delay + tap)) {
            echo[at + delay + tap] += f32::from(*sample) * gain;
        }
    }
    echo.into_iter().map(|sample| sample as i16).collect()
}
