//! Screenshots of the windows, for documentation and review.

use std::process::Command;
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::display::{make_picture, open_window, windows, with_window};
use aura_tests::process::{run, wait_until};
use aura_tests::providers::Providers;
use aura_tests::window::{Window, screenshots};
use serde_json::json;

/// Panics unless the picture is wide enough and has contrast. Returns its mean brightness, 0 to 255.
fn assert_shows_something(file: &std::path::Path, width: u32) -> f32 {
    let picture = image::open(file).expect("the screenshot is a picture").to_luma8();
    assert!(picture.width() >= width, "{} is {} pixels wide", file.display(), picture.width());
    let (least, most) =
        picture.pixels().fold((255, 0), |(least, most), pixel| (pixel.0[0].min(least), pixel.0[0].max(most)));
    assert!(most - least > 100, "{} has no contrast", file.display());
    picture.pixels().map(|pixel| f32::from(pixel.0[0])).sum::<f32>() / (picture.width() * picture.height()) as f32
}

#[test]
fn light_and_dark() {
    with_desktop("pictures::light_and_dark", || {
        let answer = "The error means that another program already uses port 8080. Stop that program, or start the server on another port.";
        let providers = Providers::answering(answer);
        let window = Window::open(Aura::new().with_all(providers.groq()).settings("[appearance]\ntheme = \"light\"\n"));
        window.write("textbox", "Your question", "What does this error mean?\u{e007}");
        window.wait_for_text("Stop that program");
        window.app.turn(1);
        let light = assert_shows_something(&window.screenshot("main-light"), 800);
        window.app.call("change_settings", json!({"changes": {"appearance": {"theme": "dark"}}}));
        let applied = || window.script("return document.documentElement.dataset.theme", &[]) == "dark";
        assert!(wait_until(Duration::from_secs(10), applied), "the theme is not applied");
        let dark = assert_shows_something(&window.screenshot("main-dark"), 800);
        assert!(light > 180.0 && dark < 90.0, "light is {light}, dark is {dark} on average");

        for (page, name) in [("#providers", "providers"), ("#settings", "settings")] {
            window.script("location.hash = arguments[0]", &[json!(page)]);
            window.find("heading", if name == "providers" { "Providers" } else { "Settings" });
            assert_shows_something(&window.screenshot(name), 800);
        }
    });
}

#[test]
fn overlay() {
    with_desktop("pictures::overlay", || {
        let app = Aura::new().start();
        // Another window has the focus: the overlay is hidden while AURA's own window has it.
        let picture = app.aura().folder().join("letter.png");
        make_picture(&picture, &["-size", "600x300", "xc:white"]);
        let _letter = open_window("Letter", &picture);
        with_window("^Letter$", &["windowactivate", "--sync"]);
        let focus = || run(Command::new("xdotool").args(["getwindowfocus", "getwindowname"]), "xdotool");
        assert!(wait_until(Duration::from_secs(10), || focus().trim() == "Letter"), "`{}` has the focus", focus());
        assert!(windows("^AURA overlay$").is_empty(), "it shows while AURA is idle");
        app.call("press", json!({}));
        app.wait_for_recording();
        let shown = wait_until(Duration::from_secs(10), || !windows("^AURA overlay$").is_empty());
        assert!(shown, "it does not show while AURA listens");
        assert_eq!(focus().trim(), "Letter", "it took the focus");
        let file = screenshots().join("overlay.png");
        let taken = || {
            run(
                Command::new("import").args(["-window", &windows("^AURA overlay$")[0].to_string()]).arg(&file),
                "imagemagick",
            );
            let picture = image::open(&file).expect("the screenshot is a picture").to_luma8();
            let (least, most) =
                picture.pixels().fold((255, 0), |(least, most), pixel| (pixel.0[0].min(least), pixel.0[0].max(most)));
            most - least > 100
        };
        assert!(wait_until(Duration::from_secs(10), taken), "it shows nothing: {}", file.display());
        app.call("cancel", json!({}));
        assert!(wait_until(Duration::from_secs(10), || windows("^AURA overlay$").is_empty()), "it stays");
    });
}
