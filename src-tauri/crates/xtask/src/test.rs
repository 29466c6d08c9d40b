//! `cargo xtask test`: every test there is, or one kind of them.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::program::Result;
use crate::report::Report;
use crate::steps;
use crate::system::{self, Purpose};

/// What is tested.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Only one kind, with what it needs.
    #[arg(long)]
    only: Option<Kind>,
    /// Goes to the tests themselves, such as a part of their names.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// The kinds of tests, in the order of a whole run: what is quick to fail comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The assistant, with no library for sound, windows or web pages in reach.
    Core,
    /// The interface: types, style, tests, build.
    Ui,
    /// Formatting and clippy.
    Lint,
    /// Tests within each crate, and the architecture's invariants.
    Unit,
    /// The official Python clients against the sandbox.
    Sdk,
    /// The HTTP door: its routes, its guard, the guide and OpenAI's client.
    Api,
    /// The command line as a person uses it.
    Cli,
    /// Speech in, speech out, through a sound server.
    Voice,
    /// The real window.
    Desktop,
}

impl Test {
    /// Runs the tests and prints what came out; the runners' own words come last.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        system::prepare(match self.only {
            Some(Kind::Core | Kind::Ui) => Purpose::Nothing,
            _ => Purpose::Test,
        })?;
        let mut report = Report::default();
        let done = self.run(&mut report);
        if let Err(message) = &done {
            eprintln!("\nerror: {message}");
        }
        report.close();
        Ok(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn run(&self, report: &mut Report) -> Result {
        let wants = |kind| self.only.is_none_or(|only| only == kind);
        let whole_system = [Kind::Sdk, Kind::Api, Kind::Cli, Kind::Voice, Kind::Desktop].into_iter().any(wants);
        if wants(Kind::Lint) {
            report.step("format", |_| steps::format())?;
        }
        if wants(Kind::Core) {
            report.step("core alone", |report| steps::core(report, &self.arguments))?;
        }
        if wants(Kind::Ui) {
            report.step("interface", steps::interface)?;
        } else if self.only != Some(Kind::Core) {
            report.step("interface", |_| crate::ui::build())?;
        }
        if wants(Kind::Lint) {
            report.step("clippy", |_| steps::clippy())?;
        }
        if wants(Kind::Unit) || whole_system {
            report.step("build", |_| steps::build())?;
        }
        if wants(Kind::Unit) {
            report.step("unit", |report| steps::unit(report, &self.arguments))?;
        }
        if wants(Kind::Sdk) {
            report.step("sdk", |report| crate::sdk::check(report, &self.arguments))?;
        }
        if wants(Kind::Api) {
            report.step("api", |report| steps::api(report, &self.arguments))?;
        }
        for (kind, name) in [(Kind::Cli, "cli"), (Kind::Voice, "voice"), (Kind::Desktop, "desktop")] {
            if wants(kind) {
                report.step(name, |report| steps::whole_system(report, name, &self.arguments))?;
            }
        }
        Ok(())
    }
}
