//! WebSockets over the HTTP client, so that its proxy, certificates, timeouts and error replies hold for them too.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use reqwest::header::{SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{RequestBuilder, Response, StatusCode, Upgraded};
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::redact::{cause, shorten};
use crate::types::{Failure, FailureKind};
use crate::wire::error_reply;

/// The longest message, and the longest frame, that a server may send, in bytes. The events of a transcription are far shorter.
const MAX_MESSAGE: usize = 256 * 1024;
/// Bytes that may wait to be written, beyond one message.
const MAX_UNWRITTEN: usize = 1024 * 1024;
/// How long a connection that served its purpose may take to close.
const CLOSE: Duration = Duration::from_millis(500);

/// An open WebSocket whose messages are texts.
#[derive(Debug)]
pub(crate) struct WebSocket(WebSocketStream<Upgraded>);

/// Adds the headers that ask for a WebSocket. Returns the key that the reply must derive its own from.
pub(crate) fn handshake(request: RequestBuilder) -> (String, RequestBuilder) {
    let key = generate_key();
    let fixed = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let headers = [fixed(CONNECTION, "Upgrade"), fixed(UPGRADE, "websocket"), fixed(SEC_WEBSOCKET_VERSION, "13")];
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let request = request.header(SEC_WEBSOCKET_KEY, key.as_str());
    (key, request)
}

/// Turns the reply to a [`handshake`] into a WebSocket.
pub(crate) async fn open(response: Response, key: &str) -> Result<WebSocket, Failure> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let why = "The server does not transcribe live speech: it opened no WebSocket at this address.";
        return Err(Failure::new(FailureKind::Unsupported, why));
    }
    let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).and_then(|value| value.to_str().ok());
    if accepted != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(error_reply::interrupted(false, "The server's reply to the WebSocket handshake is not valid."));
    }
    let stream = response.upgrade().await.map_err(|error| {
        error_reply::interrupted(false, shorten(&format!("No WebSocket was opened: {}", cause(error))))
    })?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNWRITTEN);
    Ok(WebSocket(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await))
}

impl WebSocket {
    /// Sends a text. `has_content`: see [`WebSocket::next`].
    pub(crate) async fn send(&mut self, text: String, has_content: bool) -> Result<(), Failure> {
        self.0.send(Message::text(text)).await.map_err(|error| failure(error, has_content))
    }

    /// The next text; Gemini sends its texts in binary messages. A connection that closes is a failure: with `has_content`, one in the
    /// middle of an answer. Loses nothing when it is cancelled.
    pub(crate) async fn next(&mut self, has_content: bool) -> Result<String, Failure> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => {
                    return String::from_utf8(bytes.into())
                        .map_err(|_| error_reply::interrupted(has_content, "The server sent what is no text."));
                }
                Some(Ok(Message::Close(frame))) => return Err(closed(frame, has_content)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(failure(error, has_content)),
                None => return Err(error_reply::broken_off(has_content)),
            }
        }
    }

    /// Closes the connection in the background.
    pub(crate) fn close(mut self) {
        tokio::spawn(tokio::time::timeout(CLOSE, async move {
            if self.0.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.0.next().await {}
            }
        }));
    }
}

/// The failure of a connection that the server closed, in the words of its reason: some servers report errors only there.
fn closed(frame: Option<CloseFrame>, has_content: bool) -> Failure {
    let reason = frame.map(|frame| frame.reason.as_str().trim().to_owned()).unwrap_or_default();
    if reason.is_empty() {
        return error_reply::broken_off(has_content);
    }
    let said = error_reply::in_success(&json!({ "error": { "message": reason } }));
    let failure = said.unwrap_or_else(|| error_reply::broken_off(has_content));
    error_reply::mid_stream(failure, has_content)
}

fn failure(error: Error, has_content: bool) -> Failure {
    match error {
        Error::Capacity(_) => error_reply::interrupted(
            has_content,
            "The server sent a message that is larger than any of a transcription.",
        ),
        Error::ConnectionClosed | Error::AlreadyClosed => error_reply::broken_off(has_content),
        other => error_reply::interrupted(has_content, shorten(&format!("The connection broke: {other}"))),
    }
}
