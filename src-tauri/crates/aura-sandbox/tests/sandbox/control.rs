//! The control routes over HTTP.

use serde_json::{Value, json};

use crate::harness::Harness;

#[tokio::test]
async fn control_routes_read_and_write_script_faults_delays_and_requests() {
    let harness = Harness::start().await;
    let url = |path: &str| format!("{}/control/{path}", harness.sandbox.url());
    let put = async |path: &str, body: Value| {
        let response = harness.client.put(url(path)).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 204, "{path}");
    };
    let get = async |path: &str| -> Value { harness.client.get(url(path)).send().await.unwrap().json().await.unwrap() };
    put("script", json!({"rules": [{"when": {"contains": "morning"}, "reply": {"text": "You said {heard}."}}]})).await;
    put("delays", json!({"llm_first_ms": 20})).await;
    let fault = json!({"provider": "groq", "service": "llm", "count": 1, "kind": "status", "code": 503});
    put("faults", json!([fault])).await;
    assert_eq!(get("faults").await.as_array().unwrap().len(), 1);
    assert_eq!(get("delays").await["llm_first_ms"], 20);
    assert_eq!(get("script").await["rules"][0]["when"]["contains"], "morning");

    assert_eq!(harness.groq_chat(false).send().await.unwrap().status(), 503);
    let answer: Value = harness.groq_chat(false).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "You said Good morning.");
    let requests = get("requests").await;
    assert_eq!(requests.as_array().unwrap().len(), 2);
    assert_eq!((&requests[0]["fault"], &requests[1]["text"]), (&json!("status"), &json!("Good morning")));

    let rejected = harness.client.put(url("delays")).json(&json!({"llm_first": 1})).send().await.unwrap();
    assert!(rejected.status().is_client_error(), "an unknown field was accepted");
    harness.client.post(url("reset")).send().await.unwrap();
    assert_eq!((get("requests").await, get("script").await), (json!([]), json!({"rules": []})));
    assert_eq!(get("delays").await["llm_first_ms"], 0);
}
