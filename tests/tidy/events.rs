//! The interface handles every event that Rust sends, and no others.

use std::collections::BTreeSet;

use super::{files, root};

const EVENTS: &str = "src-tauri/crates/aura-core/src/event.rs";

/// The events that Rust sends, as they are named in JSON.
fn sent() -> BTreeSet<String> {
    let source = std::fs::read_to_string(root().join(EVENTS)).expect("the events are there");
    let items = syn::parse_file(&source).expect("the file compiles").items;
    let event = items.into_iter().find_map(|item| match item {
        syn::Item::Enum(item) if item.ident == "Event" => Some(item),
        _ => None,
    });
    let variants = event.expect("the enum of events").variants;
    let names: BTreeSet<String> = variants.iter().map(|variant| snake(&variant.ident.to_string())).collect();
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

/// The events that a source of the interface handles: cases of a switch over the event's type, and comparisons with it.
fn handled(source: &str) -> BTreeSet<String> {
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
fn the_interface_handles_exactly_the_events_that_are_sent() {
    let sent = sent();
    let sources = files("ui/src", &[".ts", ".svelte"]);
    let product = sources
        .iter()
        .filter(|(path, _)| !path.to_string_lossy().contains(".test.") && !path.starts_with("ui/src/generated"));
    let (mut main, mut all) = (BTreeSet::new(), BTreeSet::new());
    for (path, source) in product {
        // Keyboard and pointer events have a type too; no code switches over it.
        let names = handled(source);
        if !path.starts_with("ui/src/overlay") {
            main.extend(names.clone());
        }
        all.extend(names);
    }
    assert_eq!(main, sent, "the events that the main window handles (left) and those that are sent (right)");
    assert_eq!(all, sent, "the events that both windows handle (left) and those that are sent (right)");
}
