//! A provider is down: another one answers, with a notice, or the error lists every attempt.

use aura_sandbox::{Fault, Provider, Rule};
use aura_tests::http::{HttpServer, answer, sandboxed};
use serde_json::json;

use super::{form, quick};

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_answers_with_a_notice() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let server = HttpServer::start(aura);
    let chat = server.chat(json!({"text": "What is the capital of France?"})).await;
    assert_eq!(chat["response"], "Paris.");
    assert_eq!(chat["stages"][0]["route"]["provider"], "gemini", "{chat}");
    assert_eq!(chat["stages"][0]["attempts"][0]["class"], "overloaded", "{chat}");
    let notice = &chat["notices"][0];
    assert_eq!(notice["kind"], "fallback", "{chat}");
    assert!(notice["message"].as_str().unwrap().contains("Google Gemini did"), "{notice}");

    let spoken = answer(server.post("/process").multipart(form()).send().await.unwrap()).await;
    assert_eq!((spoken["success"].as_bool(), spoken["response_text"].as_str()), (Some(true), Some("Paris.")));
    for stage in spoken["stages"].as_array().unwrap().iter().filter(|stage| !stage["route"].is_null()) {
        assert_eq!(stage["route"]["provider"], "gemini", "{stage}");
    }
    assert!(spoken["tts_audio"].is_string(), "{spoken}");
    assert!(!spoken["notices"].as_array().unwrap().is_empty(), "{spoken}");

    let health = answer(server.get("/providers/health").send().await.unwrap()).await;
    let groq = &health["providers"]["groq"]["services"]["llm"];
    assert_eq!(groq["last_error"]["class"], "overloaded", "{health}");
    assert_eq!(health["providers"]["gemini"]["services"]["llm"]["success_rate"], 1.0, "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_fallback_the_error_lists_the_attempts() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let server = HttpServer::start(aura.with("ENABLE_PROVIDER_FALLBACK", "false"));
    for reply in [
        server.post("/chat").json(&json!({"text": "Hello"})).send().await.unwrap(),
        server.post("/process").multipart(form()).send().await.unwrap(),
    ] {
        assert_eq!(reply.status(), 502);
        let body: serde_json::Value = reply.json().await.unwrap();
        let error = &body["error"];
        assert_eq!(error["code"], "all_routes_failed", "{body}");
        let attempts = error["attempts"].as_array().unwrap();
        assert!(!attempts.is_empty(), "{body}");
        for attempt in attempts {
            assert_eq!(attempt["route"]["provider"], "groq", "{attempt}");
            assert_eq!(attempt["class"], "overloaded", "{attempt}");
        }
        assert!(body.get("success").is_none(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requested_provider_is_only_replaced_if_the_request_allows_it() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let server = HttpServer::start(aura);
    let mut question = json!({"text": "Hello", "llm_provider": "groq"});
    let reply = server.post("/chat").json(&question).send().await.unwrap();
    assert_eq!(reply.status(), 502, "{}", reply.text().await.unwrap());
    question["fallback"] = json!(true);
    let chat = server.chat(question).await;
    assert_eq!(chat["stages"][0]["route"]["provider"], "gemini", "{chat}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_test_reports_success_and_failure() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Ready.")])).await;
    let server = HttpServer::start(aura);
    let llm =
        json!({"service_type": "llm", "provider": "gemini", "model": "gemini-1.5-flash", "test_input": "What is AI?"});
    let works = answer(server.post("/providers/test").json(&llm).send().await.unwrap()).await;
    assert_eq!((works["success"].as_bool(), works["data"]["result"].as_str()), (Some(true), Some("Ready.")));
    assert!(works["data"]["latency_ms"].is_number(), "{works}");
    sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    let fails = server.post("/providers/test").json(&llm).send().await.unwrap();
    assert_eq!(fails.status(), 502, "{}", fails.text().await.unwrap());
}
