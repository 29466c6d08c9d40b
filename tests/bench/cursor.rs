//! `cargo xtask bench cursor`: the time from the last byte of an answer until all of it is in the window of another program.
//!
//! The app is the real one, and the window that of a browser. The answer is asked for in two ways: by the shortcut *Answer here* with a spoken
//! question, and by a typed question that the model answers with a call of the tool `type_text`. Both times are taken outside of the app: when
//! the provider had sent its answer, and when the screen showed the text. Before each answer another program has something on the clipboard
//! and something selected. What the window takes by itself is measured in the same rounds: from Shift+Insert, with the text on the clipboard.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aura_sandbox::{
    Delays, FixedAnswers, RequestRecord, Rule, RuleCondition, SandboxConfig, Script, ScriptedReply, Service, ToolCall,
};
use aura_tests::aura::{App, Aura};
use aura_tests::clipboard::offer;
use aura_tests::desktop::in_private_desktop;
use aura_tests::display::xdotool;
use aura_tests::field::Field;
use aura_tests::process::Running;
use aura_tests::providers::Providers;
use aura_tests::quantile::quantile;
use aura_tests::sound::play_into_microphone;
use aura_tests::speech::say;
use serde_json::{Value, json};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat, KEY_PRESS_EVENT, KEY_RELEASE_EVENT};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// The longest measurement, in seconds. An app that outlives it ends by itself.
const LIFETIME: u32 = 3_600;
/// The evdev keycodes of F8, the shortcut, and of the keys that paste.
const F8: u8 = 74;
const SHIFT: u8 = 50;
const INSERT: u8 = 118;
/// The time between two words of the answer, that of a fast model.
const WORD_MS: u64 = 2;
/// Answers are there within this.
const LIMIT: Duration = Duration::from_secs(30);
/// The lengths of the answers, in characters.
const LENGTHS: [usize; 4] = [20, 100, 300, 5_000];
/// What the answers are made of.
const SCRIPTS: [(&str, &str); 2] = [
    ("ASCII", "The quick brown fox jumps over the lazy dog while the band plays on and nobody looks. "),
    ("Chinese", "敏捷的棕色狐狸跳过了懒狗，乐队继续演奏，没有人抬头看。今天的天气很好，我们去公园散步吧。 "),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(turns), Some(programs)) =
        (arguments.first().and_then(|turns| turns.parse::<usize>().ok()).filter(|turns| *turns > 0), arguments.get(1))
    else {
        eprintln!("usage: bench-cursor TURNS FOLDER-OF-PROGRAMS; `cargo xtask bench cursor` calls it");
        return ExitCode::from(2);
    };
    in_private_desktop(1280, 900, true, || measure(turns, Path::new(programs)))
}

fn measure(turns: usize, programs: &Path) {
    let build = if programs.ends_with("release") { "optimised" } else { "debug" };
    let mut bench = Bench::start(programs);
    println!("from the last byte of the answer to the whole text on the screen, {build} build, {turns} of each");
    println!("milliseconds: p50 (p95)\n");
    println!("{:>10} {:8} {:>16} {:>16} {:>16}", "characters", "script", "Answer here", "type_text", "window alone");
    for (script, words) in SCRIPTS {
        for length in LENGTHS {
            let mut rounds = Vec::new();
            // The first is not counted.
            for turn in 0..=turns {
                let text = text(words, length);
                let times = [bench.answer_here(&text), bench.type_text(&text), bench.window_alone(&text)];
                if turn > 0 {
                    rounds.push(times);
                }
            }
            let shown = |way: usize| {
                let at = |part| quantile(rounds.iter().map(|times| times[way]), part).unwrap_or(f64::NAN);
                format!("{:.0} ({:.0})", at(0.5), at(0.95))
            };
            println!("{length:10} {script:8} {:>16} {:>16} {:>16}", shown(0), shown(1), shown(2));
        }
    }
}

/// A text of this length, with a line break instead of every tenth space.
fn text(words: &str, length: usize) -> String {
    let mut spaces = 0;
    let broken = words.chars().cycle().map(|c| {
        spaces += usize::from(c == ' ');
        if c == ' ' && spaces % 10 == 0 { '\n' } else { c }
    });
    // What ends with a space would lose it.
    broken.take(length - 1).chain(['.']).collect()
}

/// The running app, its provider, and the window that it writes into.
struct Bench {
    providers: Providers,
    app: App,
    field: Field,
    picture: Picture,
    question: PathBuf,
    /// Questions so far. Each has its number, by which the provider's record of it is found.
    asked: usize,
}

impl Bench {
    fn start(programs: &Path) -> Self {
        let delays = Delays { llm_chunk_ms: WORD_MS, ..Delays::default() };
        let providers = Providers::of(SandboxConfig { delays, ..SandboxConfig::default() });
        let settings = "[cursor_shortcuts]\nanswer_here = \"F8\"\n[actions.permissions]\ntype_text = \"always\"\n";
        let aura = Aura::of(programs.join("aura")).with_all(providers.groq()).settings(settings);
        let app = aura.living(LIFETIME).start();
        assert_eq!(app.call("snapshot", json!({}))["shortcut_problem"], Value::Null);
        let question = app.aura().folder().join("question.wav");
        say(&question, "do I need a coat");
        let field = Field::open(app.aura().folder());
        let picture = Picture::of(field.window());
        Self { providers, app, field, picture, question, asked: 0 }
    }

    /// Asks aloud with the shortcut; returns the milliseconds from the answer to the text in the window.
    fn answer_here(&mut self, text: &str) -> f64 {
        let (_offering, question, turns) = self.prepare("something else");
        self.providers.script(Script::always(text));
        self.providers.fixed(FixedAnswers { transcript: Some(question.clone()), ..FixedAnswers::default() });
        self.picture.key(KEY_PRESS_EVENT, F8);
        self.app.wait_for_recording();
        play_into_microphone(&self.question).wait();
        self.picture.key(KEY_RELEASE_EVENT, F8);
        let seen = self.picture.wait_for(text);
        let turn = self.app.turn(turns + 1);
        assert_eq!(turn["error"], Value::Null, "{turn:#}");
        self.waited(&question, seen)
    }

    /// Asks in writing, for a call of the tool; returns the milliseconds from the call to the text in the window.
    fn type_text(&mut self, text: &str) -> f64 {
        let (_offering, question, _) = self.prepare("something else");
        let call = ToolCall { name: "type_text".into(), arguments: json!({ "text": text }) };
        let when = RuleCondition {
            contains: Some(question.clone()),
            may_call: Some(call.name.clone()),
            ..RuleCondition::default()
        };
        let reply = ScriptedReply { tool_calls: vec![call], ..ScriptedReply::default() };
        let rules = vec![Rule { when, reply, times: None }, Rule::reply("Done.")];
        self.providers.script(Script { rules });
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| self.app.call("ask", json!({"text": question, "speech": "none"})));
            let seen = self.picture.wait_for(text);
            let turn = asked.join().expect("the turn ends");
            assert_eq!(turn["tools"][0]["outcome"], "done", "{turn:#}");
            self.waited(&question, seen)
        })
    }

    /// Pastes without the app; returns the milliseconds from the key to the text in the window.
    fn window_alone(&mut self, text: &str) -> f64 {
        let _offering = self.prepare(text);
        let begun = SystemTime::now();
        for key in [SHIFT, INSERT] {
            self.picture.key(KEY_PRESS_EVENT, key);
        }
        for key in [INSERT, SHIFT] {
            self.picture.key(KEY_RELEASE_EVENT, key);
        }
        let seen = self.picture.wait_for(text);
        seen.duration_since(begun).expect("the clock is not set meanwhile").as_secs_f64() * 1_000.0
    }

    /// Empties the field, offers a text from another program, and returns the next question and the number of turns so far.
    fn prepare(&mut self, offered: &str) -> ([Running; 2], String, usize) {
        // The questions do not make each other longer.
        self.app.call("new_session", json!({}));
        self.field.focus();
        // A field that is empty already has no new colour.
        xdotool(&["key", "x", "ctrl+a", "BackSpace"]);
        self.picture.wait_for("");
        let offering = ["clipboard", "primary"].map(|what| offer(what, offered));
        self.asked += 1;
        (offering, format!("question {} of many", self.asked), self.app.history().len())
    }

    /// The milliseconds from the end of the provider's answer to a question.
    fn waited(&self, question: &str, seen: SystemTime) -> f64 {
        let requests = self.providers.requests(Service::Llm);
        let is_it = |request: &&RequestRecord| request.text.as_deref().is_some_and(|text| text.contains(question));
        let ended = requests.iter().find(is_it).and_then(|request| request.ended_ms).expect("the provider answered");
        // The sandbox counts from its start and gives the time of day in whole milliseconds, rounded down.
        let starts = requests.iter().map(|request| request.arrived_unix_ms as f64 + 0.5 - request.arrived_ms);
        let start = starts.sum::<f64>() / requests.len() as f64;
        let seen = seen.duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64() * 1_000.0;
        seen - start - ended
    }
}

/// The picture of a window on the screen.
struct Picture {
    server: RustConnection,
    root: u32,
    /// A place beside the field.
    place: (i16, i16),
}

impl Picture {
    fn of(window: u32) -> Self {
        let (server, screen) = x11rb::connect(None).expect("the private display can be reached");
        let root = server.setup().roots.get(screen).expect("a display has a screen").root;
        let size = server.get_geometry(window).expect("the display works").reply().expect("the window is there");
        let (x, y) = (size.width as i16 / 2, size.height as i16 - 40);
        let place = server.translate_coordinates(window, root, x, y).expect("the display works").reply();
        let place = place.expect("the window is there");
        Self { server, root, place: (place.dst_x, place.dst_y) }
    }

    /// Presses a key, or lets it go.
    fn key(&self, event: u8, key: u8) {
        self.server.xtest_fake_input(event, key, 0, x11rb::NONE, 0, 0, 0).expect("the display works");
        self.server.flush().expect("the display works");
    }

    /// Waits until the window shows this text; returns when it did.
    fn wait_for(&self, text: &str) -> SystemTime {
        let deadline = Instant::now() + LIMIT;
        loop {
            let colour = self.colour();
            let seen = SystemTime::now();
            if colour == Field::colour(text) {
                return seen;
            }
            assert!(Instant::now() < deadline, "the window does not show {text:?}");
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The red, green and blue of the pixel at the place.
    fn colour(&self) -> [u8; 3] {
        let (x, y) = self.place;
        let picture = self.server.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, 1, 1, u32::MAX);
        let pixel = picture.expect("the display works").reply().expect("the place is on the screen").data;
        [pixel[2], pixel[1], pixel[0]]
    }
}
