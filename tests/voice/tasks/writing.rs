//! Tasks with an editor, a terminal and the clipboard.

use std::time::Duration;

use aura_tests::desktop::with_desktop_and_accessibility;
use aura_tests::process::wait_until;
use serde_json::json;

use super::desk::{ANSWER_HERE, DICTATE, Desk, EDIT_SELECTION, Reply, Task, shown};
use super::programs::{Editor, clipboard, copy, home, is_open};

/// A sentence that the recogniser of the tests knows.
const MONEY: &str = "There are many people looking for money.";
const YEAR: &str = "It is going to be a good year.";
const BLUNT: &str = "Bring my book back.";

#[test]
fn tasks_of_writing() {
    with_desktop_and_accessibility("tasks::writing::tasks_of_writing", || {
        let letter = home().join("letter.txt");
        std::fs::write(&letter, "Dear Ana,\n").unwrap();
        let mut desk = Desk::start();

        let question = format!("Shall I open {}?", shown(&letter));
        let arguments = json!({"what": "file", "target": "~/letter.txt"});
        let task = Task::new("Open my letter.", "It is open.").allows("open", arguments, &question);
        desk.does(task, "the editor shows the file", |_| is_open("letter.txt"));
        let editor = Editor::of(letter);
        let window = &editor.title;

        let question = format!("Shall I press “Preferences...” in the window “{window}”?");
        let task = Task::new("Open the settings of this program.", "Here they are.");
        let task = task.allows("use_control", json!({"name": "Preferences"}), &question);
        desk.does(task, "its settings are open", |_| is_open("^Mousepad Preferences$"));

        let question = "May I read what is in the window “Mousepad Preferences”?";
        let task = Task::new("What does this window offer?", "Line numbers, a margin, and more.");
        let task = task.allows("read_window", json!({}), question);
        desk.does(task, "the model knows its boxes", |desk| desk.model_was_told("check box “Show line numbers”"));

        let question = "Shall I press Alt+F4 in the window “Mousepad Preferences”?";
        let task = Task::new("Close the settings.", "They are closed.");
        let task = task.allows("press_shortcut", json!({"keys": "Alt+F4"}), question);
        desk.does(task, "they are closed", |_| !is_open("^Mousepad Preferences$"));

        editor.press(&["ctrl+End"]);
        let dictated = format!("Dear Ana,\n{MONEY}");
        let task = Task::under(DICTATE, MONEY, "");
        desk.does(task, "the words are in the file", |_| editor.saved() == dictated);

        editor.press(&["ctrl+End", "Return"]);
        let task = Task::under(ANSWER_HERE, "Say that I want my book back.", BLUNT);
        let both = format!("{dictated}\n{BLUNT}");
        desk.does(task, "the answer is in the file", |_| editor.saved() == both);

        editor.select(&["shift+Home"], BLUNT);
        let friendly = "Would you bring my book, please?";
        let task = Task::under(EDIT_SELECTION, "Make this paragraph friendlier.", friendly);
        let changed = format!("{dictated}\n{friendly}");
        desk.does(task, "the file has the new paragraph", |_| editor.saved() == changed);
        let old_again = || {
            editor.press(&["ctrl+z"]);
            wait_until(Duration::from_secs(5), || editor.saved() == both)
        };
        assert!(old_again(), "one undo gives “{}”", editor.saved());

        editor.select(&["ctrl+Home", "Down", "shift+End"], MONEY);
        let task = Task::new("Read the selection to me.", MONEY);
        let task = task.allows("read_selection", json!({}), "May I read the selected text?");
        desk.does(task, "the loudspeaker says it", |desk| desk.model_was_told(MONEY) && desk.was_said(MONEY));

        let copied = copy(YEAR);
        let task = Task::new("What is on the clipboard?", YEAR);
        let task = task.allows("read_clipboard", json!({}), "May I read the clipboard?");
        desk.does(task, "the model knows it", |desk| desk.model_was_told(YEAR));

        let task = Task::new("Copy the address of the station.", "It is on the clipboard.");
        let question = "Shall I put “12 Long Road” on the clipboard?";
        let task = task.allows("set_clipboard", json!({"text": "12 Long Road"}), question);
        desk.does(task, "another program pastes it", |_| clipboard() == "12 Long Road");
        drop(copied);

        let task = Task::new("Undo that.", "");
        desk.does(task, "the clipboard holds the old text", |_| clipboard() == YEAR);

        editor.press(&["ctrl+End", "Return"]);
        let task = Task::new("Write down here what I copied.", "It is there.")
            .allows("read_clipboard", json!({}), "May I read the clipboard?")
            .allows("type_text", json!({"text": YEAR}), &format!("Shall I type “{YEAR}” into the window “*{window}”?"));
        let typed = format!("{both}\n{YEAR}");
        desk.does(task, "it is typed, and not yet saved", |_| is_open(r"^\*.*letter.txt") && editor.file() == both);

        let question = format!("Shall I press Ctrl+S in the window “*{window}”?");
        let task = Task::new("Save it.", "It is saved.").allows("press_shortcut", json!({"keys": "Ctrl+S"}), &question);
        desk.does(task, "the file holds it", |_| editor.file() == typed);

        let task = Task::new("Open a terminal.", "It is open.");
        let arguments = json!({"what": "application", "target": "terminal"});
        let task = task.allows("open", arguments, "Shall I open Terminal?");
        desk.does(task, "the terminal is open", |_| is_open("^Terminal$"));

        let told = desk.folder().join("told");
        let command = format!("cp ~/letter.txt {}\n", told.display());
        let task = Task::new("Copy my letter in the terminal.", "It is copied.");
        let question = format!("Shall I type “{}” into the window “Terminal”?", command.trim_end());
        let task = task.allows("type_text", json!({"text": command}), &question);
        desk.does(task, "the command has run", |_| {
            std::fs::read_to_string(&told).is_ok_and(|text| text.contains(YEAR))
        });

        let question = "Shall I type “rm ~/letter.txt” into the window “Terminal”?";
        let task = Task::new("Delete my letter.", "I did not delete it.");
        let task = task.asks("type_text", json!({"text": "rm ~/letter.txt\n"}), question, Reply::No);
        desk.does(task, "the file is still there", |_| editor.file() == typed);

        let arguments = json!({"keys": "Alt+F4"});
        let question = "Shall I press Alt+F4 in the window “Terminal”?";
        let task = Task::new("Close the terminal.", "");
        let task = task.asks("press_shortcut", arguments.clone(), question, Reply::Escape);
        desk.does(task, "it stays open", |_| is_open("^Terminal$"));

        let task = Task::new("Do close the terminal.", "It is closed.");
        desk.does(task.allows("press_shortcut", arguments, question), "it is closed", |_| !is_open("^Terminal$"));
        desk.report();
    });
}
