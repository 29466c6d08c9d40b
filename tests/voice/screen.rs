//! Text on a shared screen is read aloud: from a window, a monitor and a region.

use std::path::Path;
use std::process::Command;

use aura_sandbox::{RequestRecord, Service};
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::display::{find_window, make_picture, open_window, with_window, xdotool};
use aura_tests::process::{Running, run};
use aura_tests::providers::Providers;
use aura_tests::speech::{assert_says_among, say};

use crate::PATIENT;
use crate::push_to_talk::{Heard, ask_aloud, routes};

const QUESTION: &str = "what do you see here";
const WRITTEN: &str = "It is going to be a good year\nIt is going to be a good year";
const SIZE: (u32, u32) = (900, 300);

/// Opens a window with the text in the upper left corner.
fn write_on_screen(folder: &Path) -> Running {
    let picture = folder.join("letter.png");
    let size = format!("{}x{}", SIZE.0, SIZE.1);
    let text = [
        "-size",
        &size,
        "-background",
        "white",
        "-fill",
        "black",
        "-font",
        "DejaVu-Sans",
        "-pointsize",
        "48",
        "-gravity",
        "center",
    ];
    make_picture(&picture, &[text.as_slice(), &[&format!("label:{WRITTEN}")]].concat());
    let window = open_window("Letter", &picture);
    // The title as `_NET_WM_NAME` too, which current programs use.
    run(
        Command::new("xprop").args(["-name", "Letter", "-f", "_NET_WM_NAME", "8u", "-set", "_NET_WM_NAME", "Letter"]),
        "x11-utils",
    );
    let letter = find_window("^Letter$").to_string();
    xdotool(&["windowmove", "--sync", &letter, "0", "0", "windowactivate", "--sync", &letter]);
    window
}

fn assert_read(heard: &Heard, provider: &str) {
    let record = &heard.record;
    assert!(record["error"].is_null(), "{record:#}");
    assert!(routes(record).contains(&("thinking".into(), provider.into())), "{record:#}");
    let answer = record["answer"].as_str().unwrap_or_default().to_lowercase();
    assert!(answer.matches("going to be a good year").count() == 2, "{record:#}");
    // Other text on the screen is read as well.
    let spoken = record["spoken"].as_str().unwrap_or_default();
    assert_says_among(&heard.recording, "It is going to be a good year", spoken);
}

/// Checks that the model received one picture: a JPEG with these dimensions and a plausible size.
fn assert_received(requests: &[RequestRecord], width: u32, height: u32) {
    let [request] = requests else { panic!("one request was expected: {requests:#?}") };
    let [image] = request.images.as_slice() else { panic!("one picture was expected: {request:#?}") };
    assert_eq!(image.format, "image/jpeg");
    assert!(
        image.width.abs_diff(width) <= 4 && image.height.abs_diff(height) <= 4,
        "{image:?} should be {width} x {height}"
    );
    assert!((5_000..2_000_000).contains(&image.bytes), "{image:?}");
}

#[test]
fn a_window_offline() {
    with_desktop("screen::a_window_offline", || {
        let settings = "[screen]\nshare = \"always\"\ntarget = { kind = \"window\", title = \"Letter\" }\n";
        let app = Aura::new().with("DEFAULT_TTS_VOICE", "en-us").settings(settings).start();
        let _letter = write_on_screen(app.aura().folder());
        let heard = ask_aloud(&app, QUESTION);
        assert_read(&heard, "offline");
        assert_eq!(heard.record["seen"]["width"], SIZE.0, "{:#}", heard.record);
    });
}

#[test]
fn the_monitor_by_groq() {
    with_desktop("screen::the_monitor_by_groq", || {
        let providers = Providers::answering("{screen_text}");
        let app = Aura::new()
            .with_all(providers.groq())
            .settings(&format!("{PATIENT}[screen]\nshare = \"always\"\n"))
            .start();
        // AURA's own window must not cover the text.
        with_window("^AURA$", &["windowminimize", "--sync"]);
        let _letter = write_on_screen(app.aura().folder());
        let heard = ask_aloud(&app, QUESTION);
        assert_read(&heard, "groq");
        assert_received(&providers.requests(Service::Vlm), 1280, 900);
    });
}

#[test]
fn a_region_by_gemini() {
    with_desktop("screen::a_region_by_gemini", || {
        let providers = Providers::answering("{screen_text}");
        // Within the window, because any other text would be read as well.
        let region =
            "[screen]\nshare = \"always\"\ntarget = { kind = \"region\", x = 20, y = 40, width = 860, height = 250 }\n";
        let app = Aura::new().with_all(providers.gemini()).settings(&format!("{PATIENT}{region}")).start();
        let _letter = write_on_screen(app.aura().folder());
        let heard = ask_aloud(&app, QUESTION);
        assert_read(&heard, "gemini");
        assert_received(&providers.requests(Service::Vlm), 860, 250);
    });
}

#[test]
fn the_command_line_shares_the_screen_only_on_request() {
    with_desktop("screen::the_command_line_shares_the_screen_only_on_request", || {
        let providers = Providers::answering("{screen_text}");
        let never = "[screen]\nshare = \"never\"\ntarget = { kind = \"window\", title = \"Letter\" }\n";
        let aura = Aura::new().with_all(providers.groq()).settings(never);
        let _letter = write_on_screen(aura.folder());
        let spoken = aura.folder().join("spoken.wav");
        say(&spoken, QUESTION);
        let spoken = spoken.to_string_lossy().into_owned();
        for command in [
            ["ask", "What is on my screen?", "--screen", "--json"].as_slice(),
            &["listen", "--audio", &spoken, "--screen", "--quiet", "--json"],
        ] {
            let asked = providers.requests(Service::Vlm).len();
            let ended = aura.run(command);
            assert_eq!(ended.code, 0, "{ended:?}");
            let record = ended.json();
            let answer = record["answer"].as_str().unwrap_or_default().to_lowercase();
            assert!(answer.contains("going to be a good year"), "{record:#}");
            assert_eq!(record["seen"]["width"], SIZE.0, "{record:#}");
            assert_received(&providers.requests(Service::Vlm)[asked..], SIZE.0, SIZE.1);
        }
        // Without `--screen`, no picture is sent, whatever the question.
        let asked = providers.requests(Service::Vlm).len();
        let record = aura.run(&["ask", "What is on my screen?", "--json"]).json();
        assert!(record["seen"].is_null() && providers.requests(Service::Vlm).len() == asked, "{record:#}");
    });
}
