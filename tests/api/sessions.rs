//! Sessions: memory, history, deletion.

use aura_sandbox::{Rule, Service};
use aura_tests::http::{HttpServer, answer, sandboxed};
use serde_json::{Value, json};

use super::{form, quick, rule, text};

/// The messages of the last request to the model, as text.
async fn last_request(sandbox: &aura_sandbox::Sandbox) -> String {
    let requests = sandbox.requests().await;
    let last = requests.iter().rev().find(|request| request.service == Service::Llm).unwrap();
    last.json.as_ref().unwrap()["messages"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_turns_are_sent_only_within_their_session() {
    let rules = vec![rule("my name is", text("Hello, Ada.")), Rule::reply("I see.")];
    let (sandbox, aura) = sandboxed(quick(rules)).await;
    let server = HttpServer::start(aura);
    server.chat(json!({"text": "my name is Ada", "session_id": "one"})).await;
    server.chat(json!({"text": "What is my name?", "session_id": "one"})).await;
    let remembered = last_request(&sandbox).await;
    assert!(remembered.contains("my name is Ada") && remembered.contains("Hello, Ada."), "{remembered}");
    let fresh = server.chat(json!({"text": "What is my name?"})).await;
    assert!(!last_request(&sandbox).await.contains("Ada"));
    let new = fresh["session_id"].as_str().unwrap();
    assert!(!new.is_empty() && new != "one", "{fresh}");

    // Spoken and typed questions share a session.
    let spoken = server.post("/process").multipart(form().text("session_id", "one")).send().await.unwrap();
    let spoken = answer(spoken).await;
    assert_eq!((spoken["session_id"].as_str(), spoken["error_message"].is_null()), (Some("one"), true), "{spoken}");
    assert!(last_request(&sandbox).await.contains("my name is Ada"));

    // The session survives a restart.
    let server = server.restart();
    server.chat(json!({"text": "And now?", "session_id": "one"})).await;
    assert!(last_request(&sandbox).await.contains("my name is Ada"));

    let history = answer(server.get("/session/one/history").send().await.unwrap()).await;
    let asked: Vec<&Value> = history["history"].as_array().unwrap().iter().map(|turn| &turn["transcript"]).collect();
    assert_eq!(
        asked,
        ["my name is Ada", "What is my name?", "What is the capital of France?", "And now?"],
        "oldest first: {history}"
    );
    assert_eq!(history["history"][0]["response_text"], "Hello, Ada.");

    let forgotten = answer(server.delete("/session/one/history").send().await.unwrap()).await;
    assert_eq!(forgotten["data"]["deleted"], 4, "{forgotten}");
    server.chat(json!({"text": "What is my name?", "session_id": "one"})).await;
    assert!(!last_request(&sandbox).await.contains("Ada"));
    let empty = answer(server.get("/session/nobody/history").send().await.unwrap()).await;
    assert_eq!(empty["history"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_leaves_no_recording() {
    let (sandbox, aura) = sandboxed(quick(vec![Rule::reply("Paris.")])).await;
    let server = HttpServer::start(aura);
    let picture = reqwest::multipart::Part::bytes(super::picture()).file_name("screen.png");
    let form = form().part("screenshot", picture).text("ui_tree", "Window `Invoice 4711`");
    let spoken = answer(server.post("/process").multipart(form).send().await.unwrap()).await;
    let sound = spoken["tts_audio"].as_str().unwrap();
    let wav = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, sound).unwrap();
    let wav = hound::WavReader::new(wav.as_slice()).unwrap();
    let seconds = f64::from(wav.duration()) / f64::from(wav.spec().sample_rate);
    assert!((0.35..0.6).contains(&seconds), "{seconds} s of the 0.4 s tone");
    let request = sandbox.requests().await.into_iter().find(|request| request.service == Service::Vlm).unwrap();
    assert_eq!(request.images.len(), 1);
    assert!(request.text.as_deref().unwrap().contains("Invoice 4711"), "{:?}", request.text);
    assert!(spoken["processing_time"].as_f64().unwrap() > 0.0);
    let recordings = std::fs::read_dir(server.aura().data().join("recordings")).unwrap().count();
    assert_eq!(recordings, 0, "the audio is only in the reply");
}
