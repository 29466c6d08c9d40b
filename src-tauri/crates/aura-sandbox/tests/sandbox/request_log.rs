//! The request log records what was received and how it ended.

use aura_sandbox::{Delays, Service};
use serde_json::json;

use crate::harness::{Harness, read_to_end};

#[tokio::test]
async fn a_record_holds_the_request_but_no_secret() {
    let harness = Harness::start().await;
    read_to_end(harness.groq_chat(false).send().await.unwrap()).await;
    read_to_end(harness.groq_chat(true).send().await.unwrap()).await;
    harness.wait_for_record(|record| record.id == 1 && record.ended_ms.is_some()).await;
    let records = harness.sandbox.requests().await;
    let record = &records[0];
    assert_eq!((record.service, record.model.as_deref()), (Service::Llm, Some("openai/gpt-oss-20b")));
    assert_eq!(record.headers["authorization"], "[hidden]");
    assert_eq!(record.headers["user-agent"], "aura-test");
    assert_eq!(record.json.as_ref().unwrap()["messages"], json!([{"role": "user", "content": "Good morning"}]));
    assert_eq!((record.status, record.cancelled), (Some(200), false));
    assert!(record.arrived_ms <= record.body_ms.unwrap() && record.body_ms <= record.ended_ms);
    assert_eq!(record.connection, records[1].connection, "the connection was not reused");
    assert!(!serde_json::to_string(&records).unwrap().contains(harness.sandbox.key()));
}

#[tokio::test]
async fn a_client_disconnect_is_recorded_as_cancelled() {
    let harness = Harness::start().await;
    // At one chunk a minute the stream takes minutes.
    harness.sandbox.set_delays(Delays { llm_chunk_ms: 60_000, ..Delays::default() });
    let mut response = harness.groq_chat(true).send().await.unwrap();
    response.chunk().await.unwrap();
    assert!(!harness.sandbox.requests().await[0].cancelled);
    drop(response);
    let record = harness.wait_for_record(|record| record.cancelled).await;
    assert!(record.ended_ms.is_some());
}
