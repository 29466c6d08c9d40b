//! A successful answer as a timed sequence of pieces, and the faults that break such a sequence.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use tokio::time::{Instant, sleep_until};

use crate::faults::FaultKind;
use crate::log::Entry;
use crate::refusal::put;
use crate::socket::ConnectionHandle;

/// What a piece of an answer is, so that faults know where to break it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Before any content.
    Opening,
    /// Content.
    Content,
    /// The finish reason and usage.
    Finish,
    /// `[DONE]`
    Done,
}

/// One piece.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// When it is sent, counted from the moment the request's body was complete.
    pub(crate) at: Duration,
    pub(crate) part: Part,
    pub(crate) bytes: Bytes,
}

impl Frame {
    pub(crate) fn new(part: Part, at: Duration, bytes: impl Into<Bytes>) -> Self {
        Self { at, part, bytes: bytes.into() }
    }
}

/// How the answer ends after its last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Clean,
    Cut { reset: bool },
    Never,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    content_type: String,
    headers: Vec<(String, String)>,
    /// When the headers are sent, counted as in [`Frame::at`].
    headers_at: Duration,
    frames: Vec<Frame>,
    /// One body of known length, rather than a stream.
    whole: bool,
    end: End,
}

impl Reply {
    /// A whole body that is ready at a given moment, headers and all.
    pub(crate) fn whole(content_type: &str, at: Duration, bytes: impl Into<Bytes>) -> Self {
        let frames = vec![Frame::new(Part::Content, at, bytes)];
        let content_type = content_type.to_owned();
        Self { content_type, headers: Vec::new(), headers_at: at, frames, whole: true, end: End::Clean }
    }

    pub(crate) fn json(at: Duration, value: &serde_json::Value) -> Self {
        Self::whole("application/json", at, value.to_string())
    }

    /// A stream whose headers are sent at once.
    pub(crate) fn stream(content_type: &str, frames: Vec<Frame>) -> Self {
        let content_type = content_type.to_owned();
        Self { content_type, headers: Vec::new(), headers_at: Duration::ZERO, frames, whole: false, end: End::Clean }
    }

    /// Holds the headers back until the first piece is due.
    pub(crate) fn headers_with_first_piece(mut self) -> Self {
        self.headers_at = self.frames.first().map_or(Duration::ZERO, |frame| frame.at);
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Breaks the answer as a fault says. `error` makes the pieces of an error inside a stream.
    pub(crate) fn broken(mut self, fault: &FaultKind, error: impl Fn(&FaultKind) -> Vec<Bytes>) -> Self {
        match fault {
            FaultKind::DelayContent { ms } => {
                for frame in self.frames.iter_mut().filter(|frame| frame.part != Part::Opening) {
                    frame.at += Duration::from_millis(*ms);
                }
            }
            FaultKind::CutAfter { chunks, reset } => {
                self.keep(*chunks);
                self.end = End::Cut { reset: *reset };
            }
            FaultKind::StallAfter { chunks } => {
                self.keep(*chunks);
                self.end = End::Never;
            }
            FaultKind::MalformedChunk { after } => self.malform(*after),
            FaultKind::NoFinish => self.frames.retain(|frame| !matches!(frame.part, Part::Finish | Part::Done)),
            FaultKind::NoDone => self.frames.retain(|frame| frame.part != Part::Done),
            FaultKind::WrongContentType { content_type } => self.content_type.clone_from(content_type),
            FaultKind::StreamError { after, .. } if !self.whole => {
                self.keep(*after);
                let at = self.frames.last().map_or(Duration::ZERO, |frame| frame.at);
                self.frames.extend(error(fault).into_iter().map(|bytes| Frame::new(Part::Finish, at, bytes)));
            }
            _ => {}
        }
        self
    }

    /// Keeps the opening and that many pieces of content. A whole body is one piece: half of it is kept.
    fn keep(&mut self, chunks: usize) {
        if self.whole {
            self.frames.truncate(chunks.min(1));
            for frame in &mut self.frames {
                frame.bytes.truncate(frame.bytes.len() / 2);
            }
            return;
        }
        let mut kept = 0;
        self.frames.retain(|frame| match frame.part {
            Part::Opening => true,
            Part::Content => {
                kept += 1;
                kept <= chunks
            }
            Part::Finish | Part::Done => false,
        });
    }

    fn malform(&mut self, after: usize) {
        if self.whole {
            self.frames.iter_mut().for_each(|frame| frame.bytes.truncate(frame.bytes.len() / 2));
            // The length is that of the half: the body is complete, and still not JSON.
            return;
        }
        let content = self.frames.iter().enumerate().filter(|(_, frame)| frame.part == Part::Content);
        let at = content.map(|(index, _)| index).nth(after).unwrap_or(self.frames.len().saturating_sub(1));
        let when = self.frames.get(at).map_or(Duration::ZERO, |frame| frame.at);
        self.frames.insert(at, Frame::new(Part::Content, when, &b"data: {\"choices\":[{\"delta\":{\"cont\r\n\r\n"[..]));
    }

    /// Waits until the headers are due, and answers.
    pub(crate) async fn response(self, ready: Instant, entry: Entry, connection: ConnectionHandle) -> Response {
        sleep_until(ready + self.headers_at).await;
        let length: usize = self.frames.iter().map(|frame| frame.bytes.len()).sum();
        // A whole body that is cut short still announces its full length.
        let announced = if self.end == End::Clean { length } else { length * 2 + 1 };
        entry.answered(200);
        let sending = Sending { frames: self.frames.into(), ready, entry, connection, end: self.end };
        let mut response = Response::new(Body::from_stream(stream::unfold(sending, Sending::next)));
        let headers = response.headers_mut();
        if let Ok(content_type) = HeaderValue::try_from(self.content_type) {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        if self.whole {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(announced));
        }
        put(headers, self.headers);
        response
    }
}

struct Sending {
    frames: std::collections::VecDeque<Frame>,
    ready: Instant,
    entry: Entry,
    connection: ConnectionHandle,
    end: End,
}

impl Sending {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if let Some(frame) = self.frames.pop_front() {
            sleep_until(self.ready + frame.at).await;
            if self.frames.is_empty() && self.end == End::Clean {
                // A body of known length is not polled again after its last byte.
                self.entry.end();
            }
            return Some((Ok(frame.bytes), self));
        }
        match self.end {
            End::Clean => {
                self.entry.end();
                None
            }
            End::Cut { reset } => {
                // What was written before must leave first, or the client sees less than was ordered.
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.entry.end();
                if reset {
                    self.connection.reset();
                }
                self.end = End::Clean;
                Some((Err(io::ErrorKind::ConnectionAborted.into()), self))
            }
            End::Never => std::future::pending().await,
        }
    }
}
