//! A crash while a switch is written leaves the old or the new settings file, never a part of one.

use std::time::Duration;

use aura_tests::http::{HttpServer, answer, sandboxed};
use serde_json::{Value, json};

use super::quick;

/// The switches that are made in turn. They produce files of different lengths.
fn switches() -> [Value; 3] {
    [
        json!({"service_type": "llm", "provider": "gemini", "model": "gemini-1.5-flash"}),
        json!({"service_type": "llm", "provider": "groq"}),
        json!({"service_type": "llm", "provider": "groq", "model": "llama-3.1-8b-instant"}),
    ]
}

/// The LLM route of a settings file. Panics if the file cannot be parsed.
fn route(file: &str) -> (Option<String>, Option<String>) {
    let settings: toml::Table =
        toml::from_str(file).unwrap_or_else(|cause| panic!("a broken file ({cause}): {file:?}"));
    let choice = settings.get("routes").and_then(|routes| routes.get("llm"));
    let of = |name: &str| choice?.get(name)?.as_str().map(str::to_owned);
    (of("provider"), of("model"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_the_old_or_the_new_settings_file() {
    let (_sandbox, mut aura) = sandboxed(quick(Vec::new())).await;
    let allowed: Vec<_> = switches()
        .iter()
        .map(|switch| {
            let of = |name: &str| switch.get(name).and_then(Value::as_str).map(str::to_owned);
            (of("provider"), of("model"))
        })
        .collect();
    for round in 0..12_u64 {
        let server = HttpServer::start(aura);
        let url = server.url("/providers/switch");
        let callers: Vec<_> = (0..4)
            .map(|caller| {
                let url = url.clone();
                tokio::spawn(async move {
                    let client = reqwest::Client::builder().no_proxy().build().unwrap();
                    // Until the server is killed.
                    for turn in caller.. {
                        let switch = &switches()[turn % 3];
                        match client.post(&url).json(switch).send().await {
                            Ok(reply) => assert_eq!(reply.status(), 200, "{switch}"),
                            Err(_) => return turn - caller,
                        }
                    }
                    0
                })
            })
            .collect();
        // At a different moment in each round.
        tokio::time::sleep(Duration::from_millis(60 + round * 23)).await;
        aura = server.kill();
        let mut made = 0;
        for caller in callers {
            made += caller.await.unwrap();
        }
        let file = std::fs::read_to_string(aura.folder().join("config/config.toml")).unwrap_or_default();
        if file.is_empty() {
            assert_eq!(made, 0, "a switch that was answered is in the file");
            continue;
        }
        assert!(allowed.contains(&route(&file)), "neither old nor new: {file}");
    }
    // The next server reads the last file.
    let file = std::fs::read_to_string(aura.folder().join("config/config.toml")).unwrap();
    let server = HttpServer::start(aura);
    let config = answer(server.get("/providers/config/llm").send().await.unwrap()).await;
    assert_eq!(config["default_provider"].as_str().map(str::to_owned), route(&file).0, "{config}");
}
