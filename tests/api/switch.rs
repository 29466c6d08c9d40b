//! A switch applies from the next request, in every program, and after a restart.

use aura_sandbox::{Provider, Rule, RuleCondition, ScriptedReply, Service};
use aura_tests::http::{HttpServer, answer, eventually, sandboxed};
use serde_json::json;

use super::{form, quick, rule, text};

fn to_gemini() -> serde_json::Value {
    json!({"service_type": "llm", "provider": "gemini", "model": "gemini-1.5-flash"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_applies_to_the_next_request_and_not_to_running_ones() {
    let slow = ScriptedReply { first_ms: Some(1_500), ..text("Slowly.") };
    let (sandbox, aura) = sandboxed(quick(vec![rule("slow", slow), Rule::reply("At once.")])).await;
    let server = HttpServer::start(aura);
    let (running, ()) = tokio::join!(server.chat(json!({"text": "Take it slow"})), async {
        let arrived = async || sandbox.requests().await.iter().any(|request| request.service == Service::Llm);
        assert!(eventually(arrived).await, "the slow question did not arrive");
        let switched = server.switch(to_gemini()).await;
        assert_eq!(switched["success"], true, "{switched}");
        assert_eq!(switched["data"]["route"]["provider"], "gemini", "{switched}");
        let next = server.chat(json!({"text": "Quickly"})).await;
        assert_eq!(next["stages"][0]["route"]["provider"], "gemini", "{next}");
        assert_eq!(next["notices"][0]["kind"], "model_replaced", "the model is retired: {next}");
    });
    assert_eq!(running["response"], "Slowly.");
    assert_eq!(running["stages"][0]["route"]["provider"], "groq", "{running}");

    let server = server.restart();
    let config = answer(server.get("/providers/config/llm").send().await.unwrap()).await;
    assert_eq!(config["default_provider"], "gemini", "{config}");
    let after = server.chat(json!({"text": "Quickly"})).await;
    assert_eq!(after["stages"][0]["route"]["provider"], "gemini", "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_switches_are_all_kept() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::start(aura);
    let services = ["stt", "llm", "vlm", "tts"];
    for round in 0..12 {
        let provider = ["gemini", "groq"][round % 2];
        futures::future::join_all(services.map(|service| {
            let switch = json!({"service_type": service, "provider": provider});
            async { server.switch(switch).await }
        }))
        .await;
        let settings = server.settings();
        for service in services {
            let config = answer(server.get(&format!("/providers/config/{service}")).send().await.unwrap()).await;
            assert_eq!(config["default_provider"], provider, "round {round}, {service}: {settings}");
        }
        let written: toml::Table = toml::from_str(&settings).unwrap();
        for service in services {
            assert_eq!(written["routes"][service]["provider"].as_str(), Some(provider), "{service}: {settings}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_keep_each_others_changes() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let server = HttpServer::start(aura);
    server.switch(json!({"service_type": "tts", "provider": "gemini"})).await;
    // The command line changes the file itself: it connects to the app only, not to a server.
    let command = server.aura().run(&["providers", "switch", "llm", "gemini"]);
    assert_eq!(command.code, 0, "{command:?}");
    server.switch(json!({"service_type": "stt", "provider": "gemini"})).await;
    let settings = server.settings();
    let written: toml::Table = toml::from_str(&settings).unwrap();
    for service in ["tts", "llm", "stt"] {
        assert_eq!(written["routes"][service]["provider"].as_str(), Some("gemini"), "{service}: {settings}");
    }
    // The server takes over a change of the file by another program.
    let command = server.aura().run(&["providers", "switch", "llm", "groq"]);
    assert_eq!(command.code, 0, "{command:?}");
    let taken_over = async || {
        let config = answer(server.get("/providers/config/llm").send().await.unwrap()).await;
        config["default_provider"] == "groq"
    };
    assert!(eventually(taken_over).await, "the server does not notice: {}", server.settings());
    assert_eq!(server.chat(json!({"text": "Which?"})).await["stages"][0]["route"]["provider"], "groq");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_spoken_question_keeps_its_routes() {
    // The route of the answer is switched during the transcription.
    let mut config = quick(vec![Rule::reply("Paris.")]);
    config.delays.stt_ms = 1_500;
    let (sandbox, aura) = sandboxed(config).await;
    let server = HttpServer::start(aura);
    let spoken = async { answer(server.post("/process").multipart(form()).send().await.unwrap()).await };
    let (spoken, ()) = tokio::join!(spoken, async {
        let arrived = async || sandbox.requests().await.iter().any(|request| request.service == Service::Stt);
        assert!(eventually(arrived).await, "the recording did not arrive");
        server.switch(to_gemini()).await;
    });
    let thinking = spoken["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == "thinking").unwrap();
    assert_eq!(thinking["route"]["provider"], "groq", "{spoken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_a_default_model_selects_its_provider() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("Yes.")])).await;
    let server = HttpServer::start(aura);
    let set = async |model: &str| {
        answer(server.post(&format!("/providers/config/llm/model?model={model}")).send().await.unwrap()).await
    };
    let own = set("llama-3.1-8b-instant").await;
    assert_eq!(own["data"]["provider"], "groq", "{own}");
    let other = set("gemini-2.0-flash-exp").await;
    assert_eq!(other["data"]["provider"], "gemini", "{other}");
    let config = answer(server.get("/providers/config/llm").send().await.unwrap()).await;
    assert_eq!(config["default_provider"], "gemini", "{config}");
    assert_eq!(config["fallback_providers"][0], "groq", "{config}");
    let next = server.chat(json!({"text": "Is it so?"})).await;
    assert_eq!(next["stages"][0]["route"]["provider"], "gemini", "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_against_the_environment_applies_until_the_next_start() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("Yes.")])).await;
    let server = HttpServer::start(aura.with("DEFAULT_LLM_PROVIDER", "groq"));
    let provider = async |server: &HttpServer| {
        let answer = server.chat(json!({"text": "Is it so?"})).await;
        answer["stages"][0]["route"]["provider"].as_str().unwrap().to_owned()
    };
    assert_eq!(provider(&server).await, "groq");
    let switched = server.switch(to_gemini()).await;
    let message = switched["message"].as_str().unwrap();
    assert!(message.contains("DEFAULT_LLM_PROVIDER=groq") && message.contains("starts next"), "{message}");
    assert_eq!(provider(&server).await, "gemini");

    // The variable decides again, and the server says what it overrules.
    let server = server.restart();
    assert_eq!(provider(&server).await, "groq");
    let log = std::fs::read_to_string(server.aura().folder().join("log")).unwrap();
    assert!(log.contains("DEFAULT_LLM_PROVIDER=groq overrules the remembered"), "{log}");
    // The command line switches a running server, to what is remembered already.
    let command = server.aura().run(&["providers", "switch", "llm", "gemini", "gemini-1.5-flash"]);
    assert_eq!(command.code, 0, "{command:?}");
    assert!(command.err.contains("DEFAULT_LLM_PROVIDER=groq"), "{command:?}");
    assert!(eventually(async || provider(&server).await == "gemini").await, "{}", server.settings());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_name_routes_in_the_query_in_the_json_or_after_it() {
    let of_gemini = RuleCondition { provider: Some(Provider::Gemini), ..RuleCondition::default() };
    let rules = vec![Rule { when: of_gemini, reply: text("By Gemini."), times: None }, Rule::reply("By Groq.")];
    let (_sandbox, aura) = sandboxed(quick(rules)).await;
    let server = HttpServer::start(aura);
    assert_eq!(server.chat(json!({"text": "Who?"})).await["response"], "By Groq.");
    assert_eq!(server.chat(json!({"text": "Who?", "llm_provider": "gemini"})).await["response"], "By Gemini.");
    let query = server.post("/chat?llm_provider=gemini").json(&json!({"text": "Who?"}));
    assert_eq!(answer(query.send().await.unwrap()).await["response"], "By Gemini.");
    for media in ["application/json", "application/x-www-form-urlencoded"] {
        let body = "{\"text\": \"Who?\", \"session_id\": \"mixed\"}&llm_provider=gemini&llm_model=gemini-2.0-flash-exp";
        let mixed = answer(server.post("/chat").header("content-type", media).body(body).send().await.unwrap()).await;
        assert_eq!(
            (mixed["response"].as_str(), mixed["session_id"].as_str()),
            (Some("By Gemini."), Some("mixed")),
            "{media}"
        );
    }
    // A model alone selects its provider.
    let model = server.chat(json!({"text": "Who?", "llm_model": "gemini-1.5-pro-latest"})).await;
    assert_eq!(model["response"], "By Gemini.", "{model}");
}
