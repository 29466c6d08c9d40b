//! `cargo xtask test`: all tests, or those of one kind.

use std::process::ExitCode;
use std::sync::mpsc;

use clap::{Args, ValueEnum};

use crate::program::Result;
use crate::report::Report;
use crate::steps;
use crate::system::{self, Purpose};
use crate::test_runner::TestRunner;
use crate::tools;

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
    /// Formatting, clippy, warnings of the documentation, dependencies and workflow files.
    Lint,
    /// Tests within each crate, the architecture's invariants, the fault matrix, and packaging of the public libraries.
    Unit,
    /// The official Python clients against the sandbox.
    Sdk,
    /// The reference servers of the Model Context Protocol, and programs that use AURA as one.
    Mcp,
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
        if self.is_selected(Kind::Lint) {
            report.step("format", |_| steps::format())?;
        }
        match self.only {
            Some(Kind::Core) => return report.step("core", |report| steps::core(report, runner)),
            Some(Kind::Ui) => return report.step("interface", steps::interface),
            _ => {}
        }
        // Downloads, mostly. The app contains the interface's files.
        report.lanes(
            |lane| lane.step("system packages", |_| system::prepare(Purpose::Run)),
            |lane| {
                lane.step("interface build", |_| crate::ui::build())?;
                lane.step("crates", |_| steps::crates())
            },
        )?;
        let (built, is_built) = mpsc::channel();
        let mut may_go_on = false;
        let done = report.lanes(
            |lane| {
                self.build(lane)?;
                may_go_on = true;
                // An error means that the other lane ended early. The closure owns the sender, so that a failed build ends the other lane's
                // waiting.
                let built = built;
                let _ = built.send(());
                self.integration(lane, runner)
            },
            move |lane| {
                let done = self.beside_the_build(lane);
                if is_built.recv().is_err() {
                    // The first lane says why.
                    return done;
                }
                // Most of these wait for servers and programs that wait themselves.
                done.and(lane.lanes(
                    |lane| {
                        let kinds = [
                            (Kind::Unit, &["engine"][..]),
                            (Kind::Mcp, &["mcp_servers"]),
                            (Kind::Sdk, &["sdk"]),
                            (Kind::Cli, &["cli"]),
                        ];
                        self.whole_system(lane, runner, &kinds)
                    },
                    |lane| {
                        let api = ["api", "openai", "browser", "canary", "guide", "private", "judges"];
                        let done = self.whole_system(lane, runner, &[(Kind::Api, &api[..])]);
                        match self.is_selected(Kind::Unit) {
                            true => done.and(lane.step("unit", |report| steps::unit(report, runner))),
                            false => done,
                        }
                    },
                ))
            },
        );
        if !may_go_on {
            return done;
        }
        // A recording has gaps when the computer is busy, so the tests with sound have it for themselves.
        let alone = [(Kind::Voice, &["voice"][..]), (Kind::Desktop, &["desktop"]), (Kind::Kill, &["kill"])];
        done.and(self.whole_system(report, runner, &alone))
    }

    /// What needs nothing that the build makes: programs of others, and the interface's own tests.
    fn beside_the_build(&self, report: &mut Report) -> Result {
        report.step("test programs", |_| system::prepare(Purpose::Test))?;
        if self.is_selected(Kind::Sdk) || self.is_selected(Kind::Api) {
            report.step("python packages", |_| crate::sdk::python().map(drop))?;
        }
        if self.is_selected(Kind::Api) {
            report.step("client's own tests", |_| crate::clients::install_suite())?;
            report.step("npm packages", |_| crate::ui::packages_of(&crate::program::root().join("tests/judges")))?;
        }
        if self.is_selected(Kind::Mcp) {
            report.step("mcp packages", |_| crate::mcp::servers())?;
        }
        if self.only.is_none() {
            report.step("interface", steps::interface)?;
        }
        if self.is_selected(Kind::Lint) {
            report.step("workflows", |_| tools::workflows())?;
            report.step("dependencies", |_| tools::dependencies())?;
        }
        Ok(())
    }

    /// Runs the tests of these kinds that are selected, one after the other. A failure does not stop those after it: one run shows all.
    fn whole_system(&self, report: &mut Report, runner: &TestRunner, kinds: &[(Kind, &[&'static str])]) -> Result {
        let mut done = Ok(());
        let selected = kinds.iter().filter(|(kind, _)| self.is_selected(*kind));
        for (kind, name) in selected.flat_map(|(kind, names)| names.iter().map(move |name| (*kind, *name))) {
            done = done.and(report.step(name, |report| match kind {
                Kind::Sdk => crate::sdk::check(report, &self.arguments),
                _ => steps::whole_system(report, runner, name),
            }));
        }
        done
    }

    fn is_selected(&self, kind: Kind) -> bool {
        self.only.is_none_or(|only| only == kind)
    }

    /// Checks the crates and builds what is tested.
    fn build(&self, report: &mut Report) -> Result {
        if self.is_selected(Kind::Lint) {
            report.step("clippy", |_| steps::clippy())?;
            report.step("documentation", |_| steps::documentation())?;
        }
        if self.only == Some(Kind::Lint) {
            return Ok(());
        }
        report.step("build", |_| steps::build())?;
        report.step("models", |_| steps::models())
    }

    /// Checks the packages of the public libraries, and runs the integration tests that do not need the whole system.
    fn integration(&self, report: &mut Report, runner: &TestRunner) -> Result {
        if !self.is_selected(Kind::Unit) {
            return Ok(());
        }
        let mut done = Ok(());
        // With arguments, the user wants particular tests and not the packages.
        if self.arguments.is_empty() {
            done = report.step("packages", |_| steps::packages());
        }
        done.and(report.step("integration", |report| steps::integration(report, runner)))
    }
}
