//! `aura providers` and `aura history`.

use std::process::Stdio;

use aura_sandbox::{DEFAULT_KEY, Fault, Provider, Service};
use aura_tests::aura::{Aura, Ended};
use aura_tests::desktop::with_desktop;
use aura_tests::providers::Providers;
use serde_json::{Value, json};

const ANSWER: &str = "There are many people looking for money.";

fn with_both(providers: &Providers) -> Aura {
    Aura::new().with_all(providers.groq()).with_all(providers.gemini())
}

fn ok(ended: Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()
}

fn named<'a>(list: &'a Value, field: &str, name: &str) -> &'a Value {
    let found = list.as_array().and_then(|list| list.iter().find(|item| item[field] == name));
    found.unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

#[test]
fn providers_models_and_voices_are_listed() {
    let providers = Providers::answering(ANSWER);
    let aura = with_both(&providers);
    let snapshot = ok(aura.run(&["providers", "--json"]));
    assert!(named(&snapshot["providers"], "name", "groq")["problem"].is_null(), "{snapshot:#}");

    let models = ok(aura.run(&["providers", "models", "--provider", "gemini", "--service", "tts", "--json"]));
    let all = models.as_array().unwrap();
    assert!(!all.is_empty() && all.iter().all(|model| model["provider"] == "gemini" && model["source"] == "live"));
    let priced = named(&models, "name", "gemini-3.8-flash-tts");
    assert!(priced["price"]["output"].is_number() && priced["voices"].as_array().unwrap().len() == 30, "{priced:#}");

    let voices = ok(aura.run(&["providers", "voices", "--provider", "groq", "--json"]));
    assert_eq!(named(&voices, "name", "hannah")["gender"], "female");

    let table = aura.run(&["providers", "models"]);
    assert!(table.out.lines().next().is_some_and(|line| line.starts_with("provider  model")), "{table:?}");
    assert!(table.out.contains("whisper-large-v3-turbo"), "{table:?}");
    assert_eq!(aura.run(&["providers", "voices", "--provider", "nobody"]).code, 1);
}

#[test]
fn a_switch_applies_from_the_next_request() {
    let providers = Providers::answering(ANSWER);
    let aura = with_both(&providers);
    let by = |aura: &Aura| {
        let record = ok(aura.run(&["ask", "How many?", "--json"]));
        named(&record["stages"], "stage", "thinking")["route"].clone()
    };
    assert_eq!(by(&aura)["provider"], "groq");
    let ended = aura.run(&["providers", "switch", "llm", "gemini"]);
    assert!(ended.code == 0 && ended.out.starts_with("llm now uses gemini"), "{ended:?}");
    assert_eq!(by(&aura)["provider"], "gemini");
    ok(aura.run(&["providers", "switch", "llm", "groq", "openai/gpt-oss-120b", "--json"]));
    assert_eq!(by(&aura), json!({ "provider": "groq", "model": "openai/gpt-oss-120b" }));

    let wrong = aura.run(&["providers", "switch", "llm", "nobody"]);
    assert!(wrong.code == 1 && wrong.err.contains("error[invalid_request]"), "{wrong:?}");
    assert_eq!(aura.run(&["providers", "switch", "smell", "groq"]).code, 2);
    assert_eq!(by(&aura)["model"], "openai/gpt-oss-120b", "an invalid switch changes nothing");
}

#[test]
fn each_service_can_be_tested() {
    let providers = Providers::answering(ANSWER);
    let aura = with_both(&providers);
    for (service, provider) in [("stt", "groq"), ("llm", "gemini"), ("vlm", "groq"), ("tts", "gemini")] {
        let result = ok(aura.run(&["providers", "test", service, "--provider", provider, "--json"]));
        assert_eq!(result["route"]["provider"], provider, "{result:#}");
        assert!(result["latency_ms"].is_u64() && result["cost"]["usd"].is_number(), "{result:#}");
        assert_eq!(result["audio"].is_string(), service == "tts", "{result:#}");
        assert!(result["result"].as_str().is_some_and(|text| !text.is_empty()), "{result:#}");
    }
    assert_eq!(providers.requests(Service::Llm).len(), 1, "one call and no more");

    providers.fault(Fault::status(503).provider(Provider::Groq));
    let failed = aura.run(&["providers", "test", "llm", "--provider", "groq"]);
    assert!(failed.code == 1 && failed.err.contains("overloaded"), "{failed:?}");
    let file = aura.folder().join("no.wav");
    std::fs::write(&file, "this is text").unwrap();
    let wrong = aura.run(&["providers", "test", "stt", "--file", &file.to_string_lossy()]);
    assert!(wrong.code == 1 && wrong.err.contains("error[invalid_request]"), "{wrong:?}");
}

#[test]
fn a_rejected_key_is_reported_without_a_billed_call() {
    let providers = Providers::answering(ANSWER);
    let aura = with_both(&providers).with("GROQ_API_KEY", "gsk_this_is_not_the_key_at_all");
    let report = ok(aura.run(&["providers", "health", "--json"]));
    let groq = named(&report["providers"], "name", "groq");
    assert!(groq["reason"].as_str().is_some_and(|why| why.contains("key")), "{groq:#}");
    assert_eq!(named(&report["providers"], "name", "gemini")["status"], "healthy");
    assert!(providers.requests(Service::Llm).is_empty(), "a health report costs nothing");
    let table = aura.run(&["providers", "health"]);
    assert!(table.out.contains("unavailable") && !table.out.contains("gsk_this"), "{table:?}");
    assert!(DEFAULT_KEY.len() > 8 && !table.out.contains(DEFAULT_KEY));
}

#[test]
fn the_health_of_the_running_app_comes_from_its_requests() {
    with_desktop("providers::the_health_of_the_running_app_comes_from_its_requests", || {
        let providers = Providers::answering(ANSWER);
        let app = with_both(&providers).start();
        providers.fault(Fault::status(503).provider(Provider::Groq).service(Service::Llm));
        for _ in 0..2 {
            let record = app.call("ask", json!({ "text": "How many?", "speech": "none" }));
            assert_eq!(named(&record["stages"], "stage", "thinking")["route"]["provider"], "gemini");
        }
        let report = ok(app.aura().run(&["providers", "health", "--json"]));
        let groq = named(&report["providers"], "name", "groq");
        let llm = named(&groq["services"], "service", "llm");
        assert_eq!((llm["status"].as_str(), llm["circuit"].as_str()), (Some("unhealthy"), Some("open")), "{llm:#}");
        assert!(llm["cooldown_until"].is_string() && llm["last_error"]["class"] == "overloaded", "{llm:#}");
        assert_eq!(report["fallbacks"][0]["to"]["provider"], "gemini");
        ok(app.aura().run(&["providers", "switch", "llm", "gemini", "--json"]));
        assert_eq!(app.call("snapshot", json!({}))["settings"]["routes"]["llm"]["provider"], "gemini");
        let used = app.call("usage", json!({}));
        let line = used["lines"].as_array().unwrap().iter().find(|line| line["provider"] == "gemini").unwrap();
        assert!(line["today"]["attempts"] == 2 && line["today"]["usd"].as_f64().unwrap() > 0.0, "{used:#}");
    });
}

#[test]
fn the_history_is_searched_exported_retried_and_deleted() {
    let providers = Providers::answering(ANSWER);
    let aura = with_both(&providers);
    ok(aura.run(&["ask", "How many are there?", "--json"]));
    providers.fault(Fault::status(400));
    assert_eq!(aura.run(&["ask", "And tomorrow?"]).code, 1);
    providers.clear_faults();

    let found = ok(aura.run(&["history", "search", "tomor", "--json"]));
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    let id = found[0]["id"].as_str().unwrap();
    let again = ok(aura.run(&["history", "retry", id, "--llm", "gemini", "--json"]));
    assert_eq!((again["transcript"].as_str(), again["answer"].as_str()), (Some("And tomorrow?"), Some(ANSWER)));
    let all = ok(aura.run(&["history", "export"]));
    let asked: Vec<&str> = all.as_array().unwrap().iter().filter_map(|turn| turn["transcript"].as_str()).collect();
    assert_eq!(asked, ["How many are there?", "And tomorrow?", "And tomorrow?"], "the oldest first");
    assert!(aura.run(&["history"]).out.contains("How many are there?"));
    assert_eq!(aura.run(&["history", "retry", "nobody"]).code, 1);

    // Without a selection, or with two, nothing is deleted.
    for wrong in
        [&["history", "delete"][..], &["history", "delete", id, "--all"], &["history", "delete", "--before", "soon"]]
    {
        assert_eq!(aura.run(wrong).code, 2, "{wrong:?}");
    }
    assert_eq!(aura.run(&["history", "delete", id]).code, 0);
    let left = ok(aura.run(&["history", "--json"]));
    assert!(left.as_array().unwrap().len() == 2 && !left.to_string().contains(id), "{left:#}");
    assert_eq!(ok(aura.run(&["history", "delete", "--before", "2020-01-01", "--json"]))["turns"], 0);
    assert_eq!(ok(aura.run(&["history", "delete", "--all", "--json"]))["turns"], 2);
    assert_eq!(ok(aura.run(&["history", "--json"])), serde_json::json!([]));
}

#[test]
fn a_closed_output_is_not_an_error() {
    let aura = Aura::new();
    let mut listing = aura.command(&["providers", "models"]);
    let mut listing = listing.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    // Closed before anything is printed, as by `head`.
    drop(listing.stdout.take());
    let ended = listing.wait_with_output().expect("the program ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}
