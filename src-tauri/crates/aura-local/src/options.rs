//! How models are run.

use std::path::PathBuf;

use crate::package;
use crate::process::Limits;

/// How models are run.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    pub(crate) engine: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) threads: usize,
    pub(crate) context: u32,
    pub(crate) meminfo: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self { engine: None, limits: Limits::default(), threads: 0, context: 0, meminfo: "/proc/meminfo".into() }
    }
}

impl Options {
    /// Runs this program as the engine, instead of `aura-engine` beside the running program.
    pub fn with_engine(mut self, program: impl Into<PathBuf>) -> Self {
        self.engine = Some(program.into());
        self
    }

    /// Sets the limits of the engine processes.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the number of threads that each engine computes with; 0 for the engine's choice.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the longest context of a language model, in tokens; 0 for the engine's choice.
    pub fn with_context(mut self, tokens: u32) -> Self {
        self.context = tokens;
        self
    }

    /// Reads the free memory from this file in the format of `/proc/meminfo`.
    pub fn with_meminfo(mut self, file: impl Into<PathBuf>) -> Self {
        self.meminfo = file.into();
        self
    }

    /// The engine's program: the one that was set, else the one that belongs to the running program.
    pub(crate) fn engine(&self) -> Option<PathBuf> {
        self.engine.clone().or_else(package::engine)
    }
}
