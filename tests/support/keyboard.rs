//! Use of the windows by keyboard alone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::process::wait_until;
use crate::window::{ROLE_AND_NAME, Window};

/// Moves the focus forward. Keys have the codes of the WebDriver protocol.
pub const TAB: &str = "\u{e004}";
/// Activates a control, or sends.
pub const ENTER: &str = "\u{e007}";
/// With [`TAB`], moves the focus back.
pub const SHIFT: &str = "\u{e008}";
/// Closes or cancels.
pub const ESCAPE: &str = "\u{e00c}";
/// Selects the previous option.
pub const UP: &str = "\u{e013}";
/// Selects the next tab.
pub const RIGHT: &str = "\u{e014}";
/// Selects the next option.
pub const DOWN: &str = "\u{e015}";

/// The most focus stops that a panel may have.
const MAX_STOPS: usize = 300;

/// The focused element: whether it matches the role and name, its description, whether it is in view, and whether its focus is visible.
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
    /// Presses and releases a key.
    pub fn tap(&self, key: &str) {
        self.type_keys(key);
    }

    /// Types a text, key by key, into the focused element.
    pub fn type_keys(&self, text: &str) {
        let edges = |letter: char| ["keyDown", "keyUp"].map(|edge| json!({"type": edge, "value": letter.to_string()}));
        self.keys(&text.chars().flat_map(edges).collect::<Vec<_>>());
    }

    /// The focused element, compared with a role and accessible name.
    fn focus(&self, role: &str, name: &str) -> Value {
        self.script(&format!("{ROLE_AND_NAME}{FOCUSED}"), &[json!(role), json!(name)])
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

    /// Moves with Tab to the element with this role and accessible name. Every stop must have a name, be in view and show its focus.
    pub fn tab_to(&self, role: &str, name: &str) {
        // An element that does not exist yet would be passed.
        self.find(role, name);
        let mut passed = Vec::new();
        while passed.len() < MAX_STOPS {
            self.tap(TAB);
            let stop = self.focus(role, name);
            if stop.is_null() {
                // Between the last and the first stop, the page itself has the focus.
                passed.push("the page".to_owned());
                continue;
            }
            let what = stop["what"].as_str().unwrap_or_default().to_owned();
            assert_eq!(stop["named"], true, "a stop without a name: {what}, after {:?}", passed.last());
            // The page scrolls a moment after the focus moves.
            let in_sight = || self.focus(role, name)["seen"] == true;
            assert!(wait_until(Duration::from_secs(5), in_sight), "{what} has the focus and is not in view");
            assert_eq!(stop["marked"], true, "{what} does not show that it has the focus");
            if stop["here"] == true {
                return;
            }
            passed.push(what);
        }
        panic!("Tab does not reach {role} “{name}”, but {passed:#?}");
    }

    /// Moves with Tab to a control and activates it with Enter.
    pub fn press_by_key(&self, role: &str, name: &str) {
        self.tab_to(role, name);
        self.tap(ENTER);
    }

    /// Opens another panel by its link in the rail.
    pub fn go_by_key(&self, panel: &str) {
        self.press_by_key("link", panel);
        self.find("heading", panel);
    }

    /// Selects an option of the focused list with the arrow keys.
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
            // The list may show the new option only once the engine has applied it.
            let moved = wait_until(Duration::from_secs(5), || chosen()[1] != before[1]);
            assert!(moved, "the list stays on {before}");
            assert!(!last || shown(&chosen()), "there is no “{wanted}” in the list");
        }
        panic!("“{wanted}” cannot be chosen; the list shows {}", chosen());
    }
}
