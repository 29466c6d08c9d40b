//! Other programs are quieter while AURA listens, and as loud as before afterwards.

use std::process::{Command, Stdio};
use std::time::Duration;

use aura_sandbox::SandboxConfig;
use aura_tests::aura::{App, Aura};
use aura_tests::desktop::with_desktop;
use aura_tests::display::xdotool;
use aura_tests::process::{Running, wait_until};
use aura_tests::providers::Providers;
use aura_tests::sound::pactl;
use serde_json::{Value, json};

use crate::push_to_talk::{SHORTCUT, hold_shortcut};

const SETTINGS: &str = "[listening]\nlower_other_sound = true\n";

/// PulseAudio's 100 %.
const FULL: u64 = 65_536;

/// What a lowered volume is, with AURA's 46 percent.
fn lowered(volume: u64) -> u64 {
    volume * 46 / 100
}

/// A program that plays until it is dropped.
fn play(program: &str) -> Running {
    let mut command = Command::new("pacat");
    command.args(["-d", "speaker", "--channels=2", "--latency-msec=50", "/dev/zero"]);
    command.arg(format!("--client-name={program}")).stderr(Stdio::null());
    let playing = Running::start(&mut command, "pulseaudio-utils");
    assert!(wait_until(Duration::from_secs(10), || stream(program).is_some()), "{program} does not play");
    playing
}

/// The stream of a program, and the volumes of its channels.
fn stream(program: &str) -> Option<(String, Vec<u64>)> {
    let streams: Value = serde_json::from_str(&pactl(&["-f", "json", "list", "sink-inputs"])).expect("JSON");
    let is_of = |stream: &&Value| stream["properties"]["application.name"] == program;
    let stream = streams.as_array()?.iter().find(is_of)?;
    let volume = stream["volume"].as_object()?.values().filter_map(|channel| channel["value"].as_u64()).collect();
    Some((stream["index"].to_string(), volume))
}

fn volume(program: &str) -> Vec<u64> {
    stream(program).map(|(_, volume)| volume).unwrap_or_default()
}

fn set_volume(program: &str, volume: &[&str]) {
    let (index, _) = stream(program).expect("it plays");
    pactl(&[&["set-sink-input-volume", &index], volume].concat());
}

fn assert_soon(program: &str, expected: &[u64]) {
    let is_there = wait_until(Duration::from_secs(10), || volume(program) == expected);
    assert!(is_there, "{program}: {:?} instead of {expected:?}", volume(program));
}

fn start(providers: &Providers) -> App {
    // As on every desktop: the server remembers the volume of each program.
    let folder = std::env::var("HOME").expect("a folder of its own");
    std::fs::create_dir_all(format!("{folder}/.config/pulse")).expect("it can be written");
    pactl(&["load-module", "module-stream-restore"]);
    Aura::new().settings(SETTINGS).with_all(providers.groq()).start()
}

#[test]
fn each_program_gets_its_own_volume_back() {
    with_desktop("other_sound::each_program_gets_its_own_volume_back", || {
        let providers = Providers::of(SandboxConfig::default());
        let app = start(&providers);
        assert_eq!(app.call("devices", json!({}))["can_lower_sound"], true);
        let (_music, _film, game) = (play("music"), play("film"), play("game"));
        // As Orca speaks.
        let _reader = play("speech-dispatcher-espeak-ng");
        set_volume("music", &["80%", "50%"]);
        let music = volume("music");
        hold_shortcut(&app);
        assert_soon("music", &[lowered(music[0]), lowered(music[1])]);
        assert_soon("film", &[lowered(FULL); 2]);
        assert_soon("game", &[lowered(FULL); 2]);
        // AURA's own sound is as loud as it was.
        assert!(volume("AURA").iter().all(|channel| *channel == FULL), "{:?}", volume("AURA"));
        assert_eq!(volume("speech-dispatcher-espeak-ng"), [FULL; 2]);
        // The person changes one, another ends, and a third begins.
        set_volume("film", &["30%"]);
        let film = volume("film");
        drop(game);
        let _late = play("late");
        assert_soon("late", &[lowered(FULL); 2]);
        app.call("cancel", json!({}));
        xdotool(&["keyup", SHORTCUT]);
        assert_soon("music", &music);
        assert_soon("late", &[FULL; 2]);
        assert_eq!(volume("film"), film);
        let saved = app.aura().data().join("lowered-sound.json");
        assert!(wait_until(Duration::from_secs(10), || !saved.exists()), "something is left to restore");
        // The program that ended plays again.
        let _game = play("game");
        assert_eq!(volume("game"), [FULL; 2]);

        // So it is after a question that fails, and without the setting nothing is lowered.
        hold_shortcut(&app);
        assert_soon("music", &[lowered(music[0]), lowered(music[1])]);
        xdotool(&["keyup", SHORTCUT]);
        assert_soon("music", &music);
        app.turn(2);
        app.call("change_settings", json!({"changes": {"listening": {"lower_other_sound": false}}}));
        hold_shortcut(&app);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(volume("music"), music);
        xdotool(&["keyup", SHORTCUT]);
    });
}

#[test]
fn what_a_crash_or_an_end_left_is_restored() {
    with_desktop("other_sound::what_a_crash_or_an_end_left_is_restored", || {
        let providers = Providers::of(SandboxConfig::default());
        let mut app = start(&providers);
        let _music = play("music");
        hold_shortcut(&app);
        assert_soon("music", &[lowered(FULL); 2]);
        app.signal("KILL");
        assert!(app.ends_within(Duration::from_secs(10)));
        xdotool(&["keyup", SHORTCUT]);
        assert_eq!(volume("music"), [lowered(FULL); 2], "nobody could restore it");
        app.start_again();
        assert_soon("music", &[FULL; 2]);

        // An end in the middle of a recording restores it at once.
        hold_shortcut(&app);
        assert_soon("music", &[lowered(FULL); 2]);
        app.signal("TERM");
        assert!(app.ends_within(Duration::from_secs(20)));
        xdotool(&["keyup", SHORTCUT]);
        assert_eq!(volume("music"), [FULL; 2]);
    });
}
