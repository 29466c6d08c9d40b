//! A question about the screen calls the tool that looks at it, in every format that has tools.

use serde_json::{Value, json};

use crate::harness::Harness;

const QUESTION: &str = "What is on my screen?";

/// Asks in OpenAI's format; returns the message of the answer.
async fn openai(harness: &Harness, address: &str, model: &str, messages: &Value, choice: &str) -> Value {
    let tool = json!({"type": "function", "function": {"name": "look_at_screen"}});
    let body = json!({"model": model, "messages": messages, "tools": [tool], "tool_choice": choice});
    let request = harness.client.post(format!("{address}/chat/completions")).bearer_auth(harness.sandbox.key());
    let reply: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
    reply["choices"][0]["message"].clone()
}

#[tokio::test]
async fn a_question_about_the_screen_calls_the_tool_once_in_the_format_of_openai() {
    let harness = Harness::start().await;
    for (address, model) in
        [(harness.sandbox.groq_base_url(), "openai/gpt-oss-20b"), (harness.sandbox.openai_base_url(), "gpt-6-luna")]
    {
        let address = address.trim_end_matches('/');
        let asked = json!({"role": "user", "content": QUESTION});
        let answer = openai(&harness, address, model, &json!([asked]), "auto").await;
        let call = &answer["tool_calls"][0];
        assert_eq!(
            (&call["function"]["name"], &answer["content"]),
            (&json!("look_at_screen"), &Value::Null),
            "{answer}"
        );
        let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "It cannot be captured."});
        let messages = json!([asked, {"role": "assistant", "tool_calls": [call]}, result]);
        let said = json!(format!("This is the sandbox. You said: {QUESTION}"));
        assert_eq!(openai(&harness, address, model, &messages, "auto").await["content"], said);
        assert_eq!(openai(&harness, address, model, &json!([asked]), "none").await["content"], said);
        let other = json!([{"role": "user", "content": "Good morning"}]);
        assert!(openai(&harness, address, model, &other, "auto").await["tool_calls"].is_null());
    }
}

#[tokio::test]
async fn a_question_about_the_screen_calls_the_tool_once_in_the_format_of_gemini() {
    let harness = Harness::start().await;
    let ask = async |contents: Value, mode: &str| {
        let address = harness.sandbox.gemini_base_url();
        let address = address.trim_end_matches('/');
        let url = format!("{address}/models/gemini-3.5-flash-lite:generateContent");
        let body = json!({
            "contents": contents,
            "tools": [{"functionDeclarations": [{"name": "look_at_screen"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": mode}},
        });
        let request = harness.client.post(url).header("x-goog-api-key", harness.sandbox.key());
        let reply: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
        reply["candidates"][0]["content"].clone()
    };
    let asked = json!({"role": "user", "parts": [{"text": QUESTION}]});
    let called = ask(json!([asked]), "AUTO").await;
    assert_eq!(called["parts"][0]["functionCall"]["name"], "look_at_screen", "{called}");
    let response = json!({"name": "look_at_screen", "response": {"output": "It cannot be captured."}});
    let result = json!({"role": "user", "parts": [{"functionResponse": response}]});
    let said = json!(format!("This is the sandbox. You said: {QUESTION}"));
    assert_eq!(ask(json!([asked, called, result]), "AUTO").await["parts"][0]["text"], said);
    assert_eq!(ask(json!([asked]), "NONE").await["parts"][0]["text"], said);
}
