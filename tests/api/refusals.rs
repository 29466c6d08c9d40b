//! An early refusal leaves the connection usable, or says that it will be closed.

use std::time::Duration;

use aura_tests::http::{HttpServer, sandboxed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::guard::{server, with_short_limits};
use super::quick;

/// The size of a chat request with some history.
const LENGTH: usize = 72 * 1024;

/// A connection whose replies are read one by one.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(server: &HttpServer) -> Self {
        Self { stream: TcpStream::connect(("127.0.0.1", server.port())).await.unwrap(), read: Vec::new() }
    }

    /// Reads up to the end of the next head; `None` when the server has closed the connection.
    async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                return Some(String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap().to_lowercase());
            }
            let read = self.stream.read_buf(&mut self.read).await.expect("the connection was not reset");
            if read == 0 {
                assert!(self.read.is_empty(), "half a head");
                return None;
            }
        }
    }

    /// Reads a whole reply: its head.
    async fn reply(&mut self) -> Option<String> {
        let head = self.head().await?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let length: usize = length.parse().unwrap();
        while self.read.len() < length {
            assert!(self.stream.read_buf(&mut self.read).await.unwrap() > 0, "half a body");
        }
        self.read.drain(..length);
        Some(head)
    }
}

/// Early refusals, with the header lines that cause them.
fn refused(port: u16) -> Vec<(u16, &'static str, String)> {
    let own = format!("Host: localhost:{port}\r\n");
    vec![
        (401, "/chat", format!("{own}Via: 1.1 proxy\r\nAuthorization: Bearer wrong\r\n")),
        (401, "/v1/chat/completions", format!("{own}Origin: http://localhost:{port}\r\nX-Api-Key: wrong\r\n")),
        (401, "/app/rpc/ask", own.clone()),
        (403, "/chat", "Host: attacker.example\r\n".to_owned()),
        (403, "/v1/chat/completions", format!("{own}Origin: https://attacker.example\r\n")),
        (400, "/chat", format!("{own}X-Api-Key: a\r\nX-Api-Key: b\r\n")),
        (404, "/nothing", own.clone()),
        (405, "/health", own.clone()),
        (415, "/chat", format!("{own}Content-Type: text/xml\r\n")),
        (415, "/v1/chat/completions", format!("{own}Content-Type: text/xml\r\n")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_request_on_the_connection_is_answered() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::serving(aura, "aura", &["serve"]);
    for (status, path, lines) in refused(server.port()) {
        for sent in [0, LENGTH / 2, LENGTH] {
            let mut connection = Connection::open(&server).await;
            for _ in 0..5 {
                let head = format!("POST {path} HTTP/1.1\r\n{lines}Content-Length: {LENGTH}\r\n\r\n");
                // The body comes in two parts, as the network cuts it.
                connection.stream.write_all(head.as_bytes()).await.unwrap();
                connection.stream.write_all(&vec![b'x'; sent]).await.unwrap();
                tokio::task::yield_now().await;
                connection.stream.write_all(&vec![b'x'; LENGTH - sent]).await.unwrap();
                let reply = connection.reply().await.unwrap_or_else(|| panic!("{path}: closed without a reply"));
                assert!(reply.starts_with(&format!("http/1.1 {status}")), "{path} {lines}: {reply}");
                assert!(!reply.contains("connection: close"), "{path}: {reply}");
            }
            let next = format!("GET /health HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", server.port());
            connection.stream.write_all(next.as_bytes()).await.unwrap();
            assert!(connection.reply().await.unwrap().starts_with("http/1.1 200"), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_no_route_reads_leaves_the_connection_usable() {
    let (_sandbox, server) = server().await;
    let mut connection = Connection::open(&server).await;
    for _ in 0..5 {
        let head =
            format!("GET /health HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: {LENGTH}\r\n\r\n", server.port());
        connection.stream.write_all(&[head.as_bytes(), &vec![b'x'; LENGTH]].concat()).await.unwrap();
        assert!(connection.reply().await.expect("a reply").starts_with("http/1.1 200"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_end_closes_the_connection_after_the_reply() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = with_short_limits(aura);
    for (status, path, lines) in refused(server.port()).into_iter().filter(|(_, path, _)| !path.starts_with("/app")) {
        let mut connection = Connection::open(&server).await;
        let head = format!("POST {path} HTTP/1.1\r\n{lines}Content-Length: {LENGTH}\r\n\r\nxxx");
        connection.stream.write_all(head.as_bytes()).await.unwrap();
        // Far more than the limits for the rest of a body.
        let reply = tokio::time::timeout(Duration::from_secs(30), connection.reply()).await.expect("a reply in time");
        let reply = reply.unwrap();
        assert!(reply.starts_with(&format!("http/1.1 {status}")), "{path}: {reply}");
        assert!(reply.contains("connection: close"), "{path}: {reply}");
        assert_eq!(connection.head().await, None, "{path}: the server closes the connection");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_permission_is_not_asked_for_a_refused_body() {
    let (_sandbox, server) = server().await;
    let mut connection = Connection::open(&server).await;
    let head = format!(
        "POST /chat HTTP/1.1\r\nHost: localhost:{}\r\nVia: 1.1 proxy\r\nExpect: 100-continue\r\n\
         Content-Length: {LENGTH}\r\n\r\n",
        server.port()
    );
    connection.stream.write_all(head.as_bytes()).await.unwrap();
    let reply = connection.reply().await.unwrap();
    assert!(reply.starts_with("http/1.1 401") && reply.contains("connection: close"), "{reply}");
    assert_eq!(connection.head().await, None);
}
