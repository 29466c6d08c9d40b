//! An upgrade: today's programs open the data of the first version and keep every value; and the way back: they leave the data of a later
//! version as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aura_tests::aura::Aura;
use aura_tests::http::{HttpServer, sandboxed};
use rusqlite::Connection;
use serde_json::{Value, json};

/// The files of the first version.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/first-version")
}

/// Puts the files of the first version where AURA looks for them.
fn install(aura: &Aura) {
    let config = aura.folder().join("config/config.toml");
    fs::copy(fixture().join("config.toml"), config).expect("the folder can be written");
    for name in ["door-token", "history.db", "models.json"] {
        fs::copy(fixture().join(name), aura.data().join(name)).expect("the folder can be written");
    }
    // The first version created this file with mode 0600, which git does not keep.
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(aura.data().join("door-token"), private).expect("the file is there");
}

/// The provider addresses for which the model lists in the fixture are valid. No server listens there.
fn unreachable_providers() -> Aura {
    Aura::new().with_all([
        ("GROQ_BASE_URL", "http://127.0.0.1:9/groq/openai/v1".to_owned()),
        ("GEMINI_BASE_URL", "http://127.0.0.1:9/gemini/v1beta".to_owned()),
        ("GROQ_API_KEY", "a-key".to_owned()),
        ("GEMINI_API_KEY", "a-key".to_owned()),
    ])
}

fn json_of(aura: &Aura, arguments: &[&str]) -> Value {
    let ended = aura.run(arguments);
    assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
    ended.json()
}

/// The values of the fixture's settings file, under today's names.
fn expected_settings() -> Value {
    json!({
        "schema": 2,
        "fallback": true,
        "fallback_when_blocked": true,
        "hedge": true,
        "choose": "quality",
        "shortcut": "Ctrl+Alt+Space",
        "instructions": "Answer in one sentence.",
        "routes": {
            "stt": {"provider": "groq", "model": "whisper-large-v3", "then": ["gemini"]},
            "llm": {"provider": "gemini", "model": "gemini-3.8-flash", "then": ["groq", "workshop"]},
            "vlm": {"provider": "gemini", "then": ["groq"]},
            "tts": {"provider": "groq", "model": "canopylabs/orpheus-v1-english", "voice": "troy", "then": ["gemini"]},
        },
        "providers": {
            "groq": {"may_receive": {"audio": true, "screen": false, "text": true}},
            "workshop": {
                "preset": "ollama",
                "base_url": "http://127.0.0.1:11999/v1",
                "may_receive": {"audio": false, "screen": true, "text": true},
            },
        },
        "listening": {"microphone": "alsa:desk", "mode": "hold", "longest_seconds": 75, "language": "de"},
        "speaking": {"speaker": "alsa:room", "muted": true},
        "screen": {"share": "always", "target": {"kind": "region", "x": 10, "y": 20, "width": 640, "height": 480}},
        "timeouts": {
            "connect_ms": 2001,
            "first_content_ms": 7002,
            "transcript_ms": 14003,
            "local_first_content_ms": 50004,
            "between_ms": 4005,
            "error_body_ms": 2006,
            "whole_ms": 55007,
        },
        "appearance": {"theme": "dark", "overlay": false, "language": "de"},
        "startup": {"background": false, "at_login": true},
        "local_api": {"open": true, "port": 8123},
    })
}

/// Fails unless `new` has every value of `old`. Today's records may have more fields.
fn assert_keeps(new: &Value, old: &Value, place: &str) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (name, value) in old {
                assert_keeps(new.get(name).unwrap_or(&Value::Null), value, &format!("{place}.{name}"));
            }
        }
        (Value::Array(new), Value::Array(old)) => {
            assert_eq!(new.len(), old.len(), "{place}");
            for (number, (new, old)) in new.iter().zip(old).enumerate() {
                assert_keeps(new, old, &format!("{place}[{number}]"));
            }
        }
        _ => assert_eq!(new, old, "{place}"),
    }
}

#[test]
fn every_setting_of_the_first_version_is_kept() {
    let aura = unreachable_providers();
    install(&aura);
    let settings = |aura: &Aura| json_of(aura, &["providers", "--json"])["settings"].clone();
    let mut expected = expected_settings();
    let opened = settings(&aura);
    assert_keeps(&opened, &expected, "settings");
    // The first change writes the file anew, under today's names.
    json_of(&aura, &["providers", "switch", "vlm", "groq", "--json"]);
    expected["routes"]["vlm"]["provider"] = json!("groq");
    assert_keeps(&settings(&aura), &expected, "settings");
    let file = fs::read_to_string(aura.folder().join("config/config.toml")).expect("the file is there");
    let file: toml::Table = file.parse().expect("the file is TOML");
    assert_eq!((file.get("clocks"), file.get("door")), (None, None), "{file}");
    assert_eq!(file["timeouts"]["connect_ms"].as_integer(), Some(2001), "{file}");
    assert_eq!(file["local_api"]["port"].as_integer(), Some(8123), "{file}");
}

#[test]
fn every_turn_of_the_first_version_is_listed() {
    let aura = unreachable_providers();
    install(&aura);
    let database = Connection::open(fixture().join("history.db")).expect("the fixture can be read");
    let mut rows = database.prepare("SELECT json FROM turns ORDER BY started_at").expect("the table is there");
    let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect("the table is there");
    let saved: Vec<Value> = rows.map(|row| serde_json::from_str(&row.expect("a row")).expect("JSON")).collect();
    assert_eq!(saved.len(), 2);
    let listed = json_of(&aura, &["history", "export"]);
    assert_keeps(&listed, &json!(saved), "history");
    let found = json_of(&aura, &["history", "search", "time", "--json"]);
    assert_eq!(found[0]["transcript"], "What time is it?", "{found:#}");
}

#[test]
fn the_model_lists_of_the_first_version_are_used() {
    let aura = unreachable_providers();
    install(&aura);
    for provider in ["groq", "gemini"] {
        let models = json_of(&aura, &["providers", "models", "--provider", provider, "--json"]);
        let models = models.as_array().expect("a list of models");
        assert!(!models.is_empty() && models.iter().all(|model| model["source"] == "live"), "{models:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usage_of_the_first_version_is_counted() {
    let (_sandbox, aura) = sandboxed(aura_sandbox::SandboxConfig::default()).await;
    install(&aura);
    // Usage is listed for the current day and month.
    let database = Connection::open(aura.data().join("history.db")).expect("the history can be opened");
    let today = jiff::Zoned::now().date().to_string();
    let changed = database.execute("UPDATE attempts SET day = ?1", [today]).expect("the table is there");
    assert_eq!(changed, 5);
    drop(database);
    let ended = aura.run(&["providers", "health"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for (provider, service, usd) in
        [("gemini", "llm", "$0.0003"), ("groq", "stt", "$0.0003"), ("groq", "tts", "$0.0012")]
    {
        let is_listed = |line: &str| {
            let mut words = line.split_whitespace();
            words.next() == Some(provider) && words.next() == Some(service) && words.any(|word| word == usd)
        };
        assert!(ended.out.lines().any(is_listed), "{provider} {service} {usd}:\n{}", ended.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_the_first_version_is_replaced() {
    let aura = unreachable_providers();
    install(&aura);
    let old = fs::read_to_string(fixture().join("door-token")).expect("the fixture can be read");
    let server = HttpServer::start(aura);
    let status = async |token: &str| {
        let asked = server.get("/health").header("via", "1.1 proxy").bearer_auth(token);
        asked.send().await.expect("the local API answers").status().as_u16()
    };
    assert_eq!(status(old.trim()).await, 401, "a token that never changed may be known to others");
    assert_eq!(status(&server.token()).await, 200);
    assert!(!server.aura().data().join("door-token").exists());
}

/// Back: this version is installed again after a later one has run.
#[test]
fn the_data_of_a_later_version_is_left_as_it_is_while_aura_answers() {
    let aura = Aura::new();
    install(&aura);
    let config = aura.folder().join("config/config.toml");
    let database = aura.data().join("history.db");
    fs::write(&config, "schema = 99\nnovelty = true\n\n[speaking]\nmute = true\n").expect("the folder can be written");
    let later = Connection::open(&database).expect("the fixture is a database");
    later.pragma_update(None, "user_version", 99).expect("the database can be written");
    later.close().expect("the database can be closed");
    let files = || [&config, &database].map(|file| fs::read(file).expect("the file is there"));
    let before = files();

    let asked = aura.run(&["--sandbox", "ask", "Hello"]);
    assert!(asked.code == 0 && !asked.out.trim().is_empty(), "{asked:?}");
    let refused = aura.run(&["providers", "switch", "llm", "gemini"]);
    assert!(refused.code == 1 && refused.err.contains("error[newer_version]"), "{refused:?}");
    assert!(files() == before, "a file of the later version was changed");
}
