//! Reads a response body and decodes it into a stream of events.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use reqwest::Response;
use secrecy::SecretString;

use crate::redact::{self, shorten};
use crate::types::Failure;
use crate::wire::decoder::Decoder;
use crate::wire::error_reply;

/// How long to wait for the usage that follows a complete answer. Its absence is no failure.
const TRAILER: Duration = Duration::from_secs(1);
/// How long to read on after the last event, so that the connection can be reused.
const DRAIN: Duration = Duration::from_millis(250);

/// Events as they arrive. Ends after the first failure.
pub(crate) type ResponseStream<T> = BoxStream<'static, Result<T, Failure>>;

struct ResponseReader<D: Decoder> {
    response: Option<Response>,
    key: Option<SecretString>,
    decoder: D,
    /// Received bytes that are not decoded yet.
    rest: Bytes,
    ready: VecDeque<Result<D::Output, Failure>>,
}

/// Decodes a response as it arrives. `key` is removed from the messages of failures.
pub(crate) fn decode_stream<D: Decoder>(
    response: Response,
    key: Option<SecretString>,
    decoder: D,
) -> ResponseStream<D::Output> {
    let reader = ResponseReader { response: Some(response), key, decoder, rest: Bytes::new(), ready: VecDeque::new() };
    // Boxed, because `unfold` moves its state with every event, and a response and a decoder are a kilobyte.
    stream::unfold(Box::new(reader), |mut reader| async move {
        loop {
            if let Some(event) = reader.ready.pop_front() {
                return Some((event, reader));
            }
            if reader.rest.is_empty() {
                let ended = reader.decoder.has_ended();
                let next = reader.response.as_mut()?.chunk();
                match if ended { tokio::time::timeout(TRAILER, next).await } else { Ok(next.await) } {
                    Ok(chunk) => reader.take(chunk),
                    Err(_) => reader.take(Ok(None)),
                }
            } else {
                reader.decode_next();
            }
        }
    })
    .boxed()
}

impl<D: Decoder> ResponseReader<D> {
    fn take(&mut self, chunk: reqwest::Result<Option<Bytes>>) {
        match chunk {
            Ok(Some(bytes)) => {
                self.rest = bytes;
                self.decode_next();
            }
            Ok(None) => {
                self.response = None;
                let mut out = Vec::new();
                let result = self.decoder.finish(&mut out);
                self.deliver(out, result);
            }
            Err(_) if self.decoder.has_ended() => self.take(Ok(None)),
            Err(error) => {
                let message = format!("The connection broke while the answer arrived: {}", redact::cause(error));
                let failure = error_reply::interrupted(self.decoder.has_content(), shorten(&message));
                self.deliver(Vec::new(), Err(failure));
            }
        }
    }

    /// Decodes the next part of the received bytes.
    fn decode_next(&mut self) {
        let bytes = self.rest.split_to(self.rest.len().min(D::MAX_CHUNK));
        let mut out = Vec::new();
        let result = self.decoder.push(&bytes, &mut out);
        self.deliver(out, result);
    }

    fn deliver(&mut self, out: Vec<D::Output>, result: Result<(), Failure>) {
        self.ready.extend(out.into_iter().map(Ok));
        if let Err(failure) = result {
            self.response = None;
            self.rest.clear();
            self.ready.push_back(Err(redact::redact(failure, self.key.as_ref())));
        } else if self.decoder.is_complete() {
            self.rest.clear();
            drain(self.response.take());
        }
    }
}

/// Reads a reply to its end: an HTTP/1.1 connection returns to the pool only then.
fn drain(response: Option<Response>) {
    if let Some(mut response) = response {
        // Usually the end arrives together with the last event.
        if let Some(Ok(None) | Err(_)) = response.chunk().now_or_never() {
            return;
        }
        tokio::spawn(tokio::time::timeout(DRAIN, async move { while let Ok(Some(_)) = response.chunk().await {} }));
    }
}
