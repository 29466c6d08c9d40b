//! `cargo xtask bench`: measurements whose numbers are printed, not judged.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::program::{self, Result};
use crate::steps;

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// From the release of the key to the first sound, with providers of fixed delay; how much of it is AURA's own.
    Turn(Turn),
    /// From the start of the program until its main window shows something.
    Window(Window),
    /// What the HTTP door adds, for one caller and under load, and whether it keeps its memory.
    Server(Server),
    /// What the core adds to a request over a bare client, and how long it takes to fail over.
    Providers(Providers),
}

/// How the requests are measured.
#[derive(Debug, Args)]
pub(crate) struct Providers {
    /// Rounds; in each the core and the bare client take turns.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Without optimisation, as the tests are built: quicker to begin, and no measure of anything.
    #[arg(long)]
    debug: bool,
}

/// How the door is measured.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// How long each load lasts.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// With optimisation.
    #[arg(long)]
    release: bool,
}

/// How the start is measured.
#[derive(Debug, Args)]
pub(crate) struct Window {
    /// How many starts count; one more is taken before them.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// With optimisation.
    #[arg(long)]
    release: bool,
}

/// How the turn is measured.
#[derive(Debug, Args)]
pub(crate) struct Turn {
    /// How many turns count; one more is taken before them.
    #[arg(long, default_value_t = 20)]
    turns: u32,
    /// With optimisation.
    #[arg(long)]
    release: bool,
}

impl Bench {
    /// Builds what is measured, and measures.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        match self {
            Self::Turn(turn) => turn.start(),
            Self::Window(window) => window.start(),
            Self::Server(server) => server.start(),
            Self::Providers(providers) => providers.start(),
        }
    }
}

impl Providers {
    fn start(&self) -> Result<ExitCode> {
        let mut build = program::cargo("build");
        let folder = if self.debug {
            build.arg("--workspace");
            "debug"
        } else {
            build.args(["--release", "--package", "aura-tests"]);
            "release"
        };
        build.args(["--bin", "bench-providers"]);
        program::run(&mut build)?;
        let measure = program::target().join(folder).join("bench-providers");
        program::run(program::command(measure).arg(self.rounds.to_string()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Server {
    fn start(&self) -> Result<ExitCode> {
        let mut build = program::cargo("build");
        build.args(["--workspace", "--bin", "bench-server", "--bin", "aura-server", "--bin", "aura-sandbox"]);
        program::run(&mut build)?;
        let mut programs = "debug";
        if self.release {
            programs = "release";
            let packages = ["--package", "aura-server", "--package", "aura-sandbox"];
            program::run(program::cargo("build").arg("--release").args(packages))?;
        }
        let mut measure = program::command(program::target().join("debug/bench-server"));
        measure.arg(self.seconds.to_string()).arg(program::target().join(programs));
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Turn {
    fn start(&self) -> Result<ExitCode> {
        let programs = steps::real_app(self.release)?;
        let mut measure = program::command(program::target().join("debug/bench-turn"));
        measure.arg(self.turns.to_string()).arg(programs);
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Window {
    fn start(&self) -> Result<ExitCode> {
        let programs = steps::real_app(self.release)?;
        let mut measure = program::command(program::target().join("debug/bench-window"));
        measure.arg(self.runs.to_string()).arg(programs);
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}
