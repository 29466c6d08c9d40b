//! `cargo xtask bench`: benchmarks. They print numbers and never fail because of them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::bench_local::Local;
use crate::program::{self, Result};
use crate::system::{self, Purpose};
use crate::{sdk, steps};

/// The version of the gateway crabllm that is measured beside AURA.
const CRABLLM: &str = "0.0.25";
/// The packages of the gateway LiteLLM, below the repository's root.
const LITELLM: &str = "tests/bench/gateways/requirements.txt";

/// The benchmark to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Time from the release of the key to the first sound, with providers of fixed delay: AURA's own part of it, and that of other programs.
    Voice(Voice),
    /// Time from the release of the key to the transcript: sent while it is spoken and sent at the release, also over a slow link.
    Live(Live),
    /// Time from the last byte of an answer until all of it is in the window of another program.
    Cursor(Cursor),
    /// Voice activity and echo cancellation: speech in noise that is missed, noise that is taken for speech, and how much of an echo is removed.
    Activity,
    /// Models on this computer: a spoken question to the first sound, and each engine beside other programs with the same weights.
    Local(Local),
    /// Time from the start of the program to the first paint of its main window.
    Window(Window),
    /// Latency that the local API adds, for one caller and under load, and its memory growth.
    Server(Server),
    /// Latency that the local API adds to a chat request, requests per second and memory, beside other gateways.
    Gateways(Gateways),
    /// Start, search, paging, export, deletion and recovery of a history of many turns.
    History(History),
    /// Latency that the core adds to a request compared with a bare HTTP client, and the time that failover takes.
    Providers(Providers),
}

/// Options of the benchmark of provider requests.
#[derive(Debug, Args)]
pub(crate) struct Providers {
    /// Number of rounds; in each, requests of the core and of the bare client alternate.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Measure the debug build: builds sooner, but its figures cannot be compared.
    #[arg(long)]
    debug: bool,
    /// Also measure the libraries genai and async-openai in the same rounds. Builds them first.
    #[arg(long)]
    peers: bool,
}

/// Options of the benchmark of gateways.
#[derive(Debug, Args)]
pub(crate) struct Gateways {
    /// Number of rounds; in each, every gateway is asked in turns.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
    /// Do not install and measure the others: crabllm and LiteLLM.
    #[arg(long)]
    alone: bool,
}

/// Options of the benchmark of the history.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Number of turns in the history.
    #[arg(long, default_value_t = 50_000)]
    turns: u32,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
}

/// Options of the benchmark of the local API.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Duration of each load, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
}

/// Options of the benchmark of the window.
#[derive(Debug, Args)]
pub(crate) struct Window {
    /// Number of starts that are measured, after one that is not.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
}

/// Options of the benchmark of text at the cursor.
#[derive(Debug, Args)]
pub(crate) struct Cursor {
    /// Number of answers of each kind that are measured, after one that is not.
    #[arg(long, default_value_t = 20)]
    turns: u32,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
}

/// Options of the benchmark of spoken turns.
#[derive(Debug, Args)]
pub(crate) struct Voice {
    /// Number of turns of each program that are measured, after one that is not.
    #[arg(long, default_value_t = 20)]
    turns: u32,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
    /// Also measure a tuned assistant made with Pipecat, and one that makes one call after the other, in the same rounds. Installs them first.
    #[arg(long)]
    peers: bool,
    /// Also write the times of each turn to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Options of the benchmark of live transcription.
#[derive(Debug, Args)]
pub(crate) struct Live {
    /// Number of questions of each kind that are measured, after one that is not.
    #[arg(long, default_value_t = 10)]
    turns: u32,
    /// Measure a build with optimisation.
    #[arg(long)]
    release: bool,
}

impl Live {
    fn start(&self) -> Result<ExitCode> {
        let mut build = program::cargo("build");
        let folder = if self.release {
            build.args(["--release", "--package", "aura-tests"]);
            "release"
        } else {
            build.arg("--workspace");
            "debug"
        };
        program::run(build.args(["--bin", "bench-live"]))?;
        let bench = program::target().join(folder).join("bench-live");
        program::run(program::command(bench).arg(self.turns.to_string()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Bench {
    /// Builds the programs and runs the benchmark.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        match self {
            Self::Voice(voice) => voice.start(),
            Self::Live(live) => live.start(),
            Self::Cursor(cursor) => cursor.start(),
            Self::Activity => activity(),
            Self::Local(local) => local.start(),
            Self::Window(window) => window.start(),
            Self::Server(server) => server.start(),
            Self::Gateways(gateways) => gateways.start(),
            Self::Providers(providers) => providers.start(),
            Self::History(history) => history.start(),
        }
    }
}

/// The figures are the same in every build; the workspace's own is there already.
fn activity() -> Result<ExitCode> {
    program::run(program::cargo("build").args(["--workspace", "--bin", "bench-activity"]))?;
    program::run(&mut program::command(program::target().join("debug/bench-activity")))?;
    Ok(ExitCode::SUCCESS)
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
        let mut measure = program::command(program::target().join(folder).join("bench-providers"));
        measure.arg(self.rounds.to_string());
        if self.peers {
            // A target folder of its own: these packages share no lock file with the workspace.
            let target = program::target().join("bench-peers");
            let mut build = program::cargo_elsewhere("build");
            build.args(["--release", "--manifest-path", "bench-peers/Cargo.toml"]);
            program::run(build.env("CARGO_TARGET_DIR", &target))?;
            measure.arg(target.join("release/aura-bench-peers"));
        }
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Gateways {
    fn start(&self) -> Result<ExitCode> {
        // The program that measures is always optimised: it shares the processors with what it measures.
        program::run(program::cargo("build").args([
            "--release",
            "--package",
            "aura-tests",
            "--bin",
            "bench-gateways",
        ]))?;
        let mut build = program::cargo("build");
        build.args(["--package", "aura-server"]);
        let mut programs = "debug";
        if self.release {
            programs = "release";
            build.arg("--release");
        }
        program::run(&mut build)?;
        let mut measure = program::command(program::target().join("release/bench-gateways"));
        measure.arg(self.rounds.to_string()).arg(program::target().join(programs));
        if !self.alone {
            let folder = program::target().join("bench-gateways");
            let mut install = program::cargo_elsewhere("install");
            install.args(["--locked", "--version", CRABLLM, "crabllm", "--root"]).arg(&folder);
            program::run(&mut install)?;
            let python = sdk::environment(&program::root().join(LITELLM), "python-gateways")?;
            measure.arg(format!("crabllm={}", folder.join("bin/crabllm").display()));
            measure.arg(format!("LiteLLM={}", python.with_file_name("litellm").display()));
        }
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl History {
    fn start(&self) -> Result<ExitCode> {
        let mut build = program::cargo("build");
        build.args(["--package", "aura-platform", "--example", "bench-history"]);
        if self.release {
            build.arg("--release");
        }
        program::run(&mut build)?;
        let folder = if self.release { "release" } else { "debug" };
        let mut measure = program::command(program::target().join(folder).join("examples/bench-history"));
        program::run(measure.arg(self.turns.to_string()))?;
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

impl Voice {
    fn start(&self) -> Result<ExitCode> {
        let programs = steps::build_app(self.release)?;
        let mut measure = program::command(program::target().join("debug/bench-voice"));
        measure.arg(self.turns.to_string()).arg(programs);
        if self.peers {
            system::prepare(Purpose::Peers)?;
            let peers = program::root().join("tests/bench/voice/peers");
            measure.arg("--python").arg(sdk::environment(&peers.join("requirements.txt"), "python-voice")?);
            measure.arg("--peers").arg(peers);
        }
        if let Some(file) = &self.json {
            // The folder in which the user called this, not the root of the work tree.
            measure
                .arg("--json")
                .arg(std::path::absolute(file).map_err(|cause| format!("{}: {cause}", file.display()))?);
        }
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Cursor {
    fn start(&self) -> Result<ExitCode> {
        let programs = steps::build_app(self.release)?;
        let mut measure = program::command(program::target().join("debug/bench-cursor"));
        program::run(measure.arg(self.turns.to_string()).arg(programs))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Window {
    fn start(&self) -> Result<ExitCode> {
        let programs = steps::build_app(self.release)?;
        let mut measure = program::command(program::target().join("debug/bench-window"));
        measure.arg(self.runs.to_string()).arg(programs);
        program::run(&mut measure)?;
        Ok(ExitCode::SUCCESS)
    }
}
