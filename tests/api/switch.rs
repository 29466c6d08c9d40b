//! A switch holds from the next request on, for everyone, and after a restart.

use aura_sandbox::{Provider, Reply, Rule, Service, When};
use aura_tests::http::{HttpDoor, answer, eventually, sandboxed};
use serde_json::json;

use super::{form, quick, rule, text};

fn to_gemini() -> serde_json::Value {
    json!({"service_type": "llm", "provider": "gemini", "model": "gemini-1.5-flash"})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_chat_takes_the_new_route_and_one_under_way_ends_on_the_old() {
    let slow = Reply { first_ms: Some(1_500), ..text("Slowly.") };
    let (sandbox, aura) = sandboxed(quick(vec![rule("slow", slow), Rule::reply("At once.")])).await;
    let door = HttpDoor::start(aura);
    let (running, ()) = tokio::join!(door.chat(json!({"text": "Take it slow"})), async {
        let arrived = async || sandbox.requests().await.iter().any(|request| request.service == Service::Llm);
        assert!(eventually(arrived).await, "the slow question did not arrive");
        let switched = door.switch(to_gemini()).await;
        assert_eq!(switched["success"], true, "{switched}");
        assert_eq!(switched["data"]["route"]["provider"], "gemini", "{switched}");
        let next = door.chat(json!({"text": "Quickly"})).await;
        assert_eq!(next["stages"][0]["route"]["provider"], "gemini", "{next}");
        assert_eq!(next["notices"][0]["kind"], "model_replaced", "the guide's model is retired: {next}");
    });
    assert_eq!(running["response"], "Slowly.");
    assert_eq!(running["stages"][0]["route"]["provider"], "groq", "{running}");

    let door = door.restart();
    let config = answer(door.get("/providers/config/llm").send().await.unwrap()).await;
    assert_eq!(config["default_provider"], "gemini", "{config}");
    let after = door.chat(json!({"text": "Quickly"})).await;
    assert_eq!(after["stages"][0]["route"]["provider"], "gemini", "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_switches_at_once_none_is_lost() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let door = HttpDoor::start(aura);
    let services = ["stt", "llm", "vlm", "tts"];
    for round in 0..12 {
        let provider = ["gemini", "groq"][round % 2];
        futures::future::join_all(services.map(|service| {
            let switch = json!({"service_type": service, "provider": provider});
            async { door.switch(switch).await }
        }))
        .await;
        let settings = door.settings();
        for service in services {
            let config = answer(door.get(&format!("/providers/config/{service}")).send().await.unwrap()).await;
            assert_eq!(config["default_provider"], provider, "round {round}, {service}: {settings}");
        }
        let written: toml::Table = toml::from_str(&settings).unwrap();
        for service in services {
            assert_eq!(written["routes"][service]["provider"].as_str(), Some(provider), "{service}: {settings}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_on_the_same_settings_do_not_undo_each_other() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let door = HttpDoor::start(aura);
    door.switch(json!({"service_type": "tts", "provider": "gemini"})).await;
    // The command line is a program of its own; it knows of the app, and of no server.
    let by_hand = door.aura().run(&["providers", "switch", "llm", "gemini"]);
    assert_eq!(by_hand.code, 0, "{by_hand:?}");
    door.switch(json!({"service_type": "stt", "provider": "gemini"})).await;
    let settings = door.settings();
    let written: toml::Table = toml::from_str(&settings).unwrap();
    for service in ["tts", "llm", "stt"] {
        assert_eq!(written["routes"][service]["provider"].as_str(), Some("gemini"), "{service}: {settings}");
    }
    // What the other program wrote holds here as well, without a switch of its own.
    let by_hand = door.aura().run(&["providers", "switch", "llm", "groq"]);
    assert_eq!(by_hand.code, 0, "{by_hand:?}");
    let taken_over = async || {
        let config = answer(door.get("/providers/config/llm").send().await.unwrap()).await;
        config["default_provider"] == "groq"
    };
    assert!(eventually(taken_over).await, "the server does not notice: {}", door.settings());
    assert_eq!(door.chat(json!({"text": "Which?"})).await["stages"][0]["route"]["provider"], "groq");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_under_way_keeps_all_its_routes() {
    // The transcript takes long; the switch of the answer's route comes while it is waited for.
    let mut config = quick(vec![Rule::reply("Paris.")]);
    config.delays.stt_ms = 1_500;
    let (sandbox, aura) = sandboxed(config).await;
    let door = HttpDoor::start(aura);
    let spoken = async { answer(door.post("/process").multipart(form()).send().await.unwrap()).await };
    let (spoken, ()) = tokio::join!(spoken, async {
        let arrived = async || sandbox.requests().await.iter().any(|request| request.service == Service::Stt);
        assert!(eventually(arrived).await, "the recording did not arrive");
        door.switch(to_gemini()).await;
    });
    let thinking = spoken["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == "thinking").unwrap();
    assert_eq!(thinking["route"]["provider"], "groq", "{spoken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_model_is_set_and_one_of_another_provider_brings_it_along() {
    let (_sandbox, aura) = sandboxed(quick(vec![Rule::reply("Yes.")])).await;
    let door = HttpDoor::start(aura);
    let set = async |model: &str| {
        answer(door.post(&format!("/providers/config/llm/model?model={model}")).send().await.unwrap()).await
    };
    let own = set("llama-3.1-8b-instant").await;
    assert_eq!(own["data"]["provider"], "groq", "{own}");
    let other = set("gemini-2.0-flash-exp").await;
    assert_eq!(other["data"]["provider"], "gemini", "{other}");
    let config = answer(door.get("/providers/config/llm").send().await.unwrap()).await;
    assert_eq!(config["default_provider"], "gemini", "{config}");
    assert_eq!(config["fallback_providers"][0], "groq", "{config}");
    let next = door.chat(json!({"text": "Is it so?"})).await;
    assert_eq!(next["stages"][0]["route"]["provider"], "gemini", "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_the_environment_holds_is_not_switched_in_silence() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let door = HttpDoor::start(aura.with("DEFAULT_LLM_PROVIDER", "groq"));
    let reply = door.post("/providers/switch").json(&to_gemini()).send().await.unwrap();
    assert_eq!(reply.status(), 422);
    assert!(reply.text().await.unwrap().contains("DEFAULT_LLM_PROVIDER"));
    // Nor by the other doors: it is the operation that knows.
    let by_hand = door.aura().run(&["providers", "switch", "llm", "gemini"]);
    assert_eq!(by_hand.code, 1, "{by_hand:?}");
    assert!(by_hand.err.contains("DEFAULT_LLM_PROVIDER"), "{by_hand:?}");
    assert_eq!(door.settings(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_its_routes_in_the_query_in_the_json_or_after_it() {
    let of_gemini = When { provider: Some(Provider::Gemini), ..When::default() };
    let rules = vec![Rule { when: of_gemini, reply: text("By Gemini."), times: None }, Rule::reply("By Groq.")];
    let (_sandbox, aura) = sandboxed(quick(rules)).await;
    let door = HttpDoor::start(aura);
    assert_eq!(door.chat(json!({"text": "Who?"})).await["response"], "By Groq.");
    assert_eq!(door.chat(json!({"text": "Who?", "llm_provider": "gemini"})).await["response"], "By Gemini.");
    let query = door.post("/chat?llm_provider=gemini").json(&json!({"text": "Who?"}));
    assert_eq!(answer(query.send().await.unwrap()).await["response"], "By Gemini.");
    for media in ["application/json", "application/x-www-form-urlencoded"] {
        let body = "{\"text\": \"Who?\", \"session_id\": \"mixed\"}&llm_provider=gemini&llm_model=gemini-2.0-flash-exp";
        let mixed = answer(door.post("/chat").header("content-type", media).body(body).send().await.unwrap()).await;
        assert_eq!(
            (mixed["response"].as_str(), mixed["session_id"].as_str()),
            (Some("By Gemini."), Some("mixed")),
            "{media}"
        );
    }
    // A model alone tells whose it is.
    let model = door.chat(json!({"text": "Who?", "llm_model": "gemini-1.5-pro-latest"})).await;
    assert_eq!(model["response"], "By Gemini.", "{model}");
}
