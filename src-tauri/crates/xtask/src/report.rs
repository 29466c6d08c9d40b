//! What the test runners said, kept for the end.

use std::time::{Duration, Instant};

use crate::program::Result;

/// The steps so far, and the runners' own summary lines.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<(&'static str, Duration, bool)>,
    lines: Vec<String>,
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Report {
    /// Does one step and notes how long it took and how it ended.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce(&mut Self) -> Result) -> Result {
        println!("\n== {name}");
        let (begun, failed_before) = (Instant::now(), self.failed);
        let done = work(self);
        self.steps.push((name, begun.elapsed(), done.is_ok()));
        if done.is_err() && self.failed == failed_before {
            // Something else than a test failed: a build, a lint, a missing program.
            self.failed += 1;
        }
        done
    }

    /// Looks for a test runner's summary in a line that was printed.
    pub(crate) fn read(&mut self, step: &str, line: &str) {
        let Some(counts) = counts(line) else { return };
        self.passed += counts.passed;
        self.failed += counts.failed;
        self.skipped += counts.skipped;
        if counts != Counts::default() {
            self.lines.push(format!("{step:8} {}", line.trim()));
        }
    }

    /// Prints the steps, the runners' lines and the sum, which comes last.
    pub(crate) fn close(&self) {
        println!("\n{:<12} {:>8}", "step", "seconds");
        for (name, took, good) in &self.steps {
            println!("{name:<12} {:>8.1} {}", took.as_secs_f64(), if *good { "" } else { "failed" });
        }
        let all: Duration = self.steps.iter().map(|(_, took, _)| *took).sum();
        println!("{:<12} {:>8.1}\n", "all", all.as_secs_f64());
        for line in &self.lines {
            println!("{line}");
        }
        match self.skipped {
            0 => println!("{} passed, {} failed", self.passed, self.failed),
            skipped => println!("{} passed, {} failed, {skipped} skipped", self.passed, self.failed),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// The counts in a summary line of cargo's test harness, Vitest or pytest.
fn counts(line: &str) -> Option<Counts> {
    let line = line.trim();
    let cargo = line.starts_with("test result:");
    // Vitest has a line for files and one for tests.
    let vitest = line.starts_with("Tests ") && line.ends_with(')');
    let pytest = line.contains(" in ")
        && line.ends_with('s')
        && line.starts_with(|first: char| first.is_ascii_digit() || first == '=');
    let pytest = pytest || (line.starts_with('=') && line.ends_with('=') && line.contains(" in "));
    if !(cargo || vitest || pytest) {
        return None;
    }
    let number = |words: &[&str]| -> u64 {
        let text: Vec<&str> = line.split([' ', ',', ';', '|', '=']).filter(|word| !word.is_empty()).collect();
        let found =
            text.windows(2).filter(|pair| words.contains(&pair[1])).filter_map(|pair| pair[0].parse::<u64>().ok());
        found.sum()
    };
    let counts = Counts {
        passed: number(&["passed"]),
        failed: number(&["failed", "error", "errors"]),
        skipped: number(&["ignored", "skipped"]),
    };
    (pytest <= (counts != Counts::default())).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(passed: u64, failed: u64, skipped: u64) -> Option<Counts> {
        Some(Counts { passed, failed, skipped })
    }

    #[test]
    fn each_runner_is_understood() {
        let cargo =
            "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.52s";
        assert_eq!(counts(cargo), three(12, 1, 2));
        assert_eq!(counts("      Tests  1 failed | 35 passed (36)"), three(35, 1, 0));
        assert_eq!(counts(" Test Files  4 passed (4)"), None);
        assert_eq!(counts("21 passed in 4.31s"), three(21, 0, 0));
        assert_eq!(counts("===== 2 failed, 19 passed, 1 skipped in 61.20s (0:01:01) ====="), three(19, 2, 1));
        assert_eq!(counts("    Finished `test` profile [unoptimized] target(s) in 1.2s"), None);
        assert_eq!(counts("12 modules transformed in 3s"), None);
    }

    #[test]
    fn a_step_that_fails_without_a_test_counts() {
        let mut report = Report::default();
        let done = report.step("lint", |_| Err("warnings".into()));
        assert_eq!((done.is_err(), report.failed), (true, 1));
        let done = report.step("unit", |report| {
            report.read("unit", "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured");
            Err("tests failed".into())
        });
        assert_eq!((done.is_err(), report.passed, report.failed), (true, 1, 3));
    }
}
