//! A request reaches the provider once, unless the provider cannot have processed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::wire::recorded;

/// What the server does after it has read a whole request.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// Replies, and reads the next request.
    Reply,
    /// Replies, and closes the connection without having said so.
    ReplyAndClose,
    /// Resets the connection.
    Reset,
}

/// A server whose connections follow these scripts, one after another. Returns its URL and the number of complete requests.
async fn server(connections: Vec<Vec<Then>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = requests.clone();
    tokio::spawn(async move {
        for steps in connections {
            let Ok((socket, _)) = listener.accept().await else { return };
            tokio::spawn(serve(socket, steps, seen.clone()));
        }
    });
    (base, requests)
}

async fn serve(mut socket: TcpStream, steps: Vec<Then>, seen: Arc<AtomicUsize>) {
    let body = recorded::bytes("groq_chat_stream.sse");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n", body.len());
    for then in steps {
        if !read_request(&mut socket).await {
            return;
        }
        seen.fetch_add(1, Ordering::SeqCst);
        if then == Then::Reset {
            // Closing without lingering sends RST.
            socket.set_zero_linger().unwrap();
            return;
        }
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(&body).await.unwrap();
        if then == Then::ReplyAndClose {
            return;
        }
    }
    // The client closes.
    while socket.read(&mut [0; 4_096]).await.unwrap_or(0) > 0 {}
}

/// Reads a request; false when the connection ends before it does.
async fn read_request(socket: &mut TcpStream) -> bool {
    let (mut request, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        match socket.read(&mut buffer).await {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return false,
        }
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if body.len() >= length.parse().unwrap() {
            return true;
        }
    }
}

#[tokio::test]
async fn a_request_that_was_delivered_is_never_sent_again() {
    // On a new connection, and on one that has already replied.
    for (connections, replies) in [(vec![vec![Then::Reset]], 0), (vec![vec![Then::Reply, Then::Reset]], 1)] {
        let spare = vec![Then::Reply; 3];
        let (base, seen) = server([connections, vec![spare]].concat()).await;
        let chat = at("groq", &base, Some(KEY), None).chat.unwrap();
        for _ in 0..replies {
            assert!(collect(chat.chat(&question("m")).await).await.1.is_ok());
        }
        let failure = collect(chat.chat(&question("m")).await).await.1.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
        assert_eq!(seen.load(Ordering::SeqCst), replies + 1, "requests that reached the provider");
        // The next call opens a new connection.
        assert!(collect(chat.chat(&question("m")).await).await.1.is_ok());
        assert_eq!(seen.load(Ordering::SeqCst), replies + 2);
    }
}

#[tokio::test]
async fn a_connection_that_closed_while_it_was_idle_is_replaced() {
    let (base, seen) = server(vec![vec![Then::ReplyAndClose], vec![Then::ReplyAndClose], vec![Then::Reply]]).await;
    let chat = at("groq", &base, Some(KEY), None).chat.unwrap();
    for call in 1..=3 {
        assert!(collect(chat.chat(&question("m")).await).await.1.is_ok(), "call {call}");
        assert_eq!(seen.load(Ordering::SeqCst), call);
    }
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 5;
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;

/// Reads an HTTP/2 frame: its type, its flags and its stream id.
async fn frame(socket: &mut TcpStream) -> Option<(u8, u8, u32)> {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    socket.read_exact(&mut vec![0; length]).await.ok()?;
    Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]])))
}

async fn send_frame(socket: &mut TcpStream, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    socket.write_all(&bytes).await.unwrap();
}

/// Makes the payload of a frame that refuses the request on a stream.
type Payload = fn(u32) -> Vec<u8>;

/// Accepts HTTP/2 connections. The first request gets a frame of this type, and after GOAWAY the connection ends; later requests get
/// an empty success. Returns the number of requests that arrived.
async fn http2_server(kind: u8, payload: Payload) -> (reqwest::Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve_http2(socket, kind, payload, seen.clone()));
        }
    });
    (base, requests)
}

async fn serve_http2(mut socket: TcpStream, refusal: u8, payload: Payload, seen: Arc<AtomicUsize>) {
    socket.read_exact(&mut [0; 24]).await.unwrap();
    send_frame(&mut socket, SETTINGS, 0, 0, &[]).await;
    while let Some((kind, flags, stream)) = frame(&mut socket).await {
        if kind == SETTINGS && flags == 0 {
            send_frame(&mut socket, SETTINGS, 1, 0, &[]).await;
        }
        if kind != HEADERS {
            continue;
        }
        if seen.fetch_add(1, Ordering::SeqCst) > 0 {
            // `:status: 200` is the eighth entry of the static table.
            send_frame(&mut socket, HEADERS, END_STREAM_AND_HEADERS, stream, &[0x88]).await;
            continue;
        }
        let of = if refusal == GOAWAY { 0 } else { stream };
        send_frame(&mut socket, refusal, 0, of, &payload(stream)).await;
        if refusal == GOAWAY {
            socket.shutdown().await.unwrap();
        }
    }
}

/// RFC 9113, section 8.7: these two say that the request was not processed.
#[tokio::test]
async fn http_2_requests_are_sent_again_only_when_they_were_not_processed() {
    fn goaway(last: u32, error: u32) -> Vec<u8> {
        [last.to_be_bytes(), error.to_be_bytes()].concat()
    }
    let cases: [(&str, u8, Payload, usize); 5] = [
        ("refused", RST_STREAM, |_| REFUSED_STREAM.to_be_bytes().to_vec(), 2),
        ("not accepted before the shutdown", GOAWAY, |_| goaway(0, NO_ERROR), 2),
        ("accepted before the shutdown", GOAWAY, |stream| goaway(stream, NO_ERROR), 1),
        ("failed", RST_STREAM, |_| INTERNAL_ERROR.to_be_bytes().to_vec(), 1),
        ("accepted before an error", GOAWAY, |stream| goaway(stream, INTERNAL_ERROR), 1),
    ];
    for (case, kind, payload, expected) in cases {
        let (base, seen) = http2_server(kind, payload).await;
        let connection = Connection { http: HttpPools::http2().unwrap(), ..connection("groq", base, Some(KEY), None) };
        let chat = (find("groq").unwrap().connect)(connection).chat.unwrap();
        let failure = collect(chat.chat(&question("m")).await).await.1.unwrap_err();
        assert_eq!(seen.load(Ordering::SeqCst), expected, "{case}: {failure:?}");
    }
}
