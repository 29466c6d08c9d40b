//! The control routes, as another process uses them.

use serde_json::{Value, json};

use crate::bench::Bench;

#[tokio::test]
async fn script_faults_delays_and_requests_are_reached_over_http() {
    let bench = Bench::start().await;
    let url = |path: &str| format!("{}/control/{path}", bench.sandbox.url());
    let put = async |path: &str, body: Value| {
        let response = bench.client.put(url(path)).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 204, "{path}");
    };
    let get = async |path: &str| -> Value { bench.client.get(url(path)).send().await.unwrap().json().await.unwrap() };
    put("script", json!({"rules": [{"when": {"contains": "morning"}, "reply": {"text": "You said {heard}."}}]})).await;
    put("delays", json!({"llm_first_ms": 20})).await;
    let fault = json!({"provider": "groq", "service": "llm", "count": 1, "kind": "status", "code": 503});
    put("faults", json!([fault])).await;
    assert_eq!(get("faults").await.as_array().unwrap().len(), 1);
    assert_eq!(get("delays").await["llm_first_ms"], 20);
    assert_eq!(get("script").await["rules"][0]["when"]["contains"], "morning");

    assert_eq!(bench.ask_groq(false).send().await.unwrap().status(), 503);
    let answer: Value = bench.ask_groq(false).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "You said Good morning.");
    let requests = get("requests").await;
    assert_eq!(requests.as_array().unwrap().len(), 2);
    assert_eq!((&requests[0]["fault"], &requests[1]["text"]), (&json!("status"), &json!("Good morning")));

    let refused = bench.client.put(url("delays")).json(&json!({"llm_first": 1})).send().await.unwrap();
    assert!(refused.status().is_client_error(), "a misspelt name is not ignored");
    bench.client.post(url("reset")).send().await.unwrap();
    assert_eq!((get("requests").await, get("script").await), (json!([]), json!({"rules": []})));
    assert_eq!(get("delays").await["llm_first_ms"], 0);
}
