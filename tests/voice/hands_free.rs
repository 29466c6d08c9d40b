//! Hands-free use with a real microphone and a real loudspeaker that it hears.
//!
//! `AURA_INTERRUPTIONS` sets how often the answer is interrupted by voice; once without it.

use std::path::Path;
use std::time::{Duration, Instant};

use aura_sandbox::{FixedAnswers, SandboxConfig, Script};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop_alone;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::quantile::quantile;
use aura_tests::sound::{SoundMonitor, pactl, play_into_microphone};
use aura_tests::speech::say;
use serde_json::json;

/// A peak of speech.
const LOUD: f32 = 0.1;

/// The answer lasts longer than the test.
const ANSWER: &str = "The house at the end of the road was built in the spring of that year. It has two floors and a small garden. \
The people who live in it have a dog and two cats. In the evening they sit in front of the door and talk about the weather. \
The children play in the street until it is dark. Then everybody goes to bed, and the next morning it begins again.";

#[test]
fn an_answer_is_interrupted_by_a_person_and_not_by_its_own_echo() {
    with_desktop_alone("hands_free::an_answer_is_interrupted_by_a_person_and_not_by_its_own_echo", || {
        let count = std::env::var("AURA_INTERRUPTIONS").map_or(1, |count| count.parse().expect("a number"));
        let fixed = FixedAnswers { transcript: Some("tell me about the house".into()), audio: None };
        let script = Script::always(ANSWER);
        let providers = Providers::of(SandboxConfig { fixed, script, ..SandboxConfig::default() });
        let app = Aura::new().living(3_000).with_all(providers.groq()).start();
        let question = app.aura().folder().join("question.wav");
        say(&question, "tell me about the house");
        let lead = lead(&question);
        // The microphone hears what the loudspeaker plays, a twentieth of a second later.
        pactl(&["load-module", "module-loopback", "source=speaker.monitor", "sink=cable", "latency_msec=50"]);
        let monitor = SoundMonitor::open();

        app.call("hands_free", json!({"on": true}));
        app.wait_for_recording();
        let asked = Instant::now();
        play_into_microphone(&question).wait();
        monitor.onset(asked, LOUD, Duration::from_secs(60)).expect("the question is answered after a pause");
        // The canceller has two seconds to learn the way from the loudspeaker to the microphone; then as long again to be wrong.
        std::thread::sleep(Duration::from_secs(5));
        assert_eq!(app.stage(), "speaking", "{:#?}", app.history());

        let mut silent_after = Vec::new();
        for turn in 1..=count {
            let interrupted = Instant::now() + lead;
            play_into_microphone(&question).wait();
            let record = app.turn(turn);
            assert_eq!(record["interrupted"], true, "{record:#}");
            let silent = || monitor.last(LOUD).is_none_or(|last| last.elapsed() > Duration::from_millis(300));
            assert!(wait_until(Duration::from_secs(20), silent), "the answer goes on");
            let last = monitor.last(LOUD).unwrap_or(interrupted);
            silent_after.push(last.saturating_duration_since(interrupted).as_secs_f64() * 1e3);
            // The question that interrupted is answered, and interrupted at another moment.
            monitor.onset(Instant::now(), LOUD, Duration::from_secs(60)).expect("the next question is answered");
            std::thread::sleep(Duration::from_millis(1_000 + 370 * (turn as u64 * 7 % 11)));
        }
        let at = |part| quantile(silent_after.iter().copied(), part).unwrap_or_default();
        eprintln!(
            "{count} times: silent {:.0} ms after a person spoke, p95 {:.0} ms, at most {:.0} ms",
            at(0.5),
            at(0.95),
            at(1.0)
        );

        // `Esc` ends it all.
        app.call("cancel", json!({}));
        let last = app.turn(count + 1);
        assert!(last["error"].is_null(), "{last:#}");
        assert_eq!(app.call("snapshot", json!({}))["hands_free"], false);
    });
}

/// The time from the start of the player to the first sound of speech: the median of five.
fn lead(question: &Path) -> Duration {
    let microphone = SoundMonitor::of_microphone();
    let mut all: Vec<Duration> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let mut playing = play_into_microphone(question);
            let heard = microphone.onset(started, LOUD / 5.0, Duration::from_secs(20)).expect("the question is played");
            playing.wait();
            std::thread::sleep(Duration::from_millis(100));
            heard - started
        })
        .collect();
    all.sort();
    all[2]
}
