//! Read-only routes, and metrics for Prometheus.

use aura_sandbox::{Fault, Provider, Rule, Service};
use aura_tests::http::{HttpServer, answer, sandboxed};
use serde_json::{Value, json};

use super::quick;

async fn get(server: &HttpServer, path: &str) -> Value {
    answer(server.get(path).send().await.unwrap()).await
}

/// Panics unless each of these fields is present.
fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "`{field}` is missing: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_routes_have_their_fields() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let server = HttpServer::start(aura);
    server.chat(json!({"text": "Which?"})).await;
    let health = get(&server, "/providers/health").await;
    has(&health, &["overall_status", "providers"]);
    for provider in ["groq", "gemini", "offline"] {
        has(&health["providers"][provider], &["status", "reason", "services"]);
    }
    let llm = &health["providers"]["groq"]["services"]["llm"];
    has(
        llm,
        &["circuit", "success_rate", "p50_ms", "p95_ms", "requests", "last_error", "cooldown_until", "rate_limit"],
    );
    assert_eq!(llm["requests"], 1, "{llm}");

    let info = get(&server, "/providers/info").await;
    has(&info, &["providers", "service_configs", "available_services"]);
    has(&info["providers"]["groq"], &["available", "capabilities", "models"]);
    has(
        &info["service_configs"]["llm"],
        &["default_provider", "fallback_providers", "default_model", "enable_fallback"],
    );
    assert_eq!(info["service_configs"]["llm"]["default_provider"], "groq");

    let all = get(&server, "/providers/models").await;
    let fields = [
        "name",
        "provider",
        "capabilities",
        "max_tokens",
        "context_length",
        "description",
        "supports_streaming",
        "price",
        "retired_on",
        "replaced_by",
        "source",
    ];
    all.as_array().unwrap().iter().for_each(|model| has(model, &fields));
    let llms = get(&server, "/providers/models?service_type=llm").await;
    assert!(llms.as_array().unwrap().len() < all.as_array().unwrap().len());
    assert!(
        llms.as_array().unwrap().iter().all(|model| model["capabilities"].as_array().unwrap().contains(&json!("llm")))
    );
    let gemini = get(&server, "/providers/models?provider=gemini").await;
    assert!(gemini.as_array().unwrap().iter().all(|model| model["provider"] == "gemini"));

    let voices = get(&server, "/providers/voices").await;
    voices
        .as_array()
        .unwrap()
        .iter()
        .for_each(|voice| has(voice, &["name", "provider", "language", "gender", "model"]));
    let of_groq = get(&server, "/providers/voices?provider=groq").await;
    assert!(!of_groq.as_array().unwrap().is_empty());
    for service in ["stt", "llm", "vlm", "tts"] {
        let config = get(&server, &format!("/providers/config/{service}")).await;
        has(
            &config,
            &["service_type", "default_provider", "fallback_providers", "default_model", "enable_fallback", "timeout"],
        );
    }
    assert_eq!(get(&server, "/health").await["status"], "healthy");
    assert_eq!(get(&server, "/").await["name"], "AURA");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_requests_and_attempts() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let server = HttpServer::start(aura);
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq).service(Service::Llm).times(1));
    server.chat(json!({"text": "Which?"})).await;
    server.get("/providers/config/smell").send().await.unwrap();
    let reply = server.get("/metrics").send().await.unwrap();
    assert!(reply.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = reply.text().await.unwrap();
    for line in [
        r#"aura_http_requests_total{route="/chat",method="POST",status="200"} 1"#,
        r#"aura_http_requests_total{route="/providers/config/{service}",method="GET",status="404"} 1"#,
        r#"aura_http_request_duration_seconds_count{route="/chat"} 1"#,
        r#"aura_attempts_total{provider="groq",service="llm",class="overloaded"} 1"#,
        r#"aura_attempts_total{provider="gemini",service="llm",class="ok"} 1"#,
        r#"aura_circuit_state{provider="gemini",service="llm"} 0"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    for name in ["aura_tokens_total{provider=\"gemini\"", "aura_cost_usd_total{provider=\"gemini\""] {
        let sample = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        let value: f64 = sample.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(value > 0.0, "{sample}");
    }
    // Each line is a comment or a sample of a declared metric.
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        let declared = |family: &str| text.contains(&format!("# TYPE {family} "));
        assert!(declared(family) || declared(name), "{line}");
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
    }
}
