//! From the chunks of a response body to the pieces of an answer.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reqwest::Response;
use secrecy::SecretString;

use super::{errors, http};
use crate::providers::Failure;

/// How long the counts behind a complete answer may take: they are worth a moment, and no failure.
const TRAILER: Duration = Duration::from_secs(1);
/// How long the rest of a finished reply is read, so that its connection can be used again.
const DRAIN: Duration = Duration::from_millis(250);

/// Makes pieces out of bytes. Fed with recorded bytes in tests and with a response in use.
pub(in crate::providers) trait Decoder: Send + 'static {
    /// What it makes.
    type Piece: Send + 'static;
    /// The most bytes that it takes at once: what they make is handed on before the next are read.
    const BITE: usize = usize::MAX;
    /// Takes the next bytes. Pieces that came before a failure are still delivered.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Self::Piece>) -> Result<(), Failure>;
    /// The body is over: fails unless the answer is complete.
    fn finish(&mut self, out: &mut Vec<Self::Piece>) -> Result<(), Failure>;
    /// Whether something of the answer was made already.
    fn has_content(&self) -> bool;
    /// Whether nothing more is to come, though the body may not be over.
    fn is_complete(&self) -> bool;
    /// Whether the answer said that it is complete: should the body break or stall now, nothing of it is missing.
    fn has_ended(&self) -> bool {
        false
    }
}

/// Pieces as they arrive; ends after the first failure.
pub(in crate::providers) type Pieces<T> = BoxStream<'static, Result<T, Failure>>;

struct Reading<D: Decoder> {
    response: Option<Response>,
    key: Option<SecretString>,
    decoder: D,
    /// What came and is not decoded yet.
    rest: Bytes,
    ready: VecDeque<Result<D::Piece, Failure>>,
}

/// The pieces of a response.
pub(in crate::providers) fn pieces<D: Decoder>(
    response: Response,
    key: Option<SecretString>,
    decoder: D,
) -> Pieces<D::Piece> {
    let reading = Reading { response: Some(response), key, decoder, rest: Bytes::new(), ready: VecDeque::new() };
    stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(piece) = reading.ready.pop_front() {
                return Some((piece, reading));
            }
            if reading.rest.is_empty() {
                let ended = reading.decoder.has_ended();
                let next = reading.response.as_mut()?.chunk();
                match if ended { tokio::time::timeout(TRAILER, next).await } else { Ok(next.await) } {
                    Ok(chunk) => reading.take(chunk),
                    Err(_) => reading.take(Ok(None)),
                }
            } else {
                reading.bite();
            }
        }
    })
    .boxed()
}

impl<D: Decoder> Reading<D> {
    fn take(&mut self, chunk: reqwest::Result<Option<Bytes>>) {
        match chunk {
            Ok(Some(bytes)) => {
                self.rest = bytes;
                self.bite();
            }
            Ok(None) => {
                self.response = None;
                let mut out = Vec::new();
                let result = self.decoder.finish(&mut out);
                self.hand_on(out, result);
            }
            Err(_) if self.decoder.has_ended() => self.take(Ok(None)),
            Err(error) => {
                let what = format!("The connection broke in the middle of the answer: {}", http::cause(error));
                let failure = errors::broken(self.decoder.has_content(), errors::shorten(&what));
                self.hand_on(Vec::new(), Err(failure));
            }
        }
    }

    /// Decodes the next of what came.
    fn bite(&mut self) {
        let bytes = self.rest.split_to(self.rest.len().min(D::BITE));
        let mut out = Vec::new();
        let result = self.decoder.push(&bytes, &mut out);
        self.hand_on(out, result);
    }

    fn hand_on(&mut self, out: Vec<D::Piece>, result: Result<(), Failure>) {
        self.ready.extend(out.into_iter().map(Ok));
        if let Err(failure) = result {
            self.response = None;
            self.rest.clear();
            self.ready.push_back(Err(http::clean(failure, self.key.as_ref())));
        } else if self.decoder.is_complete() {
            self.rest.clear();
            drain(self.response.take());
        }
    }
}

/// An HTTP/1.1 connection returns to the pool only when its reply was read to the end.
fn drain(response: Option<Response>) {
    if let Some(mut response) = response {
        tokio::spawn(tokio::time::timeout(DRAIN, async move { while let Ok(Some(_)) = response.chunk().await {} }));
    }
}

/// Everything a decoder makes of some chunks, for tests: the pieces, then the failure if there was one.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::providers) fn decode_all<D: Decoder>(
    mut decoder: D,
    chunks: &[&[u8]],
) -> (Vec<D::Piece>, Option<Failure>) {
    let mut out = Vec::new();
    for chunk in chunks {
        if let Err(failure) = decoder.push(chunk, &mut out) {
            return (out, Some(failure));
        }
    }
    let failure = if decoder.is_complete() { None } else { decoder.finish(&mut out).err() };
    (out, failure)
}
