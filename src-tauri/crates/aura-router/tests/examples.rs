//! The example runs, and does what it says.

use std::path::PathBuf;

use aura_sandbox::{Fault, Provider, Sandbox, SandboxConfig, Script};
use tokio::process::Command;

/// The executable of an example. `cargo test` builds it into a folder beside that of this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has an executable");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("the test is in target/<profile>/deps");
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: run `cargo build --examples -p aura-router`", path.display());
    path
}

#[tokio::test]
async fn the_failover_example_prints_the_answer_of_the_second_provider() {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    sandbox.set_script(Script::always("Air scatters blue light the most."));
    sandbox.add_fault(Fault::status(429).provider(Provider::Groq));
    let output = Command::new(example("failover"))
        .env("GROQ_API_KEY", sandbox.key())
        .env("GROQ_BASE_URL", sandbox.groq_base_url())
        .env("GEMINI_API_KEY", sandbox.key())
        .env("GEMINI_BASE_URL", sandbox.gemini_base_url())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stdout, "Air scatters blue light the most.\n(answered by gemini)\n");
    let requests = sandbox.requests().await;
    assert_eq!(requests.len(), 2, "one call to each provider: {requests:?}");
}
