//! axe-core in the real windows: what a page does that keeps somebody out.

use std::path::Path;

use serde_json::{Value, json};

use crate::window::Window;

/// Where the interface's packages have it.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/node_modules/axe-core/axe.min.js");

/// Runs every rule and gives each violation in a line, with the elements it is about.
const RUN: &str = r#"
const done = arguments[arguments.length - 1];
const line = (of) => `${of.id} (${of.impact}): ${of.help}\n` + of.nodes.map((node) => `    ${node.target.join(' ')}: ${node.failureSummary?.replace(/\s+/g, ' ')}`).join('\n');
axe.run(document, { resultTypes: ['violations'] }).then(
  (found) => done({ violations: found.violations.map(line), passed: found.passes.length }),
  (thrown) => done({ error: String(thrown), stack: thrown?.stack }),
);
"#;

impl Window {
    /// What axe-core finds wrong with the page as it is now.
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
        // A page on which nothing could be looked at would have no violation either.
        assert!(found["passed"].as_u64().is_some_and(|rules| rules > 5), "axe-core saw nothing: {found:#}");
        let lines = found["violations"].as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.map(str::to_owned).collect()
    }
}
