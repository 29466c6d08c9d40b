//! `cargo xtask test`: all tests, or those of one kind.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::program::Result;
use crate::report::Report;
use crate::steps;
use crate::system::{self, Purpose};
use crate::test_runner::TestRunner;

/// The tests to run.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Run only tests of this kind, after the builds that they need.
    #[arg(long)]
    only: Option<Kind>,
    /// Arguments for the test binaries, such as a part of the tests' names.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// The kinds of tests. A full run begins with those that fail fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The assistant and the libraries below it, with no system library for sound, windows or web pages available.
    Core,
    /// The interface: types, style, tests, build.
    Ui,
    /// Formatting, clippy, and warnings of the documentation.
    Lint,
    /// Tests within each crate, the architecture's invariants, the fault matrix, and packaging of the public libraries.
    Unit,
    /// The official Python clients against the sandbox.
    Sdk,
    /// The local API: its routes, its access checks, the guide and OpenAI's client.
    Api,
    /// The command line as a user runs it.
    Cli,
    /// Speech in, speech out, through a sound server.
    Voice,
    /// The real window.
    Desktop,
    /// The real app, killed at random moments of a turn.
    Kill,
}

impl Test {
    /// Runs the tests and prints a report that ends with the test runners' summary lines.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        system::prepare(match self.only {
            Some(Kind::Core | Kind::Ui) => Purpose::Nothing,
            _ => Purpose::Test,
        })?;
        let runner = TestRunner::new(&self.arguments)?;
        let mut report = Report::default();
        let done = self.run(&mut report, &runner);
        if let Err(message) = &done {
            eprintln!("\nerror: {message}");
        }
        report.close();
        Ok(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn run(&self, report: &mut Report, runner: &TestRunner) -> Result {
        let is_selected = |kind: Kind| self.only.is_none_or(|only| only == kind);
        let whole_system =
            [Kind::Sdk, Kind::Api, Kind::Cli, Kind::Voice, Kind::Desktop, Kind::Kill].into_iter().any(is_selected);
        if is_selected(Kind::Lint) {
            report.step("format", |_| steps::format())?;
        }
        if self.only.is_none() {
            report.lanes(
                |lane| lane.step("core", |report| steps::core(report, runner, false)),
                |lane| lane.step("interface", steps::interface),
            )?;
        } else if self.only == Some(Kind::Core) {
            report.step("core", |report| steps::core(report, runner, true))?;
        } else if self.only == Some(Kind::Ui) {
            report.step("interface", steps::interface)?;
        } else {
            report.step("interface", |_| crate::ui::build())?;
        }
        if is_selected(Kind::Lint) {
            report.step("clippy", |_| steps::clippy())?;
            report.step("documentation", |_| steps::documentation())?;
        }
        if is_selected(Kind::Unit) || whole_system {
            report.step("build", |_| steps::build())?;
            report.step("models", |_| steps::models())?;
        }
        if is_selected(Kind::Unit) {
            report.step("unit", |report| steps::unit(report, runner, self.only.is_none()))?;
            // With arguments, the user wants particular tests and not the packages.
            if self.arguments.is_empty() {
                report.step("packages", |_| steps::packages())?;
            }
        }
        let kinds = |report: &mut Report, kinds: &[(Kind, &'static str)]| -> Result {
            for (kind, name) in kinds.iter().filter(|(kind, _)| is_selected(*kind)) {
                report.step(name, |report| match kind {
                    Kind::Sdk => crate::sdk::check(report, &self.arguments),
                    Kind::Api => steps::api(report, runner),
                    _ => steps::whole_system(report, runner, name),
                })?;
            }
            Ok(())
        };
        report.lanes(
            |lane| kinds(lane, &[(Kind::Sdk, "sdk"), (Kind::Api, "api")]),
            |lane| kinds(lane, &[(Kind::Cli, "cli")]),
        )?;
        // A recording has gaps when the computer is busy, so the tests with sound have it for themselves.
        kinds(report, &[(Kind::Voice, "voice"), (Kind::Desktop, "desktop"), (Kind::Kill, "kill")])
    }
}
