//! The request log is evidence: it must say what really happened.

use aura_sandbox::{Delays, Service};
use serde_json::json;

use crate::bench::{Bench, drain};

#[tokio::test]
async fn it_keeps_what_was_sent_but_no_secret() {
    let bench = Bench::start().await;
    drain(bench.ask_groq(false).send().await.unwrap()).await;
    drain(bench.ask_groq(true).send().await.unwrap()).await;
    bench.logged(|record| record.id == 1 && record.ended_ms.is_some()).await;
    let records = bench.sandbox.requests().await;
    let record = &records[0];
    assert_eq!((record.service, record.model.as_deref()), (Service::Llm, Some("openai/gpt-oss-20b")));
    assert_eq!(record.headers["authorization"], "[hidden]");
    assert_eq!(record.headers["user-agent"], "aura-test");
    assert_eq!(record.json.as_ref().unwrap()["messages"], json!([{"role": "user", "content": "Good morning"}]));
    assert_eq!((record.status, record.cancelled), (Some(200), false));
    assert!(record.arrived_ms <= record.body_ms.unwrap() && record.body_ms <= record.ended_ms);
    assert_eq!(record.connection, records[1].connection, "the connection was reused");
    assert!(!serde_json::to_string(&records).unwrap().contains(bench.sandbox.key()));
}

#[tokio::test]
async fn it_sees_a_client_that_hangs_up() {
    let bench = Bench::start().await;
    // The stream would go on for minutes.
    bench.sandbox.set_delays(Delays { llm_chunk_ms: 60_000, ..Delays::default() });
    let mut response = bench.ask_groq(true).send().await.unwrap();
    response.chunk().await.unwrap();
    assert!(!bench.sandbox.requests().await[0].cancelled);
    drop(response);
    let record = bench.logged(|record| record.cancelled).await;
    assert!(record.ended_ms.is_some());
}
