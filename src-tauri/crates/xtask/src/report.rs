//! The report at the end of `cargo xtask test`: the duration of each step, the slowest tests and the test runners' summary lines.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::durations::TestDurations;
use crate::program::{self, Result};

/// The steps so far, with what their test runners printed.
#[derive(Debug)]
pub(crate) struct Report {
    begun: Instant,
    /// Whether another lane prints at the same time.
    is_lane: bool,
    steps: Vec<(&'static str, Duration, bool)>,
    durations: TestDurations,
    lines: Vec<String>,
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            is_lane: false,
            steps: Vec::new(),
            durations: TestDurations::default(),
            lines: Vec::new(),
            passed: 0,
            failed: 0,
            skipped: 0,
        }
    }
}

impl Report {
    /// Runs steps in two lanes at the same time. A failure in one does not stop the other.
    pub(crate) fn lanes(
        &mut self,
        first: impl FnOnce(&mut Self) -> Result + Send,
        second: impl FnOnce(&mut Self) -> Result + Send,
    ) -> Result {
        let lane = || Self { is_lane: true, ..Self::default() };
        let (mut one, mut other) = (lane(), lane());
        let (done_one, done_other) = std::thread::scope(|scope| {
            let running = scope.spawn(|| second(&mut other));
            let done = first(&mut one);
            (done, running.join().unwrap_or_else(|_| Err("a lane of tests panicked".into())))
        });
        for lane in [one, other] {
            self.steps.extend(lane.steps);
            self.durations.append(lane.durations);
            self.lines.extend(lane.lines);
            self.passed += lane.passed;
            self.failed += lane.failed;
            self.skipped += lane.skipped;
        }
        done_one.and(done_other)
    }

    /// Runs one step and records its duration and whether it succeeded.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce(&mut Self) -> Result) -> Result {
        println!("\n== {name}");
        let (begun, failed_before) = (Instant::now(), self.failed);
        let done = work(self);
        self.steps.push((name, begun.elapsed(), done.is_ok()));
        if done.is_err() && self.failed == failed_before {
            // Not a test but a build, a lint or a missing program failed.
            self.failed += 1;
        }
        done
    }

    /// Runs a command and reads test durations and summary lines from its output. `label` precedes the summary lines in the report.
    pub(crate) fn watch(&mut self, label: &str, command: &mut Command) -> Result {
        let prefix = if self.is_lane { format!("{label:8}| ") } else { String::new() };
        program::watch(command, &prefix, |line| self.read(label, line))
    }

    fn read(&mut self, label: &str, line: &str) {
        self.durations.read(line);
        let Some(counts) = summary(line) else { return };
        self.passed += counts.passed;
        self.failed += counts.failed;
        self.skipped += counts.skipped;
        if counts != Counts::default() {
            self.lines.push(format!("{label:8} {}", line.trim()));
        }
    }

    /// Prints the steps, the slowest tests, the runners' summary lines and, last, their sum.
    pub(crate) fn close(&self) {
        println!("\n{:<16} {:>8}", "step", "seconds");
        for (name, took, good) in &self.steps {
            println!("{name:<16} {:>8.1} {}", took.as_secs_f64(), if *good { "" } else { "failed" });
        }
        // Less than the sum: some steps run beside each other.
        println!("{:<16} {:>8.1}\n", "all", self.begun.elapsed().as_secs_f64());
        let slowest = self.durations.slowest();
        if !slowest.is_empty() {
            println!("{:>8}  slowest tests", "seconds");
            for (duration, name) in slowest {
                println!("{:>8.3}  {name}", duration.as_secs_f64());
            }
            println!();
        }
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

/// The counts in a summary line of libtest, Vitest or pytest.
fn summary(line: &str) -> Option<Counts> {
    let line = line.trim();
    let libtest = line.starts_with("test result:");
    // Vitest prints one line for files and one for tests.
    let vitest = line.starts_with("Tests ") && line.ends_with(')');
    let pytest = line.contains(" in ")
        && line.ends_with('s')
        && line.starts_with(|first: char| first.is_ascii_digit() || first == '=');
    let pytest = pytest || (line.starts_with('=') && line.ends_with('=') && line.contains(" in "));
    if !(libtest || vitest || pytest) {
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

    fn counts(passed: u64, failed: u64, skipped: u64) -> Option<Counts> {
        Some(Counts { passed, failed, skipped })
    }

    #[test]
    fn the_summary_line_of_each_runner_is_parsed() {
        let libtest =
            "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.52s";
        assert_eq!(summary(libtest), counts(12, 1, 2));
        assert_eq!(summary("      Tests  1 failed | 35 passed (36)"), counts(35, 1, 0));
        assert_eq!(summary(" Test Files  4 passed (4)"), None);
        assert_eq!(summary("21 passed in 4.31s"), counts(21, 0, 0));
        assert_eq!(summary("===== 2 failed, 19 passed, 1 skipped in 61.20s (0:01:01) ====="), counts(19, 2, 1));
        assert_eq!(summary("===== slowest 10 durations ====="), None);
        assert_eq!(summary("    Finished `test` profile [unoptimized] target(s) in 1.2s"), None);
        assert_eq!(summary("12 modules transformed in 3s"), None);
    }

    #[test]
    fn both_lanes_run_to_their_end_and_are_counted() {
        let mut report = Report::default();
        let done = report.lanes(
            |lane| lane.step("one", |_| Err("broken".into())),
            |lane| {
                lane.step("two", |lane| {
                    lane.read("two", "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured");
                    Ok(())
                })
            },
        );
        assert_eq!((done, report.passed, report.failed), (Err("broken".into()), 5, 1));
        assert_eq!(
            report.steps.iter().map(|(name, _, good)| (*name, *good)).collect::<Vec<_>>(),
            [("one", false), ("two", true)]
        );
    }

    #[test]
    fn a_step_that_fails_without_a_failed_test_counts_as_one_failure() {
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
