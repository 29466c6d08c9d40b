//! Intents and action plans: read from the model's tool call and reported, never carried out.

use aura_sandbox::{Rule, ScriptedReply, Service};
use aura_tests::http::{HttpServer, answer, sandboxed};
use serde_json::json;

use super::{form, quick, rule, text};

fn whatsapp() -> ScriptedReply {
    let arguments = json!({
        "steps": [
            {"action": "open_application", "application": "WhatsApp"},
            {"action": "send_message", "application": "WhatsApp", "recipient": "John"},
        ],
        "reply": "I would open WhatsApp and write to John.",
    });
    ScriptedReply {
        tool_calls: vec![aura_sandbox::ToolCall { name: "plan_actions".into(), arguments }],
        ..ScriptedReply::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_call_becomes_an_intent_and_a_plan() {
    let (sandbox, aura) = sandboxed(quick(vec![rule("WhatsApp", whatsapp()), Rule::reply("Paris.")])).await;
    let server = HttpServer::start(aura);
    let text = "Open WhatsApp and send a message to John";
    for provider in ["groq", "gemini"] {
        let chat = server.chat(json!({"text": text, "llm_provider": provider})).await;
        let intent = json!({"name": "send_message", "arguments": {"application": "WhatsApp", "recipient": "John"}});
        assert_eq!(chat["intent"], intent, "{chat}");
        let open = json!({"name": "open_application", "arguments": {"application": "WhatsApp"}});
        assert_eq!(chat["action_plan"], json!([open, intent]), "{chat}");
        assert_eq!(chat["response"], "I would open WhatsApp and write to John.", "{chat}");
    }
    // A single call per question, which declares the actions as tools.
    let asked = sandbox.requests().await.into_iter().filter(|request| request.service == Service::Llm);
    let asked: Vec<_> = asked.collect();
    assert_eq!(asked.len(), 2);
    for request in &asked {
        let body = request.json.as_ref().unwrap();
        assert!(body["tools"].to_string().contains("open_application"), "{body}");
    }
    let question = server.chat(json!({"text": "What is the capital of France?"})).await;
    assert!(question["intent"].is_null(), "{question}");
    assert_eq!((&question["action_plan"], question["response"].as_str()), (&json!([]), Some("Paris.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_request_gets_a_plan_and_a_spoken_reply() {
    let mut config = quick(vec![rule("WhatsApp", whatsapp())]);
    config.fixed.transcript = Some("Open WhatsApp and send a message to John".into());
    let (_sandbox, aura) = sandboxed(config).await;
    let server = HttpServer::start(aura);
    let spoken = answer(server.post("/process").multipart(form()).send().await.unwrap()).await;
    assert_eq!(spoken["intent"]["name"], "send_message", "{spoken}");
    assert_eq!(spoken["action_plan"].as_array().unwrap().len(), 2, "{spoken}");
    assert_eq!(spoken["response_text"], "I would open WhatsApp and write to John.");
    assert!(spoken["tts_audio"].is_string(), "{spoken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_tool_call_is_retried() {
    let call = aura_sandbox::ToolCall { name: "format_disk".into(), arguments: json!({}) };
    let wrong = Rule {
        times: Some(1),
        ..rule("capital", ScriptedReply { tool_calls: vec![call], ..ScriptedReply::default() })
    };
    let (_sandbox, aura) = sandboxed(quick(vec![wrong, rule("capital", text("Paris."))])).await;
    let server = HttpServer::start(aura);
    let chat = server.chat(json!({"text": "What is the capital of France?"})).await;
    assert_eq!((chat["response"].as_str(), &chat["intent"]), (Some("Paris."), &json!(null)), "{chat}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_tool_calls_still_answers() {
    let (sandbox, aura) = sandboxed(quick(vec![rule("capital", text("Paris."))])).await;
    // The error of a server whose model has no tools. The retry without tools succeeds.
    let said = json!({"error": {"message": "this model does not support tools", "type": "invalid_request_error"}});
    let refuses = aura_sandbox::Fault::status(400).body(aura_sandbox::ErrorBody::Json(said));
    sandbox.add_fault(refuses.service(Service::Llm).times(1));
    let server = HttpServer::start(aura);
    let chat = server.chat(json!({"text": "What is the capital of France?", "llm_provider": "groq"})).await;
    assert_eq!(chat["response"], "Paris.", "{chat}");
}
