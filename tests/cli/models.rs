//! `aura models`: listed, downloaded, chosen and removed; stopped and resumed.

use std::process::{Command, Stdio};
use std::time::Duration;

use aura_tests::aura::{Aura, Ended};
use aura_tests::models::{ModelServer, SIZE};
use aura_tests::process::wait_until;
use serde_json::Value;

fn ok(ended: Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()
}

fn model(view: &Value, id: &str) -> Value {
    let models = view["models"].as_array().and_then(|models| models.iter().find(|model| model["id"] == id));
    models.unwrap_or_else(|| panic!("no {id} in {view:#}")).clone()
}

#[test]
fn the_own_catalog_is_listed_with_what_fits_and_is_suggested() {
    let aura = Aura::new().with("LANG", "de_DE.UTF-8");
    let view = ok(aura.run(&["models", "--json"]));
    for id in ["moonshine-tiny-en", "whisper-base", "piper-de-thorsten", "qwen3-1.7b"] {
        let model = model(&view, id);
        assert_eq!(model["state"]["state"], "available", "{model:#}");
        assert!(model["license"].is_string() && model["source_url"].as_str().unwrap().starts_with("https://"));
    }
    assert!(view["suggested"].as_array().unwrap().len() >= 3, "{view:#}");
    assert!(view["memory_total"].as_u64().unwrap() > 0 && view["disk_free"].as_u64().unwrap() > 0, "{view:#}");
    let table = aura.run(&["models"]);
    assert!(table.out.starts_with("model ") && table.out.contains("Suggested for this computer: "), "{table:?}");
}

#[test]
fn a_model_is_downloaded_used_and_removed() {
    let server = ModelServer::start();
    let aura = server.with(Aura::new());
    let got = aura.run(&["models", "get", "one", "two"]);
    assert!(got.code == 0 && got.out.contains("Model one is installed."), "{got:?}");
    assert!(got.err.contains("one: "), "progress as lines without a terminal: {got:?}");
    let file = aura.data().join("models/one/model.gguf");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), SIZE as u64);
    let used = |view: &Value, id: &str| model(view, id)["used_for"].clone();
    let view = ok(aura.run(&["models", "--json"]));
    assert_eq!((used(&view, "one"), used(&view, "two")), (serde_json::json!(["llm"]), serde_json::json!([])));
    let chosen = aura.run(&["models", "use", "two"]);
    assert!(chosen.code == 0 && chosen.out.contains("two is now preferred for llm"), "{chosen:?}");
    let view = ok(aura.run(&["models", "--json"]));
    assert_eq!((used(&view, "one"), used(&view, "two")), (serde_json::json!([]), serde_json::json!(["llm"])));
    let wrong = aura.run(&["models", "use", "two", "--service", "tts"]);
    assert!(wrong.code == 1 && wrong.err.contains("error[invalid_request]"), "{wrong:?}");
    let doctor = aura.run(&["doctor"]);
    assert!(doctor.out.contains("language model: Installed, files complete: Model one, Model two."), "{doctor:?}");
    assert_eq!(aura.run(&["models", "remove", "one"]).code, 0);
    assert!(!file.exists());
    let again = aura.run(&["models", "remove", "one"]);
    assert!(again.code == 1 && again.err.contains("error[not_found]"), "{again:?}");
    assert!(aura.run(&["models", "get", "three"]).err.contains("There is no model `three`"));
}

#[test]
fn a_download_that_is_stopped_goes_on_later() {
    let server = ModelServer::start();
    server.hold(true);
    let aura = server.with(Aura::new());
    let mut command: Command = aura.command(&["models", "get", "one"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let part = aura.data().join("models/one.partial/model.gguf.part");
    let begun = wait_until(Duration::from_secs(60), || part.metadata().is_ok_and(|part| part.len() > 0));
    let sent = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    let ended = wait_until(Duration::from_secs(30), || !matches!(child.try_wait(), Ok(None)));
    if !ended {
        let _ = child.kill();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(begun && ended && sent.is_ok_and(|sent| sent.success()), "{said}");
    assert!(output.status.code() == Some(1) && said.contains("again to go on"), "{said}");
    let paused = model(&ok(aura.run(&["models", "--json"])), "one");
    assert_eq!(paused["state"]["state"], "paused", "{paused:#}");
    assert!(paused["state"]["done_bytes"].as_u64().unwrap() > 0, "{paused:#}");
    assert!(!aura.data().join("models/one").exists());
    server.hold(false);
    assert_eq!(aura.run(&["models", "get", "one"]).code, 0);
    assert_eq!(model(&ok(aura.run(&["models", "--json"])), "one")["state"]["state"], "installed");
}
