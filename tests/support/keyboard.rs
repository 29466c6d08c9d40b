//! The keyboard alone, as somebody who has no pointer uses the windows.

use std::time::Duration;

use serde_json::{Value, json};

use crate::process::wait_until;
use crate::window::{CALLED, Window};

/// The keys by which the protocol of WebDriver knows them.
pub const TAB: &str = "\u{e004}";
/// Opens, sends, presses.
pub const ENTER: &str = "\u{e007}";
/// With Tab, goes back.
pub const SHIFT: &str = "\u{e008}";
/// Steps back.
pub const ESCAPE: &str = "\u{e00c}";
/// The choice before.
pub const UP: &str = "\u{e013}";
/// The next choice.
pub const DOWN: &str = "\u{e015}";

/// More stops than any panel has.
const STOPS: usize = 300;

/// What has the focus: whether it is what is looked for, its name, whether it is in sight, and whether it shows that it has the focus.
const FOCUSED: &str = r#"
const e = document.activeElement;
if (!e || e === document.body || e === document.documentElement) return null;
const name = [...nameOf(e), e.title ?? '', e.placeholder ?? ''].map((n) => n.trim().replace(/\s+/g, ' ')).find((n) => n !== '') ?? '';
const at = e.getBoundingClientRect();
const seen = at.width > 0 && at.height > 0 && at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth;
const ring = (x) => x && getComputedStyle(x).outlineStyle !== 'none' && parseFloat(getComputedStyle(x).outlineWidth) > 0;
const marked = ring(e) || ring(e.parentElement) || ring(e.parentElement?.parentElement);
return { here: is(e, arguments[0], arguments[1]), what: `${e.tagName.toLowerCase()} “${name.slice(0, 60)}”`, named: name !== '', seen, marked };
"#;

impl Window {
    /// Presses a key and lets it go.
    pub fn tap(&self, key: &str) {
        self.type_keys(key);
    }

    /// Types a text, key by key, to wherever the focus is.
    pub fn type_keys(&self, text: &str) {
        let edges = |letter: char| ["keyDown", "keyUp"].map(|edge| json!({"type": edge, "value": letter.to_string()}));
        self.keys(&text.chars().flat_map(edges).collect::<Vec<_>>());
    }

    /// What has the focus, asked whether it is this.
    fn focus(&self, role: &str, name: &str) -> Value {
        self.script(&format!("{CALLED}{FOCUSED}"), &[json!(role), json!(name)])
    }

    /// Whether the focus is on the element with this role and accessible name.
    pub fn is_focused(&self, role: &str, name: &str) -> bool {
        self.focus(role, name)["here"] == true
    }

    /// Waits until the focus is on the element with this role and accessible name.
    pub fn wait_for_focus(&self, role: &str, name: &str) {
        let there = wait_until(Duration::from_secs(20), || self.is_focused(role, name));
        assert!(there, "the focus is on {}, not on {role} “{name}”", self.focus("", "")["what"]);
    }

    /// Walks with Tab to the element with this role and accessible name. Every stop must have a name, be in sight and show that it has
    /// the focus.
    pub fn tab_to(&self, role: &str, name: &str) {
        // What is not there yet would be walked past.
        self.find(role, name);
        let mut passed = Vec::new();
        while passed.len() < STOPS {
            self.tap(TAB);
            let stop = self.focus(role, name);
            if stop.is_null() {
                // Between the last stop and the first one the page itself has the focus.
                passed.push("the page".to_owned());
                continue;
            }
            let what = stop["what"].as_str().unwrap_or_default().to_owned();
            assert_eq!(stop["named"], true, "a stop without a name: {what}, after {:?}", passed.last());
            // The page scrolls to it a moment after it has the focus.
            let in_sight = || self.focus(role, name)["seen"] == true;
            assert!(wait_until(Duration::from_secs(5), in_sight), "{what} has the focus and is not in sight");
            assert_eq!(stop["marked"], true, "{what} does not show that it has the focus");
            if stop["here"] == true {
                return;
            }
            passed.push(what);
        }
        panic!("Tab does not come to {role} “{name}”, but to {passed:#?}");
    }

    /// Walks with Tab to a control and presses it with Enter.
    pub fn press_by_key(&self, role: &str, name: &str) {
        self.tab_to(role, name);
        self.tap(ENTER);
    }

    /// Goes to another panel by its link in the rail, with the keyboard.
    pub fn go_by_key(&self, panel: &str) {
        self.press_by_key("link", panel);
        self.find("heading", panel);
    }

    /// Chooses in the list that has the focus, with the arrow keys.
    pub fn choose_by_key(&self, wanted: &str) {
        let chosen = || {
            let script = "const e = document.activeElement; return [e.selectedOptions?.[0]?.textContent ?? '', e.selectedIndex ?? -1, e.length ?? 0]";
            self.script(script, &[])
        };
        let shown = |now: &Value| now[0].as_str().is_some_and(|text| text.trim().starts_with(wanted));
        for _ in 0..100 {
            let before = chosen();
            if shown(&before) {
                return;
            }
            let last = before[1].as_i64().unwrap_or_default() + 1 >= before[2].as_i64().unwrap_or_default();
            self.tap(if last { UP } else { DOWN });
            // What was chosen may have to be taken by the engine before the list shows it.
            let moved = wait_until(Duration::from_secs(5), || chosen()[1] != before[1]);
            assert!(moved, "the list stays on {before}");
            assert!(!last || shown(&chosen()), "there is no “{wanted}” in the list");
        }
        panic!("“{wanted}” cannot be chosen; the list shows {}", chosen());
    }
}
