//! A successful response as a timed sequence of frames, and the faults that break the sequence.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use tokio::time::{Instant, sleep_until};

use crate::faults::{FaultKind, StreamErrorForm};
use crate::headers::insert_headers;
use crate::listener::ConnectionHandle;
use crate::request_log::RecordHandle;

/// Role of a frame. Faults use it to find the place where they take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Sent before any content.
    Opening,
    /// Content.
    Content,
    /// The finish reason and the usage.
    Finish,
    /// The end marker, such as `[DONE]`.
    Done,
}

/// One timed part of a response body.
#[derive(Debug, Clone)]
pub(crate) struct ReplyFrame {
    /// When to send the frame, counted from the moment the request's body was complete.
    pub(crate) at: Duration,
    pub(crate) kind: FrameKind,
    pub(crate) bytes: Bytes,
}

impl ReplyFrame {
    pub(crate) fn new(kind: FrameKind, at: Duration, bytes: impl Into<Bytes>) -> Self {
        Self { at, kind, bytes: bytes.into() }
    }
}

/// How the body ends after its last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyEnd {
    /// The body ends normally.
    Clean,
    /// The connection breaks, with a TCP reset or a plain close.
    Cut { reset: bool },
    /// The connection stays open and nothing more is sent.
    Never,
}

/// A response with status 200.
#[derive(Debug)]
pub(crate) struct HttpReply {
    content_type: String,
    headers: Vec<(String, String)>,
    /// When to send the headers, counted as in [`ReplyFrame::at`].
    headers_at: Duration,
    frames: Vec<ReplyFrame>,
    /// Whether the body has a known length. Otherwise it is a stream.
    is_buffered: bool,
    end: BodyEnd,
}

impl HttpReply {
    /// A body of known length, sent together with its headers at `at`.
    pub(crate) fn buffered(content_type: &str, at: Duration, bytes: impl Into<Bytes>) -> Self {
        let frames = vec![ReplyFrame::new(FrameKind::Content, at, bytes)];
        let content_type = content_type.to_owned();
        Self { content_type, headers: Vec::new(), headers_at: at, frames, is_buffered: true, end: BodyEnd::Clean }
    }

    /// A JSON body, sent at `at`.
    pub(crate) fn json(at: Duration, value: &serde_json::Value) -> Self {
        Self::buffered("application/json", at, value.to_string())
    }

    /// A stream whose headers are sent at once.
    pub(crate) fn stream(content_type: &str, frames: Vec<ReplyFrame>) -> Self {
        let content_type = content_type.to_owned();
        Self {
            content_type,
            headers: Vec::new(),
            headers_at: Duration::ZERO,
            frames,
            is_buffered: false,
            end: BodyEnd::Clean,
        }
    }

    /// Delays the headers until the first frame is due.
    pub(crate) fn headers_with_first_frame(mut self) -> Self {
        self.headers_at = self.frames.first().map_or(Duration::ZERO, |frame| frame.at);
        self
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Applies a fault. `error` makes the chunks of an error inside a stream.
    pub(crate) fn with_fault(mut self, fault: &FaultKind, error: impl Fn(StreamErrorForm) -> Vec<Bytes>) -> Self {
        match fault {
            FaultKind::DelayContent { ms } => {
                for frame in self.frames.iter_mut().filter(|frame| frame.kind != FrameKind::Opening) {
                    frame.at += Duration::from_millis(*ms);
                }
            }
            FaultKind::CutAfter { chunks, reset } => {
                self.keep_chunks(*chunks);
                self.end = BodyEnd::Cut { reset: *reset };
            }
            FaultKind::StallAfter { chunks } => {
                self.keep_chunks(*chunks);
                self.end = BodyEnd::Never;
            }
            FaultKind::MalformedChunk { after } => self.insert_malformed_chunk(*after),
            FaultKind::NoFinish => {
                self.frames.retain(|frame| !matches!(frame.kind, FrameKind::Finish | FrameKind::Done))
            }
            FaultKind::NoDone => self.frames.retain(|frame| frame.kind != FrameKind::Done),
            FaultKind::WrongContentType { content_type } => self.content_type.clone_from(content_type),
            FaultKind::StreamError { form, after } if !self.is_buffered => {
                self.keep_chunks(*after);
                let at = self.frames.last().map_or(Duration::ZERO, |frame| frame.at);
                self.frames.extend(error(*form).into_iter().map(|bytes| ReplyFrame::new(FrameKind::Finish, at, bytes)));
            }
            _ => {}
        }
        self
    }

    /// Keeps the opening and `chunks` frames of content. A buffered body is one frame and keeps its first half, or
    /// nothing if `chunks` is 0.
    fn keep_chunks(&mut self, chunks: usize) {
        if self.is_buffered {
            self.frames.truncate(chunks.min(1));
            for frame in &mut self.frames {
                frame.bytes.truncate(frame.bytes.len() / 2);
            }
            return;
        }
        let mut kept = 0;
        self.frames.retain(|frame| match frame.kind {
            FrameKind::Opening => true,
            FrameKind::Content => {
                kept += 1;
                kept <= chunks
            }
            FrameKind::Finish | FrameKind::Done => false,
        });
    }

    fn insert_malformed_chunk(&mut self, after: usize) {
        if self.is_buffered {
            self.frames.iter_mut().for_each(|frame| frame.bytes.truncate(frame.bytes.len() / 2));
            // Content-Length is that of the half: the body is complete, but is not JSON.
            return;
        }
        let content = self.frames.iter().enumerate().filter(|(_, frame)| frame.kind == FrameKind::Content);
        let at = content.map(|(index, _)| index).nth(after).unwrap_or(self.frames.len().saturating_sub(1));
        let when = self.frames.get(at).map_or(Duration::ZERO, |frame| frame.at);
        self.frames.insert(
            at,
            ReplyFrame::new(FrameKind::Content, when, &b"data: {\"choices\":[{\"delta\":{\"cont\r\n\r\n"[..]),
        );
    }

    /// Waits until the headers are due, then makes the response.
    pub(crate) async fn send(self, ready: Instant, record: RecordHandle, connection: ConnectionHandle) -> Response {
        sleep_until(ready + self.headers_at).await;
        let length: usize = self.frames.iter().map(|frame| frame.bytes.len()).sum();
        // A buffered body that is cut has a Content-Length larger than the bytes that follow.
        let announced = if self.end == BodyEnd::Clean { length } else { length * 2 + 1 };
        record.response_started(200);
        let sending = BodyStream { frames: self.frames.into(), ready, record, connection, end: self.end };
        let mut response = Response::new(Body::from_stream(stream::unfold(sending, BodyStream::next)));
        let headers = response.headers_mut();
        if let Ok(content_type) = HeaderValue::try_from(self.content_type) {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        if self.is_buffered {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(announced));
        }
        insert_headers(headers, self.headers);
        response
    }
}

/// The frames that are still to be sent, and how the body ends.
struct BodyStream {
    frames: std::collections::VecDeque<ReplyFrame>,
    ready: Instant,
    record: RecordHandle,
    connection: ConnectionHandle,
    end: BodyEnd,
}

impl BodyStream {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if let Some(frame) = self.frames.pop_front() {
            sleep_until(self.ready + frame.at).await;
            if self.frames.is_empty() && self.end == BodyEnd::Clean {
                // The server does not poll a body of known length again after its last byte.
                self.record.end();
            }
            return Some((Ok(frame.bytes), self));
        }
        match self.end {
            BodyEnd::Clean => {
                self.record.end();
                None
            }
            BodyEnd::Cut { reset } => {
                // The frames before must leave the socket first, or the client receives fewer than the fault orders.
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.record.end();
                if reset {
                    self.connection.reset();
                }
                self.end = BodyEnd::Clean;
                Some((Err(io::ErrorKind::ConnectionAborted.into()), self))
            }
            BodyEnd::Never => std::future::pending().await,
        }
    }
}
