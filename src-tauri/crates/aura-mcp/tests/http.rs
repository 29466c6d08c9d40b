//! Servers over streamable HTTP: as they should be, and as they should not.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod common;
#[path = "common/http_server.rs"]
mod http_server;

use std::sync::Arc;
use std::time::Duration;

use aura_mcp::{Call, Error, Failure, Limits, ServerConfig, ServerState, Servers, Transport};
use common::{Values, call, short, started, status, until};
use http_server::HttpServer;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// A server at an address under the name `s`, with values for its headers.
fn at(url: impl Into<String>, values: &[(&str, &str)], limits: Limits) -> Servers {
    let mut config = ServerConfig::http("s", url);
    if let Transport::Http { headers, .. } = &mut config.transport {
        *headers = values.iter().map(|(name, _)| (*name).to_owned()).collect();
    }
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let servers = Servers::new(Arc::new(Values(values)), limits);
    servers.configure([config]);
    servers
}

async fn failure(servers: &Servers) -> Failure {
    match started(servers).await {
        ServerState::Failed { failure, .. } => failure,
        state => panic!("{state:?}"),
    }
}

#[tokio::test]
async fn tools_are_listed_and_called_with_the_headers() {
    let server = HttpServer::start();
    let servers = at(server.url("usual"), &[("Authorization", "Bearer sk-secret-1")], short());
    assert_eq!(started(&servers).await, ServerState::Ready);
    assert_eq!(call(&servers, "echo", json!({"a": "ä"})).await.unwrap().text, "{\"a\":\"ä\"}");
    assert_eq!(call(&servers, "stream", json!({})).await.unwrap().text, "at last");
    // The server tells the secret, which does not go on.
    let told = call(&servers, "headers", json!({})).await.unwrap().text;
    assert!(told.contains("•••") && !told.contains("sk-secret-1"), "{told}");
    let requests = server.requests.lock().clone();
    assert!(requests.iter().all(|(_, headers, _)| headers["authorization"] == "Bearer sk-secret-1"));
    servers.close().await;
    until("the session is ended", || server.requests.lock().iter().any(|(method, ..)| method == "DELETE")).await;
}

#[tokio::test]
async fn a_secret_goes_over_no_plain_connection_and_to_no_other_address() {
    let servers = at("http://192.0.2.1/mcp", &[("Authorization", "Bearer sk-secret-1")], short());
    assert!(matches!(failure(&servers).await, Failure::Address { .. }));
    let server = HttpServer::start();
    let servers = at(server.url("elsewhere"), &[("Authorization", "Bearer sk-secret-1")], short());
    assert!(matches!(failure(&servers).await, Failure::Handshake { .. }), "{:?}", servers.status());
    assert!(server.got("tools/list").is_empty());
}

#[tokio::test]
async fn what_is_no_server_is_told_apart() {
    let server = HttpServer::start();
    let of = async |mode: &str| {
        failure(&at(server.url(mode), &[], Limits { start: Duration::from_millis(500), ..short() })).await
    };
    assert_eq!(of("denied").await, Failure::Unauthorized);
    assert!(matches!(of("page").await, Failure::Handshake { .. }));
    assert!(matches!(of("broken").await, Failure::Unreachable { .. }));
    assert!(matches!(of("silent").await, Failure::StartTimeout { .. }));
    let nobody = format!("http://{}/usual", server.address);
    drop(server);
    assert!(matches!(failure(&at(nobody, &[], short())).await, Failure::Unreachable { .. }));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cancelled_at_the_server() {
    let server = HttpServer::start();
    let servers = at(server.url("usual"), &[], short());
    started(&servers).await;
    let limited = Call { timeout: Some(Duration::from_millis(200)), ..Call::new("s", "wait") };
    let error = servers.call(limited, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    until("the server is told", || !server.got("notifications/cancelled").is_empty()).await;
    let asked = server.got("tools/call")[0]["id"].clone();
    assert_eq!(server.got("notifications/cancelled")[0]["params"]["requestId"], asked);
    assert_eq!(call(&servers, "echo", json!({})).await.unwrap().text, "{}");
}

#[tokio::test]
async fn too_much_and_false_answers_are_errors() {
    let server = HttpServer::start();
    let servers = at(server.url("usual"), &[], short());
    started(&servers).await;
    let big = call(&servers, "big", json!({})).await.unwrap_err();
    assert!(matches!(big, Error::AnswerTooLarge { .. }), "{big:?}");
    let unreadable = call(&servers, "unreadable", json!({})).await.unwrap_err();
    assert!(matches!(unreadable, Error::InvalidAnswer { .. }), "{unreadable:?}");
    for tool in ["big_event", "cut"] {
        let error = call(&servers, tool, json!({})).await.unwrap_err();
        assert!(matches!(error, Error::Ended { .. }), "{tool}: {error:?}");
    }
    let flooded = call(&servers, "flood", json!({})).await.unwrap_err();
    assert_eq!(flooded, Error::Ended { server: "s".into(), failure: Failure::Flooded });
    // It comes back.
    assert_eq!(call(&servers, "echo", json!({})).await.unwrap().text, "{}");
}

#[tokio::test]
async fn a_flood_beside_the_calls_is_a_failure() {
    let server = HttpServer::start();
    let servers = at(server.url("floods"), &[], Limits { restarts: 0, ..short() });
    started(&servers).await;
    let flooded = || matches!(status(&servers).state, ServerState::Failed { failure: Failure::Flooded, .. });
    until("it is stopped", flooded).await;
}

#[tokio::test]
async fn a_server_that_goes_away_comes_back_and_the_call_is_not_repeated() {
    let server = HttpServer::start();
    let (address, url) = (server.address, server.url("usual"));
    let servers = at(url, &[], short());
    started(&servers).await;
    let (error, ()) = tokio::join!(call(&servers, "wait", json!({})), async {
        until("the call is there", || !server.got("tools/call").is_empty()).await;
        drop(server);
    });
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Ended { .. }) && error.may_have_run(), "{error:?}");
    let gone = call(&servers, "echo", json!({})).await.unwrap_err();
    assert!(matches!(gone, Error::NotReady { .. }) && !gone.may_have_run(), "{gone:?}");
    let server = HttpServer::start_at(address);
    until("it is ready again", || {
        servers.start();
        status(&servers).state == ServerState::Ready
    })
    .await;
    assert_eq!(call(&servers, "echo", json!({})).await.unwrap().text, "{}");
    assert!(server.got("tools/call").iter().all(|message| message["params"]["name"] == "echo"));
}
