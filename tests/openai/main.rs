//! The official clients of OpenAI and Anthropic, and a tester that generates requests from the OpenAPI description, against the local API with sandbox
//! providers.
//!
//! The checks are in Python, like the client. `cargo xtask test --only api` creates their environment.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use aura_sandbox::{Sandbox, SandboxConfig};
use aura_tests::aura::{program, programs};
use aura_tests::models::ModelServer;
use tokio::runtime::Runtime;

/// The Python interpreter with the official clients.
fn python() -> PathBuf {
    let target = programs().parent().unwrap().to_owned();
    let python = target.join("python/bin/python");
    assert!(python.is_file(), "{} is missing: run `cargo xtask test --only api`", python.display());
    python
}

/// Runs one file of checks. Its output shows if it fails.
fn check(file: &str) {
    check_selected(file, "");
}

/// Runs the checks of a file that pytest's expression `-k` selects.
fn check_selected(file: &str, selection: &str) {
    let runtime = Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(SandboxConfig::default())).unwrap();
    // Generated requests may download a model: from this computer.
    let models = ModelServer::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("openai");
    let mut pytest = Command::new(python());
    pytest.args(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", selection]).arg(folder.join(file));
    pytest.env("AURA_SANDBOX_URL", sandbox.url()).env("AURA_SERVER", program("aura-server"));
    pytest.env("AURA_MODEL_CATALOG", models.catalog());
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
    let done = pytest.output().unwrap();
    let output = String::from_utf8_lossy(&done.stdout);
    println!("{output}{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{file}: see above");
}

#[test]
fn the_official_client_works() {
    check("check_client.py");
}

#[test]
fn the_official_clients_use_sound() {
    check("check_sound.py");
}

#[test]
fn the_official_client_uses_embeddings() {
    check("check_embeddings.py");
}

#[test]
fn requests_choose_their_order_of_models() {
    check("check_routing.py");
}

#[test]
fn the_official_client_uses_responses() {
    check("check_responses.py");
}

#[test]
fn responses_have_the_format_of_open_responses() {
    check("check_open_responses.py");
}

#[test]
fn the_official_client_of_anthropic_works() {
    check("check_messages.py");
}

#[test]
fn the_own_tests_of_anthropics_client_pass() {
    let runtime = Runtime::new().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(SandboxConfig::default())).unwrap();
    let clients = programs().parent().unwrap().join("clients");
    let installed = clients.join("anthropic-sdk-python/installed.txt");
    assert!(installed.is_file(), "{} is missing: run `cargo xtask test --only api`", installed.display());
    let mut suite = Command::new(python());
    suite.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/anthropic_suite.py"));
    suite.env("AURA_SANDBOX_URL", sandbox.url()).env("AURA_SERVER", program("aura-server"));
    suite.env("AURA_CLIENTS", clients).env("PYTHONDONTWRITEBYTECODE", "1");
    let done = suite.output().unwrap();
    println!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "see above");
}

#[test]
fn faults_of_the_first_chat_provider_are_hidden_from_a_streaming_client() {
    check_selected("check_chat_faults.py", "streamed");
}

#[test]
fn faults_of_the_first_chat_provider_are_hidden_from_the_official_client() {
    check_selected("check_chat_faults.py", "not streamed");
}

#[test]
fn faults_of_the_first_recogniser_are_hidden_from_the_official_client() {
    check_selected("check_audio_faults.py", "transcription or type");
}

#[test]
fn faults_of_the_first_voice_are_hidden_from_the_official_client() {
    check_selected("check_audio_faults.py", "speech and not type");
}

#[test]
fn an_independent_judge_finds_nothing_wrong() {
    check("check_judge.py");
}

#[test]
fn every_reply_matches_the_description() {
    check("check_description.py");
}

#[test]
fn three_hundred_requests_with_a_wrong_key_get_clean_refusals() {
    check("check_refusals.py");
}
