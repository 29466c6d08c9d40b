//! Runs every example against the sandbox and checks what it prints.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Output;

use aura_sandbox::{FixedAnswers, FixedAudio, Sandbox, SandboxConfig, Script, TestSignal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A white PNG image of 8 by 8 pixels.
const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADklEQVR42mP4DwUMlDEA98A/wa9cD80AAAAASUVORK5CYII=";

/// The executable of an example. `cargo test` builds it beside the folder of the test executables.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.parent().and_then(Path::parent).unwrap().join("examples");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

async fn sandbox() -> Sandbox {
    let audio = FixedAudio { sound: TestSignal::Tone, ms: 500 };
    let fixed = FixedAnswers { transcript: Some("Open the window.".into()), audio: Some(audio) };
    let script = Script::always("Because of Rayleigh scattering.");
    Sandbox::start(SandboxConfig { fixed, script, ..SandboxConfig::default() }).await.unwrap()
}

/// Runs an example with an API key; returns its standard output.
async fn run(sandbox: &Sandbox, name: &str, args: &[&str]) -> String {
    let output = run_with_key(sandbox, name, args, sandbox.key()).await;
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn run_with_key(sandbox: &Sandbox, name: &str, args: &[&str], key: &str) -> Output {
    tokio::process::Command::new(example(name))
        .args(args)
        .env("GROQ_BASE_URL", sandbox.groq_base_url())
        .env("GROQ_API_KEY", key)
        .env("OPENAI_BASE_URL", sandbox.openai_base_url())
        .env("OPENAI_API_KEY", key)
        .output()
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}. Run: cargo build -p aura-providers --examples"))
}

#[tokio::test]
async fn chat_prints_the_answer_and_its_usage() {
    let printed = run(&sandbox().await, "chat", &["Why is the sky blue?"]).await;
    assert!(printed.starts_with("Because of Rayleigh scattering.\ntokens: Some("), "{printed}");
}

#[tokio::test]
async fn chat_stream_prints_the_answer_and_the_finish_reason() {
    let printed = run(&sandbox().await, "chat_stream", &[]).await;
    assert_eq!(printed, "Because of Rayleigh scattering.\nfinished: Stop\n");
}

#[tokio::test]
async fn see_sends_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image.png");
    std::fs::write(&image, STANDARD.decode(IMAGE).unwrap()).unwrap();
    let sandbox = sandbox().await;
    sandbox.set_script(Script::always("I see {image_size}."));
    let printed = run(&sandbox, "see", &[image.to_str().unwrap()]).await;
    assert!(printed.starts_with("I see 8") && printed.trim_end().ends_with("8."), "{printed}");
}

#[tokio::test]
async fn transcribe_prints_the_transcript() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("recording.wav");
    std::fs::write(&recording, aura_audio::speech_wav(&[1_000; 16_000])).unwrap();
    let printed = run(&sandbox().await, "transcribe", &[recording.to_str().unwrap()]).await;
    assert!(printed.starts_with("Open the window.\n"), "{printed}");
}

#[tokio::test]
async fn transcribe_live_prints_words_and_then_the_transcript() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("recording.wav");
    std::fs::write(&recording, aura_audio::speech_wav(&[1_000; 24_000])).unwrap();
    let printed = run(&sandbox().await, "transcribe_live", &[recording.to_str().unwrap()]).await;
    assert!(printed.contains("… Open[ the]\n") && printed.ends_with("]\nOpen the window.\n"), "{printed}");
}

#[tokio::test]
async fn speak_writes_a_sound_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speech.wav");
    let printed = run(&sandbox().await, "speak", &["Good morning.", path.to_str().unwrap()]).await;
    assert!(printed.trim_end().ends_with("speech.wav: 0.50 s at 24000 Hz"), "{printed}");
    let pcm = aura_audio::read_wav(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!((pcm.rate, pcm.samples.len()), (24_000, 12_000));
}

#[tokio::test]
async fn own_catalog_uses_its_model_and_its_price() {
    let printed = run(&sandbox().await, "own_catalog", &[]).await;
    assert!(printed.starts_with("openai/gpt-oss-120b: Because of Rayleigh scattering.\ncost: Some("), "{printed}");
}

#[tokio::test]
async fn a_rejected_key_is_reported() {
    let output = run_with_key(&sandbox().await, "chat", &[], "wrong-key").await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("KeyRejected"), "{error}");
}
