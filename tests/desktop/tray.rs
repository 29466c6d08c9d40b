//! The tray: it shows the state, switches providers, mutes, shows the window, and quits AURA.

use std::process::Command;
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop_and_bus;
use aura_tests::display::{close_window, find_window, windows, xdotool};
use aura_tests::process::wait_until;
use aura_tests::providers::Providers;
use aura_tests::tray::Tray;
use serde_json::{Value, json};

/// Whether the main window is visible.
fn window_shows() -> bool {
    !windows("^AURA$").is_empty()
}

#[test]
fn the_tray_switches_and_shows_the_window() {
    with_desktop_and_bus("tray::the_tray_switches_and_shows_the_window", || {
        let tray = Tray::start();
        let providers = Providers::answering("There are many people looking for money.");
        let aura = Aura::new().with_all(providers.groq()).with_all(providers.gemini()).with_store();
        let mut app = aura.start();
        let setting = |path: &str| app.call("snapshot", json!({}))["settings"].pointer(path).cloned();

        // Changes in the tray apply, and changes elsewhere show in it.
        tray.wait_for("Ready");
        tray.wait_for("Answers: Groq");
        let gemini = || {
            let items = tray.items();
            let answers = items.iter().position(|item| item.label.starts_with("Answers"))?;
            items[answers..].iter().find(|item| item.label == "Google Gemini").cloned()
        };
        assert!(gemini().is_some_and(|item| !item.ticked), "{:#?}", tray.items());
        app.call("switch", json!({"service": "llm", "provider": "gemini"}));
        tray.wait_for("Answers: Google Gemini");
        assert!(gemini().is_some_and(|item| item.ticked), "{:#?}", tray.items());
        tray.click("Mute answers");
        assert!(wait_until(Duration::from_secs(30), || setting("/speaking/muted") == Some(json!(true))));
        assert!(wait_until(Duration::from_secs(30), || tray.wait_for("Mute answers").ticked));
        tray.click("AURA may see the screen");
        assert!(wait_until(Duration::from_secs(30), || setting("/screen/share") == Some(json!("never"))));
        // The menu is made anew, and a click on the old one would be lost.
        assert!(wait_until(Duration::from_secs(30), || !tray.wait_for("AURA may see the screen").ticked));
        tray.click("AURA may see the screen");
        assert!(wait_until(Duration::from_secs(30), || setting("/screen/share") == Some(json!("when_asked"))));

        // A conversation can be left and continued.
        let session = || app.call("snapshot", json!({}))["session"].as_str().unwrap_or_default().to_owned();
        app.call("ask", json!({"text": "My name is Ada.", "speech": "none"}));
        let first = session();
        tray.click("New conversation");
        assert!(wait_until(Duration::from_secs(30), || session() != first));
        tray.click("My name is Ada.");
        assert!(wait_until(Duration::from_secs(30), || session() == first));

        // Personas, once there are any.
        assert!(!tray.items().iter().any(|item| item.label.starts_with("Persona")), "{:#?}", tray.items());
        app.call("change_settings", json!({"changes": {"personas": [{"name": "Pirate"}]}}));
        tray.wait_for("Persona: none");
        tray.click("Pirate");
        tray.wait_for("Persona: Pirate");
        assert_eq!(setting("/persona"), Some(json!("Pirate")));

        // In German, if that is the language of the settings.
        app.call("change_settings", json!({"changes": {"appearance": {"language": "de"}}}));
        tray.wait_for("Antworten: Google Gemini");
        app.call("change_settings", json!({"changes": {"appearance": {"language": "en"}}}));
        tray.wait_for("Show AURA");

        // After its window is closed, AURA stays in the tray, which can show the window and quit AURA.
        close_window("^AURA$");
        assert!(wait_until(Duration::from_secs(30), || !window_shows()), "the window stays");
        assert_eq!(app.call("ask", json!({"text": "Are you there?", "speech": "none"}))["error"], Value::Null);
        tray.click("Show AURA");
        assert!(wait_until(Duration::from_secs(30), window_shows), "the window does not come back");
        tray.click("Quit AURA");
        assert!(wait_until(Duration::from_secs(30), || !app.is_alive()), "AURA still runs");
    });
}

#[test]
fn the_window_keeps_its_size() {
    with_desktop_and_bus("tray::the_window_keeps_its_size", || {
        let geometry = || {
            let found = Command::new("xdotool")
                .args(["search", "--onlyvisible", "--name", "^AURA$", "getwindowgeometry", "--shell"])
                .output()
                .expect("this test needs xdotool: apt install xdotool");
            String::from_utf8_lossy(&found.stdout).into_owned()
        };
        let has = |size: &str| geometry().contains(size);
        let mut app = Aura::new().start();
        let window = find_window("^AURA$").to_string();
        xdotool(&["windowsize", &window, "820", "610"]);
        assert!(wait_until(Duration::from_secs(30), || has("WIDTH=820\nHEIGHT=610")), "{}", geometry());
        // Without a visible tray, closing the window ends AURA.
        close_window("^AURA$");
        assert!(wait_until(Duration::from_secs(30), || !app.is_alive()), "AURA still runs without a tray");
        app.start_again();
        assert!(wait_until(Duration::from_secs(30), || has("WIDTH=820\nHEIGHT=610")), "{}", geometry());
    });
}

#[test]
fn start_at_login() {
    with_desktop_and_bus("tray::start_at_login", || {
        let aura = Aura::new();
        let home = aura.folder().join("home");
        std::fs::create_dir(&home).expect("the folder can be written");
        let app = aura.with("HOME", &home).start();
        let entry = || {
            let entries = std::fs::read_dir(home.join(".config/autostart")).into_iter().flatten().flatten();
            entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).next()
        };
        let set = |at_login: bool| app.call("change_settings", json!({"changes": {"startup": {"at_login": at_login}}}));
        set(true);
        assert!(wait_until(Duration::from_secs(30), || entry().is_some()), "the autostart entry is missing");
        let text = entry().unwrap_or_default();
        assert!(text.lines().any(|line| line.starts_with("Exec=") && line.ends_with("aura --hidden")), "{text}");
        set(false);
        assert!(wait_until(Duration::from_secs(30), || entry().is_none()), "the autostart entry stays");
    });
}
