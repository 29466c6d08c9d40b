//! Tasks with applications, a browser, a dialog, a media player, the volume and timers.

use std::time::Duration;

use aura_tests::desktop::with_desktop_and_accessibility;
use serde_json::{Value, json};

use super::desk::{Desk, Task};
use super::programs::{Player, Website, clipboard, home, is_open, open_dialog, volume};

/// The timers in AURA's file.
fn timers(desk: &Desk) -> Vec<Value> {
    let file = std::fs::read(desk.app.aura().data().join("timers.json")).unwrap_or_default();
    let list: Value = serde_json::from_slice(&file).unwrap_or_default();
    list.as_array().cloned().unwrap_or_default()
}

#[test]
fn tasks_of_the_computer() {
    with_desktop_and_accessibility("tasks::computer::tasks_of_the_computer", || {
        home();
        let website = Website::start();
        let mut desk = Desk::start();
        tasks_with_timers(&mut desk);
        // The browser has time to come to rest before its page is read.
        a_page_is_opened(&mut desk, &website);
        the_example_of_the_guide(&mut desk);
        tasks_with_sound(&mut desk);
        tasks_with_a_page(&mut desk, &website);
        tasks_with_windows(&mut desk);
        desk.report();
    });
}

fn tasks_with_timers(desk: &mut Desk) {
    let task = Task::new("Set a timer for ten minutes.", "Ten minutes from now.");
    let task = task.calls("set_timer", json!({"seconds": 600, "label": "tea"}));
    let is_set = |desk: &Desk| matches!(timers(desk).as_slice(), [timer] if timer["seconds"] == 600);
    desk.does(task, "the timer is in the list", is_set);

    desk.app.signal("TERM");
    assert!(desk.app.ends_within(Duration::from_secs(20)), "AURA does not end");
    desk.app.start_again();
    let task = Task::new("Which timers are set?", "One, for tea.").calls("list_timers", json!({}));
    desk.does(task, "it is there after a restart", |desk| is_set(desk) && desk.model_was_told("seconds_left"));

    let task = Task::new("Cancel the timer.", "It is cancelled.").calls("cancel_timer", json!({"timer": 1}));
    desk.does(task, "the list is empty", |desk| timers(desk).is_empty());
}

fn a_page_is_opened(desk: &mut Desk, website: &Website) {
    let task = Task::new("Open the page of the tea shop.", "It is open.");
    let arguments = json!({"what": "address", "target": website.address()});
    let task = task.allows("open", arguments, &format!("Shall I open {}?", website.address()));
    desk.does(task, "the browser shows the page", |_| website.was_asked("/") && is_open("^Tea shop$"));
}

fn the_example_of_the_guide(desk: &mut Desk) {
    let steps = json!([
        {"text": "Open WhatsApp", "tool": "open", "arguments": {"what": "application", "target": "WhatsApp"}},
        {"text": "Send it to John", "tool": "send_message", "arguments": {"recipient": "John"}},
        {"text": "Copy the message", "tool": "set_clipboard", "arguments": {"text": "I am late."}},
    ]);
    let task = Task::new("Open WhatsApp and send a message to John that I am late.", "The message is copied.")
        .calls("show_plan", json!({"steps": steps}))
        .allows("set_clipboard", json!({"text": "I am late."}), "Shall I put “I am late.” on the clipboard?");
    let turn =
        desk.does(task, "AURA says what cannot be done, and copies the message", |_| clipboard() == "I am late.");
    let problems: Vec<&str> = turn["tools"][0]["action"]["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|step| step["problem"].as_str())
        .collect();
    let expected =
        ["There is no application named WhatsApp on this computer.", "AURA has no tool for this on this computer."];
    assert_eq!(problems, expected, "{turn:#}");
    let spoken = turn["spoken"].as_str().unwrap_or_default();
    for said in [
        "Step 1 (“Open WhatsApp”) cannot be done here: There is no application named WhatsApp on this computer.",
        "Step 2 (“Send it to John”) cannot be done here: AURA has no tool for this on this computer.",
    ] {
        assert!(spoken.contains(said), "“{said}” is not said: {spoken}");
    }
}

fn tasks_with_sound(desk: &mut Desk) {
    let before = volume();
    let task = Task::new("Set the volume to forty percent.", "It is done.");
    let question = "Shall I set the volume to 40 percent?";
    let task = task.allows("media", json!({"command": "volume", "percent": 40}), question);
    desk.does(task, "the sound server has 40 percent", |_| volume() == 40);

    desk.does(Task::new("Undo that.", ""), "the volume is as it was", |_| volume() == before);

    let player = Player::start(desk.folder());
    let task = Task::new("Pause the music.", "It is paused.");
    let task = task.allows("media", json!({"command": "pause"}), "Shall I pause the playback?");
    desk.does(task, "the player is paused", |_| player.status() == "Paused");

    let task = Task::new("Play it again.", "It plays.");
    let task = task.allows("media", json!({"command": "play"}), "Shall I go on playing?");
    desk.does(task, "the player plays", |_| player.status() == "Playing");

    let task = Task::new("Next title.", "That is the next one.");
    let task = task.allows("media", json!({"command": "next"}), "Shall I play the next title?");
    desk.does(task, "the player plays the next title", |_| player.title() == "two.wav");
}

fn tasks_with_windows(desk: &mut Desk) {
    let mut dialog = open_dialog();
    let task = Task::new("Sign me in as Maria.", "You are signed in.")
        .allows(
            "use_control",
            json!({"name": "Your name"}),
            "Shall I put the cursor into “Your name” in the window “Sign in”?",
        )
        .allows("type_text", json!({"text": "Maria"}), "Shall I type “Maria” into the window “Sign in”?")
        .allows("use_control", json!({"name": "OK"}), "Shall I press “OK” in the window “Sign in”?");
    desk.does(task, "the dialog has the name, and is closed", |_| !is_open("^Sign in$"));
    assert_eq!(dialog.first_line(), "Maria");

    let task = Task::new("Open the settings of the text editor.", "Here they are.");
    let arguments = json!({"what": "application", "target": "Text Editor Settings"});
    let task = task.allows("open", arguments, "Shall I open Text Editor Settings?");
    desk.does(task, "the editor's settings are open", |_| is_open("^Mousepad Preferences$"));
}

fn tasks_with_a_page(desk: &mut Desk, website: &Website) {
    let window = "Tea shop";
    let task = Task::new("What does this page offer?", "A search, and the button Find.");
    let task = task.allows("read_window", json!({}), &format!("May I read what is in the window “{window}”?"));
    desk.does(task, "the model knows the field and the button", |desk| {
        desk.model_was_told("entry “Search for”") && desk.model_was_told("button “Find”")
    });

    let task = Task::new("Search the shop for green tea.", "Here is what they have.")
        .allows(
            "use_control",
            json!({"name": "Search for"}),
            &format!("Shall I put the cursor into “Search for” in the window “{window}”?"),
        )
        .allows(
            "type_text",
            json!({"text": "green tea\n"}),
            &format!("Shall I type “green tea” into the window “{window}”?"),
        );
    desk.does(task, "the shop is asked for green tea", |_| website.was_asked("/find?q=green+tea"));
}
