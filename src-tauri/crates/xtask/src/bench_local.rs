//! `cargo xtask bench local`: the models of this computer, in the app and beside other programs.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::program::{self, Result};
use crate::{models, sdk, steps};

/// The folder with the scripts of the peers and the lists of their packages.
const PEERS: &str = "tests/bench/local_peers";

/// Options of the benchmark of models on this computer. It always measures optimised programs.
#[derive(Debug, Args)]
pub(crate) struct Local {
    /// Number of spoken questions that are measured, after one that loads the models.
    #[arg(long, default_value_t = 20)]
    turns: u32,
    /// Number of rounds with the peers; in each, all programs do the same work one after the other.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Do not install and measure the peers: faster-whisper, ONNX Runtime, hibari-tts and piper-tts in Python, llama.cpp in Node.
    #[arg(long)]
    alone: bool,
}

impl Local {
    /// Builds the programs, installs the peers, and measures.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        let programs = steps::build_app(true)?;
        steps::models()?;
        let store = models::test_folder();
        let mut measure = program::command(program::target().join("debug/bench-local"));
        program::run(measure.arg(self.turns.to_string()).arg(&programs).env(models::FOLDER, &store))?;
        if !self.alone {
            let engine = programs.join(format!("aura-engine{}", std::env::consts::EXE_SUFFIX));
            let rounds = self.rounds.to_string();
            speech(&engine, &store, &rounds)?;
            language(&engine, &store, &rounds)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Measures recognisers and voices beside Python programs.
fn speech(engine: &Path, store: &Path, rounds: &str) -> Result {
    let peers = program::root().join(PEERS);
    let python = sdk::environment(&peers.join("requirements.txt"), "python-peers")?;
    let source = program::target().join("whisper-base-source");
    models::unpack_source("whisper-base", &source)?;
    let mut measure = program::command(python);
    measure.arg(peers.join("speech.py")).arg(engine).arg(&source).arg(rounds);
    program::run(measure.env(models::FOLDER, store).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// Measures the language model beside llama.cpp's Node binding.
fn language(engine: &Path, store: &Path, rounds: &str) -> Result {
    // A copy, so that npm writes nothing into the repository.
    let folder = program::target().join("node-peers");
    let failed = |cause: std::io::Error| format!("{}: {cause}", folder.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for name in ["package.json", "language.mjs"] {
        std::fs::copy(program::root().join(PEERS).join(name), folder.join(name)).map_err(failed)?;
    }
    program::run(program::command("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    let weights = std::fs::read_dir(store.join("smollm2-135m")).map_err(failed)?.flatten().map(|file| file.path());
    let model = weights.into_iter().find(|file| file.extension().is_some_and(|ending| ending == "gguf"));
    let model = model.ok_or("the store has no smollm2-135m: run cargo xtask models")?;
    program::run(program::command("node").arg(folder.join("language.mjs")).arg(engine).arg(model).arg(rounds))
}
