//! OpenAI's official client, and a tester that knows nothing but the description, against a real door over sandbox providers.
//!
//! The checks are Python, because the client is. `cargo xtask test --only api` makes the environment that they run in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use aura_sandbox::{Sandbox, SandboxConfig};
use aura_tests::aura::{program, programs};
use tokio::runtime::Runtime;

/// The Python with the official clients.
fn python() -> PathBuf {
    let target = programs().parent().unwrap().to_owned();
    let python = target.join("python/bin/python");
    assert!(python.is_file(), "{} is missing: run `cargo xtask test --only api`", python.display());
    python
}

/// Runs one file of checks; what it prints is seen when it fails.
fn check(file: &str) {
    let runtime = Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(SandboxConfig::default())).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("openai");
    let mut pytest = Command::new(python());
    pytest.args(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]).arg(folder.join(file));
    pytest.env("AURA_SANDBOX_URL", sandbox.url()).env("AURA_SERVER", program("aura-server"));
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
    let done = pytest.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    println!("{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{file}: see above");
}

#[test]
fn the_official_client_is_understood_and_understands() {
    check("check_client.py");
}

#[test]
fn the_official_client_notices_no_fault_of_the_first_provider() {
    check("check_faults.py");
}

#[test]
fn every_answer_is_as_the_description_says() {
    check("check_description.py");
}
