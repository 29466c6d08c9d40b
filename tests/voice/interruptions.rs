//! A question that is interrupted at any moment of any stage: silence at once, and nothing of the old turn after it.
//!
//! The moments are random, and the same ones in each run. `AURA_INTERRUPTIONS` sets how many there are of each stage and way; one without it.
//! How long it takes until the speaker is silent is printed; the test itself only demands that the answer does not go on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use aura_sandbox::{Delays, FixedAnswers, FixedAudio, SandboxConfig, Script, Service, TestSignal};
use aura_tests::aura::{App, Aura};
use aura_tests::desktop::with_desktop;
use aura_tests::display::xdotool;
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::quantile::quantile;
use aura_tests::sound::{SoundMonitor, play_into_microphone};
use serde_json::json;

use crate::push_to_talk::question;

/// A peak of the answer; the tones of AURA are below.
const LOUD: f32 = 0.25;
/// How long each provider takes, in milliseconds, and so the stages at least.
const STAGE_MS: u64 = 700;
/// The latest moment after the begin of a stage, in milliseconds.
const LATEST_MS: u64 = 500;
const LIMIT: Duration = Duration::from_secs(60);
/// How long nothing of the old turn may come after its end.
const AFTER: Duration = Duration::from_millis(700);

/// What AURA does when it is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum During {
    Listening,
    Transcribing,
    Thinking,
    /// The first sentence is being synthesized.
    Synthesizing,
    Speaking,
}

/// How it is interrupted.
#[derive(Debug, Clone, Copy)]
enum Way {
    Escape,
    Command,
}

impl Way {
    /// Interrupts. Returns when the key was pressed, or the command was started.
    fn interrupt(self, app: &App) -> Instant {
        let began = Instant::now();
        match self {
            Self::Escape => xdotool(&["key", "Escape"]),
            Self::Command => assert_eq!(app.aura().run(&["ptt", "cancel"]).code, 0),
        }
        began
    }
}

/// Milliseconds below [`LATEST_MS`], the same series in each run.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % LATEST_MS)
    }
}

#[test]
fn nothing_of_an_interrupted_turn_comes_after_it() {
    with_desktop("interruptions::nothing_of_an_interrupted_turn_comes_after_it", || {
        let count = std::env::var("AURA_INTERRUPTIONS").map_or(1, |count| count.parse().expect("a number"));
        let fixed = FixedAnswers {
            transcript: Some("do i need a coat".into()),
            audio: Some(FixedAudio { sound: TestSignal::Tone, ms: 20_000 }),
        };
        let delays = Delays { stt_ms: STAGE_MS, llm_first_ms: STAGE_MS, tts_first_ms: STAGE_MS, ..Delays::default() };
        let script = Script::always("Take a coat with you, it is going to rain.");
        let providers = Providers::of(SandboxConfig { fixed, delays, script, ..SandboxConfig::default() });
        let app = Aura::new().living(3_000).with_all(providers.groq()).start();
        let file = question(&app, "do i need a coat");
        let monitor = SoundMonitor::open();
        let (mut moments, mut turns) = (Moments(12), 0);
        for during in
            [During::Listening, During::Transcribing, During::Thinking, During::Synthesizing, During::Speaking]
        {
            for way in [Way::Escape, Way::Command] {
                let mut silent_after = Vec::new();
                for _ in 0..count {
                    turns += 1;
                    let moment = moments.next();
                    begin(during, &app, &providers, &monitor, &file);
                    sleep(moment);
                    let interrupted = way.interrupt(&app);
                    let record = app.turn(turns);
                    let what = format!("{way:?}, {moment:?} after the begin of {during:?}: {record:#}");
                    // The stage may have gone on before the command was started.
                    if record["answer"].as_str().is_some_and(|answer| !answer.is_empty()) {
                        assert_eq!(record["interrupted"], true, "{what}");
                    } else {
                        assert_eq!(record["error"]["code"], "cancelled", "{what}");
                    }
                    let (ended, asked) = (Instant::now(), requests(&providers));
                    sleep(AFTER);
                    let heard = monitor.last(LOUD).filter(|last| *last > ended + AFTER / 2);
                    assert!(heard.is_none(), "it speaks on: {what}");
                    assert_eq!(requests(&providers), asked, "a provider is asked after the end: {what}");
                    assert_eq!(app.stage(), "idle", "{what}");
                    if during == During::Speaking {
                        let last = monitor.last(LOUD).unwrap_or(interrupted);
                        silent_after.push(last.saturating_duration_since(interrupted).as_secs_f64() * 1e3);
                    }
                }
                let at = |part| quantile(silent_after.iter().copied(), part);
                match (at(0.5), at(1.0)) {
                    (Some(p50), Some(most)) => {
                        eprintln!("{during:?} by {way:?}, {count}: silent after {p50:.0} ms, at most {most:.0} ms");
                    }
                    _ => eprintln!("{during:?} by {way:?}, {count}: nothing was said"),
                }
            }
        }
        // The next question is answered.
        begin(During::Speaking, &app, &providers, &monitor, &file);
        app.call("cancel", json!({}));
    });
}

/// Asks a question and returns at the begin of the stage.
fn begin(during: During, app: &App, providers: &Providers, monitor: &SoundMonitor, question: &std::path::Path) {
    let spoken = providers.requests(Service::Tts).len();
    app.call("press", json!({}));
    app.wait_for_recording();
    if during == During::Listening {
        return;
    }
    play_into_microphone(question).wait();
    app.call("release", json!({}));
    let released = Instant::now();
    let begun = match during {
        During::Listening => true,
        During::Transcribing => wait_until(LIMIT, || app.stage() == "transcribing"),
        During::Thinking => wait_until(LIMIT, || app.stage() == "thinking"),
        During::Synthesizing => wait_until(LIMIT, || providers.requests(Service::Tts).len() > spoken),
        During::Speaking => monitor.onset(released, LOUD, LIMIT).is_some(),
    };
    assert!(begun, "{during:?} does not begin; the stage is {}", app.stage());
}

fn requests(providers: &Providers) -> [usize; 3] {
    [Service::Stt, Service::Llm, Service::Tts].map(|service| providers.requests(service).len())
}
