//! Accessibility checks by axe-core in the real windows.

use std::path::Path;

use serde_json::{Value, json};

use crate::window::Window;

/// The script in the packages of the interface.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/node_modules/axe-core/axe.min.js");

/// Runs every rule and returns a line per violation, with the elements concerned.
const RUN: &str = r#"
const done = arguments[arguments.length - 1];
const line = (of) => `${of.id} (${of.impact}): ${of.help}\n` + of.nodes.map((node) => `    ${node.target.join(' ')}: ${node.failureSummary?.replace(/\s+/g, ' ')}`).join('\n');
axe.run(document, { resultTypes: ['violations'] }).then(
  (found) => done({ violations: found.violations.map(line), passed: found.passes.length }),
  (thrown) => done({ error: String(thrown), stack: thrown?.stack }),
);
"#;

impl Window {
    /// The violations that axe-core finds in the page as it is now.
    pub fn violations(&self) -> Vec<String> {
        if self.script("return typeof window.axe", &[]) != json!("object") {
            let source = std::fs::read_to_string(Path::new(AXE)).unwrap_or_else(|cause| {
                panic!("axe-core is missing ({cause}): run `npm ci` in ui, or `cargo xtask test`")
            });
            self.script(&format!("{source}\nreturn typeof window.axe"), &[]);
        }
        self.wait_until_still();
        let found = self.script_async(RUN, &[]);
        assert!(found["error"].is_null(), "axe-core did not finish: {found:#}");
        // A page on which no rule could be applied has no violations either.
        assert!(found["passed"].as_u64().is_some_and(|rules| rules > 5), "axe-core applied no rules: {found:#}");
        let lines = found["violations"].as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.map(str::to_owned).collect()
    }
}
