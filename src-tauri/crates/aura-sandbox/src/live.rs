//! Live transcription over a WebSocket: the handshake, the audio, and the faults that break a session. The messages are each provider's own.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::dialect::Dialect;
use crate::error_reply::{ErrorCause, ErrorReply};
use crate::faults::FaultKind;
use crate::ids::Service;
use crate::listener::ConnectionHandle;
use crate::request::RequestContext;
use crate::request_log::shortened;
use crate::speech::recogniser::{Transcript, recognise};
use crate::state::SandboxState;
use crate::transcription::transcribe;
use crate::wav::Pcm;

/// How much audio brings one more word of a fixed transcript.
const WORD: f64 = 0.2;
/// How much audio passes between two runs of the recogniser.
const RECOGNISED: f64 = 1.0;
/// Size of the message of [`FaultKind::OversizedMessage`], in bytes.
const OVERSIZED: usize = 1024 * 1024;

/// How long a client may take to close its end.
const CLOSE: Duration = Duration::from_secs(2);

/// Function that talks to the client of one session.
pub(crate) type Talk = fn(LiveSession) -> BoxFuture<'static, ()>;

/// The session is over: the client left, or a fault ended it.
#[derive(Debug)]
pub(crate) struct Over;

/// One session of live transcription.
pub(crate) struct LiveSession {
    pub(crate) context: RequestContext,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    /// Whether messages go out in binary frames.
    pub(crate) in_binary: bool,
    audio: Pcm,
    /// Content messages sent.
    sent: usize,
    /// Words of the text so far that were sent.
    words: usize,
    /// Seconds of audio at the last run of the recogniser, and its text.
    recognised: (f64, String),
}

/// The axum handler of a WebSocket route of one provider.
pub(crate) fn serve(
    dialect: &'static dyn Dialect,
    check_access: fn(&RequestContext) -> Result<(), ErrorReply>,
    talk: Talk,
) -> impl Fn(State<Arc<SandboxState>>, Request) -> BoxFuture<'static, Response> + Clone {
    move |State(state), request| Box::pin(upgrade(state, dialect, request, check_access, talk))
}

async fn upgrade(
    state: Arc<SandboxState>,
    dialect: &'static dyn Dialect,
    mut request: Request,
    check_access: fn(&RequestContext) -> Result<(), ErrorReply>,
    talk: Talk,
) -> Response {
    let connection = request.extensions().get::<ConnectInfo<ConnectionHandle>>().map(|info| info.0.clone());
    let Some(connection) = connection else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let upgrading = request.extensions_mut().remove::<OnUpgrade>();
    let (parts, _) = request.into_parts();
    let record = state.log.begin(dialect.provider(), Service::Stt, connection.number(), &parts);
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let mut context = RequestContext::new(state, dialect, Service::Stt, parts, Bytes::new(), record, connection);
    let accepted = match check_access(&context) {
        Ok(()) => context.apply_fault(Service::Stt, "").await,
        Err(refused) => Err(refused),
    };
    let accepted = accepted.and_then(|()| match (upgrading, key.and_then(|key| HeaderValue::try_from(key).ok())) {
        (Some(upgrading), Some(key)) => Ok((upgrading, key)),
        _ => Err(context.error(&ErrorCause::InvalidRequest("this address expects a WebSocket".into()))),
    });
    let (upgrading, key) = match accepted {
        Ok(accepted) => accepted,
        Err(refused) => {
            context.record.response_started(refused.status);
            context.record.end();
            return refused.into_response();
        }
    };
    context.record.response_started(StatusCode::SWITCHING_PROTOCOLS.as_u16());
    tokio::spawn(async move {
        let Ok(stream) = upgrading.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, None).await;
        let audio = Pcm { rate: 0, channels: 1, samples: Vec::new() };
        let recognised = (0.0, String::new());
        talk(LiveSession { context, socket, in_binary: false, audio, sent: 0, words: 0, recognised }).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    response
}

impl LiveSession {
    /// The next message of the client, in JSON.
    pub(crate) async fn receive(&mut self) -> Result<Value, Over> {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
                Some(Ok(Message::Binary(bytes))) => String::from_utf8_lossy(&bytes).into_owned(),
                // A close is answered by reading on.
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Err(Over),
            };
            self.context.record.update(|record| record.body_bytes += text.len());
            // What is not JSON is no message that any provider knows.
            return Ok(serde_json::from_str(&text).unwrap_or(Value::Null));
        }
    }

    /// Logs the message that set the session up, and its model.
    pub(crate) fn set_up(&mut self, message: &Value, model: &str, rate: u32) {
        self.context.model = model.to_owned();
        self.audio.rate = rate;
        self.context.record.update(|record| {
            record.json = Some(shortened(message));
            record.model = Some(model.to_owned());
        });
    }

    /// Takes the base64 of 16-bit PCM. False when it is none.
    pub(crate) fn hear(&mut self, base64: &str) -> bool {
        let Ok(bytes) = STANDARD.decode(base64) else { return false };
        self.audio.samples.extend(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        let seconds = self.seconds();
        self.context.record.update(|record| record.audio_seconds = Some(seconds));
        bytes.len() % 2 == 0
    }

    /// Seconds of audio that were received.
    pub(crate) fn seconds(&self) -> f64 {
        if self.audio.rate == 0 { 0.0 } else { self.audio.seconds() }
    }

    /// What is recognised of the audio so far and was not returned yet, each word after a space but the first. `None` when there is no
    /// more; never the whole transcript.
    pub(crate) async fn next_words(&mut self) -> Option<String> {
        if matches!(self.context.fault(), Some(FaultKind::EmptyTranscript | FaultKind::EmptyAnswer { .. })) {
            return None;
        }
        let (text, most) = match self.context.state.fixed().transcript {
            Some(text) => (text, (self.seconds() / WORD) as usize),
            None => {
                if self.seconds() < self.recognised.0 + RECOGNISED {
                    return None;
                }
                let heard = recognise(&self.context.state.programs, &self.audio).await.unwrap_or_default().text;
                // Only words that two runs agree on.
                let seconds = self.seconds();
                let known = std::mem::replace(&mut self.recognised, (seconds, heard.clone())).1;
                let agree = heard.split(' ').zip(known.split(' ')).take_while(|(new, old)| new == old).count();
                (heard, agree)
            }
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let most = most.min(words.len().saturating_sub(1));
        let new = words.get(self.words..most).filter(|new| !new.is_empty())?.join(" ");
        let space = if self.words == 0 { "" } else { " " };
        self.words = most;
        Some(format!("{space}{new}"))
    }

    /// The words that [`LiveSession::next_words`] returned.
    pub(crate) fn shown_words(&self) -> usize {
        self.words
    }

    /// The transcript of all audio, when it is due. A failed recogniser is reported as text for the provider's error message.
    pub(crate) async fn transcript(&mut self) -> Result<Transcript, String> {
        let ended = Instant::now();
        let transcript = transcribe(&self.context, &self.audio).await.map_err(|error| error.to_string())?;
        let late = match self.context.fault() {
            Some(FaultKind::DelayContent { ms }) => *ms,
            _ => 0,
        };
        sleep_until(ended + Duration::from_millis(self.context.state.delays().stt_ms + late)).await;
        Ok(transcript)
    }

    /// Sends a message that is no content.
    pub(crate) async fn send(&mut self, message: &Value) -> Result<(), Over> {
        self.send_text(message.to_string()).await
    }

    /// Sends a message with recognised words, unless the fault of the session takes effect here. `error` is the provider's error message.
    pub(crate) async fn send_content(&mut self, message: &Value, error: &Value) -> Result<(), Over> {
        let sent = self.sent;
        self.sent += 1;
        match self.context.fault().cloned() {
            Some(FaultKind::CutAfter { chunks, reset }) if sent == chunks => {
                self.context.record.end();
                if reset {
                    self.context.reset_connection();
                }
                return Err(Over);
            }
            Some(FaultKind::StallAfter { chunks }) if sent == chunks => {
                while self.receive().await.is_ok() {}
                return Err(Over);
            }
            Some(FaultKind::MalformedChunk { after }) if sent == after => {
                self.send_text("{\"type\":\"conversation.item.inp".to_owned()).await?
            }
            Some(FaultKind::OversizedMessage { after }) if sent == after => {
                self.send_text("x".repeat(OVERSIZED)).await?
            }
            Some(FaultKind::StreamError { after, .. }) if sent == after => {
                self.send(error).await?;
                return self.close(CloseCode::Error, "").await;
            }
            _ => {}
        }
        self.send(message).await
    }

    async fn send_text(&mut self, text: String) -> Result<(), Over> {
        let message = if self.in_binary { Message::binary(text.into_bytes()) } else { Message::text(text) };
        self.socket.send(message).await.map_err(|_| Over)
    }

    /// Closes the connection with a reason.
    pub(crate) async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Over> {
        self.context.record.end();
        let frame = CloseFrame { code, reason: reason.to_owned().into() };
        // The client may be gone.
        let _ = self.socket.close(Some(frame)).await;
        // Ending the connection before the client has read the reason would take it back.
        let _ = timeout(CLOSE, async { while self.receive().await.is_ok() {} }).await;
        Err(Over)
    }
}
