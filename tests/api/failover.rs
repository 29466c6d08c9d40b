//! What happens when a provider is down: somebody else answers and it is said, or nobody and every attempt is told.

use aura_sandbox::{Fault, Provider, Rule};
use aura_tests::http::{HttpDoor, answer, sandboxed};
use serde_json::json;

use super::{form, quick};

#[tokio::test(flavor = "multi_thread")]
async fn with_groq_down_gemini_answers_and_it_is_said() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let door = HttpDoor::start(aura);
    let chat = door.chat(json!({"text": "What is the capital of France?"})).await;
    assert_eq!(chat["response"], "Paris.");
    assert_eq!(chat["stages"][0]["route"]["provider"], "gemini", "{chat}");
    assert_eq!(chat["stages"][0]["attempts"][0]["class"], "overloaded", "{chat}");
    let notice = &chat["notices"][0];
    assert_eq!(notice["kind"], "fallback", "{chat}");
    assert!(notice["message"].as_str().unwrap().contains("Google Gemini did"), "{notice}");

    let spoken = answer(door.post("/process").multipart(form()).send().await.unwrap()).await;
    assert_eq!((spoken["success"].as_bool(), spoken["response_text"].as_str()), (Some(true), Some("Paris.")));
    for stage in spoken["stages"].as_array().unwrap().iter().filter(|stage| !stage["route"].is_null()) {
        assert_eq!(stage["route"]["provider"], "gemini", "{stage}");
    }
    assert!(spoken["tts_audio"].is_string(), "{spoken}");
    assert!(!spoken["notices"].as_array().unwrap().is_empty(), "{spoken}");

    let health = answer(door.get("/providers/health").send().await.unwrap()).await;
    let groq = &health["providers"]["groq"]["services"]["llm"];
    assert_eq!(groq["last_error"]["class"], "overloaded", "{health}");
    assert_eq!(health["providers"]["gemini"]["services"]["llm"]["success_rate"], 1.0, "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_fallback_the_attempts_are_told() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let door = HttpDoor::start(aura.with("ENABLE_PROVIDER_FALLBACK", "false"));
    for reply in [
        door.post("/chat").json(&json!({"text": "Hello"})).send().await.unwrap(),
        door.post("/process").multipart(form()).send().await.unwrap(),
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
async fn a_provider_that_was_named_is_not_left_unless_the_caller_says_so() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    sandbox.add_fault(Fault::status(503).provider(Provider::Groq));
    let door = HttpDoor::start(aura);
    let mut question = json!({"text": "Hello", "llm_provider": "groq"});
    let reply = door.post("/chat").json(&question).send().await.unwrap();
    assert_eq!(reply.status(), 502, "{}", reply.text().await.unwrap());
    question["fallback"] = json!(true);
    let chat = door.chat(question).await;
    assert_eq!(chat["stages"][0]["route"]["provider"], "gemini", "{chat}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_says_what_works_and_what_does_not() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Ready.")])).await;
    let door = HttpDoor::start(aura);
    let llm =
        json!({"service_type": "llm", "provider": "gemini", "model": "gemini-1.5-flash", "test_input": "What is AI?"});
    let works = answer(door.post("/providers/test").json(&llm).send().await.unwrap()).await;
    assert_eq!((works["success"].as_bool(), works["data"]["result"].as_str()), (Some(true), Some("Ready.")));
    assert!(works["data"]["latency_ms"].is_number(), "{works}");
    sandbox.add_fault(Fault::status(503).provider(Provider::Gemini));
    let fails = door.post("/providers/test").json(&llm).send().await.unwrap();
    assert_eq!(fails.status(), 502, "{}", fails.text().await.unwrap());
}
