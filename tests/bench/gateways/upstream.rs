//! The provider: an OpenAI-compatible server on the loopback that answers at once.

use std::convert::Infallible;
use std::sync::LazyLock;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The pieces of an answer; each is an event when it is streamed.
pub(crate) const PIECES: usize = 20;

/// Serves on a thread of its own; returns its address, as `host:port`.
pub(crate) fn serve() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(answer)));
            }
        });
    });
    address
}

/// A whole answer.
static WHOLE: LazyLock<Bytes> = LazyLock::new(|| whole().into());
/// The events of a streamed answer.
static EVENTS: LazyLock<Vec<Bytes>> = LazyLock::new(|| events().into_iter().map(Bytes::from).collect());

async fn answer(request: Request<Incoming>) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let response = Response::builder();
    if asked["stream"] != true {
        let body = Full::new(WHOLE.clone()).boxed_unsync();
        return Ok(response.header("content-type", "application/json").body(body).unwrap());
    }
    let frames = EVENTS.iter().map(|event| Ok(Frame::data(event.clone())));
    let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
    Ok(response.header("content-type", "text/event-stream").body(body).unwrap())
}

fn usage() -> Value {
    json!({ "prompt_tokens": 20, "completion_tokens": PIECES, "total_tokens": 20 + PIECES })
}

fn whole() -> String {
    let text: String = (0..PIECES).map(|number| format!("word{number} ")).collect();
    let message = json!({ "role": "assistant", "content": text });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let answer = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage(),
    });
    answer.to_string()
}

fn events() -> Vec<String> {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices,
            "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    let mut events = vec![chunk(choice(json!({ "role": "assistant", "content": "" }), Value::Null), Value::Null)];
    let piece = |number: usize| json!({ "content": format!("word{number} ") });
    events.extend((0..PIECES).map(|number| chunk(choice(piece(number), Value::Null), Value::Null)));
    events.push(chunk(choice(json!({}), json!("stop")), Value::Null));
    events.push(chunk(json!([]), usage()));
    events.push("data: [DONE]\n\n".to_owned());
    events
}
