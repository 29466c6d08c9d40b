//! A caller with a connection of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use crate::gateway::Gateway;
use crate::upstream::PIECES;

/// How long an answer took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    /// Until the first content. For a whole answer, the same as the end.
    pub(crate) first: Duration,
    /// Until the end.
    pub(crate) whole: Duration,
}

pub(crate) struct Caller {
    connection: SendRequest<Full<Bytes>>,
    address: String,
    key: &'static str,
    /// The body of a request for a whole answer, and of one for a streamed answer.
    bodies: [Bytes; 2],
}

impl Caller {
    pub(crate) async fn connect(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(&gateway.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (connection, driver) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(driver);
        let messages = json!([
            { "role": "system", "content": "Answer in one sentence." },
            { "role": "user", "content": "Do I need a coat today?" },
        ]);
        let bodies = [false, true].map(|streamed| {
            json!({ "model": gateway.model, "messages": messages, "stream": streamed }).to_string().into()
        });
        Self { connection, address: gateway.address.clone(), key: gateway.key, bodies }
    }

    /// Asks, reads the answer to its end, and checks that it is complete.
    pub(crate) async fn ask(&mut self, streamed: bool) -> Taken {
        let request = Request::post("/v1/chat/completions")
            .header("host", &self.address)
            .header("content-type", "application/json")
            .header("authorization", self.key)
            .body(Full::new(self.bodies[usize::from(streamed)].clone()))
            .unwrap();
        let sent = Instant::now();
        self.connection.ready().await.unwrap();
        let mut response = self.connection.send_request(request).await.unwrap();
        let status = response.status();
        let (mut first, mut body) = (None, Vec::new());
        while let Some(frame) = response.body_mut().frame().await {
            body.extend_from_slice(frame.unwrap().data_ref().unwrap());
            if first.is_none() && body.windows(5).any(|part| part == b"word0") {
                first = Some(sent.elapsed());
            }
        }
        let whole = sent.elapsed();
        let text = String::from_utf8_lossy(&body);
        let is_complete = text.contains(&format!("word{}", PIECES - 1)) && (!streamed || text.contains("[DONE]"));
        assert!(status.is_success() && is_complete, "{status}: {text}");
        Taken { first: first.unwrap(), whole }
    }
}
