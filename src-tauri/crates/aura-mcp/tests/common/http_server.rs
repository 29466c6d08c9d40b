//! An MCP server over streamable HTTP for tests, written without the SDK. The path says how it behaves.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What the server got: method, headers and body of each request.
pub(crate) type Requests = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

/// A server on the loopback. Dropping it ends its connections, too.
pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Requests,
    runtime: Option<Runtime>,
}

impl HttpServer {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Requests::default());
        let router = Router::new().route("/{mode}", any(handle)).with_state((address, requests.clone()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move { axum::serve(TcpListener::from_std(listener).unwrap(), router).await.unwrap() });
        Self { address, requests, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self, mode: &str) -> String {
        format!("http://{}/{mode}", self.address)
    }

    /// The messages that it got with this method of the protocol.
    pub(crate) fn got(&self, method: &str) -> Vec<Value> {
        let requests = self.requests.lock();
        requests.iter().map(|(_, _, body)| body.clone()).filter(|body| body["method"] == method).collect()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn handle(
    State((address, requests)): State<(SocketAddr, Requests)>,
    Path(mode): Path<String>,
    method: axum::http::Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    requests.lock().push((method.to_string(), headers.clone(), message.clone()));
    match (mode.as_str(), method.as_str()) {
        ("denied", _) => return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
        ("page", _) => return ([(header::CONTENT_TYPE, "text/html")], "<p>Welcome</p>").into_response(),
        ("broken", _) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        ("elsewhere", _) => {
            let location = format!("http://{address}/usual");
            return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response();
        }
        ("silent", _) => std::future::pending().await,
        ("floods", "GET") => return events(usize::MAX, || note(10)),
        (_, "GET") => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        (_, "DELETE") => return StatusCode::OK.into_response(),
        _ => {}
    }
    let answer = |result: Value| json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    let text = |text: String| answer(json!({"content": [{"type": "text", "text": text}]}));
    let json = |value: Value| ([("mcp-session-id", "session-1")], axum::Json(value)).into_response();
    match message["method"].as_str().unwrap_or_default() {
        "initialize" => json(answer(json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "scripted", "version": "1.2"},
        }))),
        "tools/list" => {
            let names = ["echo", "headers", "wait", "stream", "big", "big_event", "flood", "unreadable", "cut"];
            let tools = names.map(|name| json!({"name": name, "inputSchema": {"type": "object"}}));
            json(answer(json!({"tools": tools})))
        }
        "ping" => json(answer(json!({}))),
        "tools/call" => match message["params"]["name"].as_str().unwrap_or_default() {
            "echo" => json(text(message["params"]["arguments"].to_string())),
            "headers" => json(text(format!("{headers:?}"))),
            "wait" => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                json(text("60".into()))
            }
            "stream" => {
                let body = format!("event: message\ndata: {}\n\ndata: {}\n\n", note(3), text("at last".into()));
                ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
            }
            "big" => json(text("x".repeat(9_000_000))),
            // An event without an end.
            "big_event" => {
                let pieces = futures::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 8192])));
                let body =
                    futures::StreamExt::chain(futures::stream::iter([Ok(Bytes::from_static(b"data: "))]), pieces);
                ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
            }
            "flood" => events(usize::MAX, || note(1_000)),
            "unreadable" => ([(header::CONTENT_TYPE, "application/json")], "[1, 2").into_response(),
            // A stream that ends without the answer.
            _ => events(2, || note(3)),
        },
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

fn note(length: usize) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x".repeat(length)}})
}

fn events(count: usize, event: impl Fn() -> Value + Send + 'static) -> Response {
    let event = move |_| Ok::<_, Infallible>(format!("data: {}\n\n", event()));
    let body = Body::from_stream(futures::StreamExt::map(futures::stream::iter(0..count), event));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
