//! The views of which screenshots are taken.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::display::{make_picture, open_window, paint, with_window};
use aura_tests::process::{run, wait_until};
use aura_tests::sound::play_into_microphone_endlessly;
use aura_tests::speech::say;
use aura_tests::window::{MAIN, OVERLAY, Window};
use serde_json::json;

use super::{Album, LOOKS, Look, apply, content, program, set_text};

/// Restarts the first run.
const RESET: &str = "localStorage.clear(); location.hash = ''; location.reload()";

/// The first run, and the empty conversation.
pub(crate) fn first_run(album: &Album, programs: &Path) {
    let providers = content::providers();
    let aura = Aura::of(program(programs)).with_all(providers.groq_address()).living(1_800);
    let window = Window::open(aura);
    for look in &LOOKS {
        window.script(RESET, &[]);
        window.find("button", "Paste an API key");
        apply(&window, look);
        album.take(&window, "first-run", look.name);
        window.click("button", "Paste an API key");
        window.write("textbox", "Your API key", "gsk_not_a_real_key");
        album.take(&window, "first-run-key", look.name);
        window.click("button", "Save and check");
        // Without a key store, the user chooses.
        window.find("button", "Keep it for this session only");
        album.take(&window, "first-run-no-keyring", look.name);
        window.click("button", "Back");
        window.click("button", "Choose models");
        window.wait_for_text("AURA on this computer");
        album.take(&window, "first-run-models", look.name);
        window.click("button", "Continue without a download");
        window.find("button", "Skip the sound check");
        album.take(&window, "first-run-sound-check", look.name);
        window.click("button", "Skip the sound check");
        window.wait_for_text("For example");
        album.take(&window, "talk-empty", look.name);
        set_text(&window, 100);
    }
}

/// Opens a panel and waits until its content is loaded.
fn go(window: &Window, panel: &str, loaded: &str) {
    window.script("location.hash = arguments[0]", &[json!(format!("#{}", panel.to_lowercase()))]);
    window.find("heading", panel);
    window.wait_for_text(loaded);
    window.script("document.activeElement?.blur(); document.querySelector('.panel')?.scrollTo(0, 0)", &[]);
}

/// All panels, after a conversation.
pub(crate) fn panels(album: &Album, programs: &Path) {
    let providers = content::providers();
    let aura = Aura::of(program(programs)).with_all(providers.groq()).with_all(providers.gemini()).living(3_600);
    let window = Window::open(aura);
    content::begin(&window);
    for (theme, name) in [("light", "readme-light"), ("dark", "readme-dark")] {
        apply(&window, &Look { name, theme, size: (1000, 720), text: 100 });
        window.wait_for_text("Ask the system what is taken");
        scroll_to_end(&window);
        album.take(&window, "talk", name);
    }
    content::continue_with_faults(&window, &providers);
    for look in &LOOKS {
        apply(&window, look);
        window.script("location.hash = '#talk'", &[]);
        window.wait_for_text("Here is a shorter version");
        scroll_to_end(&window);
        album.take(&window, "talk", look.name);
        window.script("[...document.querySelectorAll('.provenance .line')].at(-3)?.click()", &[]);
        window.script("[...document.querySelectorAll('article')].at(-3)?.scrollIntoView()", &[]);
        album.take(&window, "talk-details", look.name);
        go(&window, "Providers", "Fall back to the next provider");
        album.take(&window, "providers", look.name);
        window.click("tab", "Accounts");
        window.wait_for_text("Add a provider");
        album.take(&window, "accounts", look.name);
        window.click("tab", "On this computer");
        window.wait_for_text("Stored in");
        album.take(&window, "local-models", look.name);
        window.click("tab", "Models");
        let listed = || window.script("return document.querySelectorAll('table tr').length > 10", &[]) == true;
        wait_until(Duration::from_secs(20), listed);
        album.take(&window, "models", look.name);
        window.click("tab", "Services");
        window.click("button", "Change provider for Answers");
        window.click("button", "Edit order for Voice");
        window.script("document.querySelector('.panel').scrollTo(0, 0)", &[]);
        album.take(&window, "providers-open", look.name);
        go(&window, "Health", "took over");
        album.take(&window, "health", look.name);
        go(&window, "History", "How do I find a free port?");
        window.script("document.querySelectorAll('li .head')[1]?.click()", &[]);
        album.take(&window, "history", look.name);
        go(&window, "Settings", "Check again");
        album.take(&window, "settings", look.name);
        window.script("document.querySelector('.panel').scrollTo(0, 1e6)", &[]);
        album.take(&window, "settings-end", look.name);
        set_text(&window, 100);
    }
    apply(&window, &LOOKS[0]);
    for (panel, loaded) in [
        ("Providers", "Fall back to the next provider"),
        ("Health", "took over"),
        ("History", "free port"),
        ("Settings", "Check again"),
    ] {
        go(&window, panel, loaded);
        album.take_whole(&window, &panel.to_lowercase());
    }
    window.script("location.hash = '#talk'", &[]);
    window.wait_for_text("Ask the system what is taken");
    album.take_whole(&window, "talk");
}

fn scroll_to_end(window: &Window) {
    window.script("document.activeElement?.blur(); document.querySelector('.log').scrollTo(0, 1e6)", &[]);
}

/// The overlay over another window, in each stage of a turn.
pub(crate) fn overlay(album: &Album, programs: &Path) {
    let providers = content::providers();
    let window = Window::open(Aura::of(program(programs)).with_all(providers.groq()).living(600));
    let folder = window.app.aura().folder().to_owned();
    let (ground, letter, question) =
        (folder.join("ground.png"), folder.join("letter.png"), folder.join("question.wav"));
    make_picture(&ground, &["-size", "1600x3000", "gradient:#5f7f95-#c9d6df"]);
    paint(&ground);
    let words = "caption:Dear Ms Young,\n\nthank you for the draft. I have read it and have two questions.";
    make_picture(&letter, &["-size", "620x300", "-background", "white", "-fill", "#222222", "-pointsize", "22", words]);
    let _letter = open_window("Letter", &letter);
    with_window("^Letter$", &["windowactivate", "--sync"]);
    say(&question, "do I need a coat in this weather");
    let _speaker = play_into_microphone_endlessly(&question);
    window.app.call("press", json!({}));
    window.app.wait_for_recording();
    window.switch_to(OVERLAY);
    window.wait_for_text("Listening");
    let loud = "return [...document.querySelectorAll('.wave i')].filter((bar) => parseFloat(bar.style.height) > 30).length > 8";
    wait_until(Duration::from_secs(10), || window.script(loud, &[]) == true);
    album.take(&window, "overlay", "listening");
    let file = album.file("overlay", "on-the-desktop");
    run(Command::new("import").args(["-window", "root"]).arg(&file), "imagemagick");
    println!("{}", file.display());
    window.app.call("release", json!({}));
    let stage = |wanted: &str| wait_until(Duration::from_secs(20), || window.app.stage() == wanted);
    if stage("thinking") {
        album.take(&window, "overlay", "thinking");
    }
    if stage("speaking") {
        album.take(&window, "overlay", "speaking");
    }
    window.app.turn(1);
    window.switch_to(MAIN);
}
