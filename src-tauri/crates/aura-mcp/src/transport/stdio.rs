//! JSON-RPC in lines, over the standard streams of a program. Unlike the SDK's own transport, it takes messages up to a limit and fails
//! the call whose answer is longer, instead of waiting for its end; and it notices a program that stops reading.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use rmcp::RoleClient;
use rmcp::model::{ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::envelope::Envelope;
use super::guard::Traffic;
use super::{End, Process, TOO_LARGE, UNREADABLE};
use crate::error::Failure;
use crate::limits::Limits;

/// Messages that wait for a slow reader.
const MAX_QUEUED: usize = 16;
/// Values in one message. The memory that they take is many times their text.
const MAX_VALUES: usize = 200_000;
/// Full buffers of input in a second that belong to no message AURA uses: 64 MiB.
const BUFFERS_PER_SECOND: u32 = 8_192;
const BUFFER: usize = 8 << 10;

struct Outgoing {
    line: Bytes,
    sent: oneshot::Sender<io::Result<()>>,
}

/// The standard streams of a program.
pub(crate) struct Stdio<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    envelope: Envelope,
    /// Whether the rest of the line is skipped, because the line is too long.
    is_skipping: bool,
    max_bytes: usize,
    traffic: Traffic,
    output: Option<mpsc::Sender<Outgoing>>,
    /// Cancelled when the program takes no more messages.
    stuck: CancellationToken,
    /// Ends the task that writes.
    _writer: DropGuard,
    process: Process,
    end: End,
}

impl<R: AsyncRead + Unpin + Send> Stdio<R> {
    pub(crate) fn new(
        input: R,
        output: impl AsyncWrite + Unpin + Send + 'static,
        process: Process,
        limits: &Limits,
        end: End,
    ) -> Self {
        let (lines, queued) = mpsc::channel(MAX_QUEUED);
        let (stuck, stop) = (CancellationToken::new(), CancellationToken::new());
        let writing = write(output, queued, limits.hang, end.clone(), stuck.clone());
        tokio::spawn({
            let stop = stop.clone();
            async move { stop.run_until_cancelled(writing).await }
        });
        Self {
            input: BufReader::with_capacity(BUFFER, input),
            line: Vec::new(),
            envelope: Envelope::default(),
            is_skipping: false,
            max_bytes: limits.message_bytes,
            traffic: Traffic::new(BUFFERS_PER_SECOND),
            output: Some(lines),
            stuck,
            _writer: stop.drop_guard(),
            process,
            end,
        }
    }

    /// Reads the next line that is a message, or stands for one. Dropping the future loses nothing: a part of a line stays in `line`.
    async fn next(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let available = self.input.fill_buf().await.ok().filter(|bytes| !bytes.is_empty())?;
            if !self.traffic.allows_one_more() {
                self.end.set(Failure::Flooded);
                return None;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            self.envelope.push(&available[..taken]);
            if self.line.len() + taken > self.max_bytes || self.envelope.values() > MAX_VALUES {
                self.is_skipping = true;
                self.line = Vec::new();
            }
            if !self.is_skipping {
                self.line.extend_from_slice(&available[..taken]);
            }
            self.input.consume(taken);
            if end.is_some()
                && let Some(message) = self.end_of_line()
            {
                return Some(message);
            }
        }
    }

    fn end_of_line(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let envelope = std::mem::take(&mut self.envelope);
        let line = std::mem::take(&mut self.line);
        let answered = |code, message: &'static str| envelope.answered().map(|id| error(id, code, message));
        if std::mem::take(&mut self.is_skipping) {
            return answered(TOO_LARGE, "the answer is too long");
        }
        match serde_json::from_slice(&line) {
            Ok(message) => Some(message),
            // Many a program greets on standard output.
            Err(cause) if !cause.is_data() => None,
            Err(_) => answered(UNREADABLE, "the answer does not follow the protocol"),
        }
    }
}

fn error(id: RequestId, code: i32, message: &'static str) -> RxJsonRpcMessage<RoleClient> {
    JsonRpcMessage::error(ErrorData::new(ErrorCode(code), message, None), Some(id))
}

impl<R: AsyncRead + Unpin + Send + 'static> Transport<RoleClient> for Stdio<R> {
    type Error = io::Error;

    fn send(&mut self, message: TxJsonRpcMessage<RoleClient>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let output = self.output.clone();
        async move {
            let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            let (sent, is_sent) = oneshot::channel();
            let outgoing = Outgoing { line: line.into(), sent };
            output.ok_or_else(closed)?.send(outgoing).await.map_err(|_| closed())?;
            is_sent.await.map_err(|_| closed())?
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let stuck = self.stuck.clone();
        stuck.run_until_cancelled(self.next()).await.flatten()
    }

    /// Closes the program's input and waits until the program is gone: soon killed, if it does not end by itself.
    async fn close(&mut self) -> io::Result<()> {
        self.output = None;
        let status = self.process.stop().await;
        self.end.set(Failure::Ended { status });
        Ok(())
    }
}

async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut queued: mpsc::Receiver<Outgoing>,
    limit: Duration,
    end: End,
    stuck: CancellationToken,
) {
    while let Some(Outgoing { line, sent }) = queued.recv().await {
        let writing = async {
            output.write_all(&line).await?;
            output.flush().await
        };
        let written = tokio::time::timeout(limit, writing).await.unwrap_or_else(|_| {
            end.set(Failure::NotReading);
            stuck.cancel();
            Err(io::ErrorKind::TimedOut.into())
        });
        let is_broken = written.is_err();
        // The caller may have given up.
        let _ = sent.send(written);
        if is_broken {
            return;
        }
    }
}
