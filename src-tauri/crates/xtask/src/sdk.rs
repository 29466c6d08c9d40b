//! Runs the official Python clients against the sandbox: responses that these accept are valid test data for AURA's own client.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::program::{self, Result};
use crate::report::Report;

/// Creates the Python environment, starts a sandbox and runs the checks.
pub(crate) fn check(report: &mut Report, arguments: &[String]) -> Result {
    let folder = program::root().join("tests/sdk");
    let python = python()?;
    let sandbox = Sandbox::start()?;
    let mut pytest = program::command(python);
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=10"]).arg(&folder).args(arguments);
    pytest.env("AURA_SANDBOX_URL", &sandbox.url).env("PYTHONDONTWRITEBYTECODE", "1");
    report.watch("sdk", &mut pytest)
}

/// A Python interpreter with the clients installed. The environment is created again when `requirements.txt` changes.
pub(crate) fn python() -> Result<PathBuf> {
    environment(&program::root().join("tests/sdk/requirements.txt"), "python")
}

/// A Python interpreter with the packages of a list, in a virtual environment with this name below the target folder.
pub(crate) fn environment(requirements: &Path, name: &str) -> Result<PathBuf> {
    let folder = program::target().join(name);
    let python = folder.join("bin/python");
    let wanted = std::fs::read(requirements).map_err(|cause| format!("{}: {cause}", requirements.display()))?;
    let installed = folder.join("installed.txt");
    if python.exists() && std::fs::read(&installed).is_ok_and(|list| list == wanted) {
        return Ok(python);
    }
    program::run(program::command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    program::run(program::command(&python).args(pip).arg(requirements))?;
    std::fs::write(&installed, wanted).map_err(|cause| format!("{}: {cause}", installed.display()))?;
    Ok(python)
}

/// A sandbox process that is stopped on drop.
pub(crate) struct Sandbox {
    child: Child,
    url: String,
}

impl Sandbox {
    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start() -> Result<Self> {
        let program = program::target().join("debug/aura-sandbox");
        let failed = |cause: std::io::Error| format!("{} could not be started: {cause}", program.display());
        let mut child = Command::new(&program).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let out = child.stdout.take();
        let mut sandbox = Self { child, url: String::new() };
        // The sandbox prints its addresses as soon as it listens.
        let lines = out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(std::io::Result::ok);
        for line in lines {
            if let Some(url) = line.strip_prefix("control ").and_then(|rest| rest.trim().strip_suffix("/control")) {
                url.clone_into(&mut sandbox.url);
                return Ok(sandbox);
            }
        }
        Err(format!("{} ended before it printed its addresses", program.display()))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
