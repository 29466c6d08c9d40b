//! Durations of single tests, read from what libtest, Vitest and pytest print.

use std::time::Duration;

/// How many tests the report lists.
const LISTED: usize = 10;

/// The durations of all tests so far.
#[derive(Debug, Default)]
pub(crate) struct TestDurations {
    tests: Vec<(Duration, String)>,
    /// Where the tests that follow come from: a test binary or a Vitest file.
    origin: String,
    /// A test that libtest has announced but not finished. With one test thread, output of the test may stand between the two.
    unfinished: Option<String>,
}

impl TestDurations {
    /// Reads the duration of a test from a printed line without colours. Other lines are ignored.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(binary) = line.strip_prefix(super::test_runner::BINARY_LINE) {
            binary.clone_into(&mut self.origin);
        } else if let Some(file) = vitest_file(line) {
            file.clone_into(&mut self.origin);
        } else if let Some((name, duration)) = vitest_test(line) {
            self.add(name, duration);
        } else if let Some((node, duration)) = pytest_call(line) {
            self.tests.push((duration, node.to_owned()));
        } else {
            self.read_libtest(line);
        }
    }

    /// Adds the durations that another lane read.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.tests.append(&mut other.tests);
    }

    fn read_libtest(&mut self, line: &str) {
        if let Some((name, _)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ...")) {
            self.unfinished = Some(name.to_owned());
        }
        if let Some(duration) = libtest_result(line)
            && let Some(name) = self.unfinished.take()
        {
            self.add(&name, duration);
        }
    }

    fn add(&mut self, name: &str, duration: Duration) {
        self.tests.push((duration, format!("{} {name}", self.origin).trim_start().to_owned()));
    }

    /// The slowest tests, the slowest first.
    pub(crate) fn slowest(&self) -> Vec<&(Duration, String)> {
        let mut tests: Vec<_> = self.tests.iter().collect();
        tests.sort_by_key(|(duration, _)| std::cmp::Reverse(*duration));
        tests.truncate(LISTED);
        tests
    }
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// The end of `test name ... ok <0.005s>`, as libtest prints it with `--report-time`.
fn libtest_result(line: &str) -> Option<Duration> {
    let (result, duration) = line.strip_suffix("s>")?.rsplit_once(" <")?;
    (result.ends_with("ok") || result.ends_with("FAILED")).then(|| seconds(duration))?
}

/// Vitest's mark before a file or a test that passed, or failed.
fn vitest_marked(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix(['✓', '×', '❯']).map(str::trim)
}

/// The file in `✓ src/talk/Talk.test.ts (28 tests) 2628ms`; its tests follow.
fn vitest_file(line: &str) -> Option<&str> {
    let (file, counts) = vitest_marked(line)?.split_once(" (")?;
    (file.ends_with(".test.ts") && counts.contains(" test")).then_some(file)
}

/// A test in `✓ shows the question 622ms`. Vitest prints tests above its `slowTestThreshold` of 300 ms, and those that failed.
fn vitest_test(line: &str) -> Option<(&str, Duration)> {
    let (name, milliseconds) = vitest_marked(line)?.strip_suffix("ms")?.rsplit_once(' ')?;
    Some((name.trim_end(), Duration::from_millis(milliseconds.parse().ok()?)))
}

/// A test in `1.20s call     tests/sdk/check_sandbox.py::test_chat`, as pytest prints it with `--durations`.
fn pytest_call(line: &str) -> Option<(&str, Duration)> {
    let (duration, node) = line.split_once("s call ")?;
    Some((node.trim(), seconds(duration)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slowest(lines: &[&str]) -> Vec<(u128, String)> {
        let mut durations = TestDurations::default();
        lines.iter().for_each(|line| durations.read(line));
        durations.slowest().into_iter().map(|(duration, name)| (duration.as_millis(), name.clone())).collect()
    }

    #[test]
    fn libtest_durations_are_listed_slowest_first_with_their_binary() {
        let lines = [
            "test binary: aura_core",
            "running 4 tests",
            "test router::fails_over ... ok <0.005s>",
            "test router::panics - should panic ... ok <0.000s>",
            "test turn::speaks ... FAILED <1.250s>",
            "test turn::is_ignored ... ignored",
            "test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.26s",
        ];
        let expected = [
            (1250, "aura_core turn::speaks".to_owned()),
            (5, "aura_core router::fails_over".to_owned()),
            (0, "aura_core router::panics - should panic".to_owned()),
        ];
        assert_eq!(slowest(&lines), expected);
    }

    #[test]
    fn output_between_a_libtest_name_and_its_result_is_skipped() {
        let lines = ["test opens ... listening", "on port <80s>", "ok <2.500s>", "test closes ... bye ok <0.100s>"];
        assert_eq!(slowest(&lines), [(2500, "opens".to_owned()), (100, "closes".to_owned())]);
    }

    #[test]
    fn vitest_durations_are_listed_with_their_file() {
        let lines = [
            " ✓ src/talk/Talk.test.ts (28 tests) 2628ms",
            "     ✓ when empty says what will happen  499ms",
            " ❯ src/hud/Hud.test.ts (6 tests | 1 failed) 2100ms",
            "     × shows the question  622ms",
            "   Duration  69.18s (transform 3.13s, setup 5.06s)",
        ];
        let expected = [
            (622, "src/hud/Hud.test.ts shows the question".to_owned()),
            (499, "src/talk/Talk.test.ts when empty says what will happen".to_owned()),
        ];
        assert_eq!(slowest(&lines), expected);
    }

    #[test]
    fn pytest_durations_are_listed_without_setup() {
        let lines = [
            "1.20s call     tests/sdk/check_sandbox.py::test_chat",
            "0.40s setup    tests/sdk/check_sandbox.py::test_chat",
            "21 passed in 4.31s",
        ];
        assert_eq!(slowest(&lines), [(1200, "tests/sdk/check_sandbox.py::test_chat".to_owned())]);
    }

    #[test]
    fn ten_tests_are_listed() {
        let lines: Vec<String> = (0..30).map(|index| format!("test number_{index} ... ok <0.{index:03}s>")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let listed = slowest(&lines);
        assert_eq!((listed.len(), listed[0].0, listed[9].0), (10, 29, 20));
    }
}
