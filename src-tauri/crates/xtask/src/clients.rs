//! `cargo xtask clients`: programs that others wrote for OpenAI's and Anthropic's APIs do real tasks against the local API.

use std::process::ExitCode;

use crate::program::{self, Result};
use crate::sdk;
use crate::system::{self, Purpose};

/// The name of openai-python's own tests among the clients.
const SUITE: &str = "openai-python";

/// Installs the programs from PyPI and npm, and prints a table of what they can do.
#[derive(Debug, clap::Args)]
pub(crate) struct Clients {
    /// Only these clients; `openai-python` stands for that library's own tests.
    names: Vec<String>,
}

impl Clients {
    pub(crate) fn start(self) -> Result<ExitCode> {
        system::prepare(Purpose::Test)?;
        program::run(program::cargo("build").args(["--workspace", "--bins"]))?;
        let (python, sandbox) = (sdk::python()?, sdk::Sandbox::start()?);
        let (suite, names): (Vec<_>, Vec<_>) = self.names.into_iter().partition(|name| name == SUITE);
        let is_all = suite.is_empty() && names.is_empty();
        let mut failed = false;
        for (file, arguments, is_wanted) in [
            ("run.py", names.clone(), is_all || !names.is_empty()),
            ("openai_suite.py", Vec::new(), is_all || !suite.is_empty()),
        ] {
            if is_wanted {
                let mut run = program::command(&python);
                run.arg(program::root().join("tests/clients").join(file)).args(arguments);
                run.env("AURA_CLIENTS", program::target().join("clients")).env("AURA_SANDBOX_URL", sandbox.url());
                run.env("AURA_SERVER", program::target().join("debug/aura-server")).env("PYTHONDONTWRITEBYTECODE", "1");
                failed |= program::run(&mut run).is_err();
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
