//! Every event that Rust sends has a listener in the interface, and every listener has a sender.

use std::collections::BTreeSet;

use super::{files, root};

/// The names of the events as they are on the wire.
fn sent() -> BTreeSet<String> {
    let source =
        std::fs::read_to_string(root().join("src-tauri/crates/aura-core/src/event.rs")).expect("the events are there");
    let body = source
        .split("pub enum Event {")
        .nth(1)
        .and_then(|rest| rest.split("\n}\n").next())
        .expect("the enum of events");
    let variants = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    let names: BTreeSet<String> = variants.map(|line| snake(line.trim_end_matches([' ', '{', ',']))).collect();
    assert!(names.len() > 5, "the events were not found: {names:?}");
    names
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// The events that a file listens to: cases of a switch over the event's type, and comparisons with it.
fn heard(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let quoted = |rest: &str| rest.split('\'').nth(1).map(str::to_owned);
    names.extend(source.split("event.type === ").skip(1).filter_map(quoted));
    for switch in source.split("switch (event.type) {").skip(1) {
        let mut depth = 1;
        for line in switch.lines() {
            if let (1, Some(rest)) = (depth, line.trim().strip_prefix("case ")) {
                names.extend(quoted(rest));
            }
            depth += line.matches('{').count();
            depth = depth.saturating_sub(line.matches('}').count());
            if depth == 0 {
                break;
            }
        }
    }
    names
}

#[test]
fn senders_and_listeners_are_the_same() {
    let sent = sent();
    let sources = files("ui/src", &[".ts", ".svelte"]);
    let product = sources
        .iter()
        .filter(|(path, _)| !path.to_string_lossy().contains(".test.") && !path.starts_with("ui/src/generated"));
    let (mut main, mut all) = (BTreeSet::new(), BTreeSet::new());
    for (path, source) in product {
        // Keyboard and pointer events have types too, but nobody switches over them.
        let names = heard(source);
        if !path.starts_with("ui/src/hud") {
            main.extend(names.clone());
        }
        all.extend(names);
    }
    assert_eq!(main, sent, "what the main window listens to, and what is sent");
    assert_eq!(all, sent, "what both windows listen to, and what is sent");
}
