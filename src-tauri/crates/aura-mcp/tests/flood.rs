//! Memory. Alone in its process, because it counts all of it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;

use aura_mcp::{Error, Failure};
use common::{call, scripted, short, started};
use serde_json::json;

/// The memory of this process, in bytes.
fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test]
async fn floods_end_in_an_error_and_take_no_memory() {
    let servers = scripted("", &[], short());
    started(&servers).await;
    let before = memory();
    for round in 0..3 {
        for tool in ["flood", "many_pings"] {
            let error = call(&servers, tool, json!({})).await.unwrap_err();
            assert_eq!(error, Error::Ended { server: "s".into(), failure: Failure::Flooded }, "{tool}, round {round}");
        }
        let big = call(&servers, "big", json!({"bytes": 50_000_000})).await.unwrap_err();
        assert!(matches!(big, Error::AnswerTooLarge { .. }), "{big:?}");
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more");
}
