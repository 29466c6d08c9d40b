//! The task that owns an engine process: it writes requests, routes events to their callers, and notices what goes wrong.

use std::future::pending;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Begin, Delivery, Ended, FRAMES, LastLine, Limits, Observer, Parts, reason};
use crate::protocol::{self, Event, Request};

/// A frame to write: its head and JSON, and its payload.
type Frame = (Vec<u8>, Bytes);
/// An event with its payload.
type Received = (Event, Vec<u8>);
/// What was read, and the reader for the next event.
type Read = (BufReader<ChildStdout>, io::Result<Option<Received>>);

/// Owns an engine process.
pub(super) struct Driver {
    child: Child,
    writer: JoinHandle<()>,
    last_line: LastLine,
    exchange: Exchange,
}

impl Driver {
    pub(super) fn new(parts: Parts, limits: Limits, observer: Arc<dyn Observer>) -> Self {
        let Parts { child, stdin, stdout, last_line } = parts;
        let (frames, queue) = mpsc::channel(FRAMES);
        let exchange = Exchange {
            frames,
            reading: read(stdout),
            work: None,
            waiting: None,
            idle_since: Instant::now(),
            limits,
            observer,
        };
        Self { child, writer: tokio::spawn(write(stdin, queue)), last_line, exchange }
    }

    /// Serves requests until the process ends or is to end. Returns when it is gone.
    pub(super) async fn run(self, mut inbox: mpsc::Receiver<Begin>, has_ended: watch::Sender<bool>) {
        let Self { mut child, writer, last_line, mut exchange } = self;
        let ended = exchange.serve(&mut inbox).await;
        inbox.close();
        let Exchange { frames, reading, work, observer, limits, .. } = exchange;
        drop(frames);
        let ended = match ended {
            Ended::Unloaded => {
                // The writer ends after the last frame. That closes the engine's input, which ends the engine.
                if timeout(limits.exit, child.wait()).await.is_err() {
                    child.kill().await.ok();
                }
                Ended::Unloaded
            }
            Ended::Crashed(_) => Ended::Crashed(reason(&mut child, &last_line, limits.exit).await),
            other => {
                child.kill().await.ok();
                other
            }
        };
        drop((reading, last_line));
        writer.abort();
        let _ = writer.await;
        if ended.is_crash() {
            tracing::warn!(%ended, "an engine process failed");
        }
        observer.ended(&ended);
        has_ended.send_replace(true);
        if let Some(Work { events, permit, .. }) = work {
            drop(permit);
            // Fails when the caller has left.
            let _ = events.send(Err(ended)).await;
        }
    }
}

/// The request that the engine handles.
struct Work {
    id: u64,
    events: mpsc::Sender<Delivery>,
    is_cancelled: bool,
    /// When the engine is killed.
    deadline: Instant,
    permit: OwnedSemaphorePermit,
}

/// The exchange of frames with an engine.
struct Exchange {
    frames: mpsc::Sender<Frame>,
    /// The next event.
    reading: BoxFuture<'static, Read>,
    work: Option<Work>,
    /// An event that the caller has no room for yet. Nothing is read until it has.
    waiting: Option<Received>,
    idle_since: Instant,
    limits: Limits,
    observer: Arc<dyn Observer>,
}

/// What happened.
enum Happening {
    Begin(Box<Begin>),
    /// Nobody holds the process any more.
    Dropped,
    Read(Box<Read>),
    /// The caller may have room for the event that waits.
    Room,
    /// The caller has left.
    Left,
    Due,
}

impl Exchange {
    /// Serves requests. The reason in [`Ended::Crashed`] is not known yet.
    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Begin>) -> Ended {
        loop {
            let ended = match self.next(inbox).await {
                Happening::Begin(begin) => self.begin(*begin).err(),
                Happening::Dropped => Some(Ended::Unloaded),
                Happening::Read(read) => self.received(*read).err(),
                Happening::Room => None,
                Happening::Left => {
                    self.cancel();
                    None
                }
                Happening::Due => Some(match &self.work {
                    Some(work) if work.is_cancelled => Ended::Stuck,
                    Some(_) => Ended::Silent(self.limits.silence),
                    None => Ended::Unloaded,
                }),
            };
            if let Some(ended) = ended {
                return ended;
            }
            self.deliver();
        }
    }

    /// Waits for what happens next.
    async fn next(&mut self, inbox: &mut mpsc::Receiver<Begin>) -> Happening {
        let has_room = self.waiting.is_none();
        let (events, deadline) = match &self.work {
            // While the caller reads slowly, the engine cannot go on.
            Some(work) => (Some(&work.events), has_room.then_some(work.deadline)),
            None => (None, Some(self.idle_since + self.limits.idle)),
        };
        let may_leave = self.work.as_ref().is_some_and(|work| !work.is_cancelled);
        tokio::select! {
            begin = inbox.recv(), if self.work.is_none() => match begin {
                Some(begin) => Happening::Begin(Box::new(begin)),
                None => Happening::Dropped,
            },
            () = async { match events { Some(events) => events.closed().await, None => pending().await } }, if may_leave => Happening::Left,
            () = async { match events { Some(events) => drop(events.reserve().await), None => pending().await } }, if !has_room => Happening::Room,
            read = &mut self.reading, if has_room => Happening::Read(Box::new(read)),
            () = async { match deadline { Some(deadline) => sleep_until(deadline).await, None => pending().await } } => Happening::Due,
        }
    }

    fn begin(&mut self, begin: Begin) -> Result<(), Ended> {
        let Begin { id, frame, payload, events, permit, taken } = begin;
        if taken.send(()).is_err() {
            return Ok(()); // the caller has left already
        }
        // There is room unless the engine does not even read its input.
        self.frames.try_send((frame, payload)).map_err(|_| Ended::Damaged("it does not read its input".into()))?;
        let deadline = Instant::now() + self.limits.silence;
        self.work = Some(Work { id, events, is_cancelled: false, deadline, permit });
        Ok(())
    }

    fn cancel(&mut self) {
        let Some(work) = &mut self.work else { return };
        work.is_cancelled = true;
        work.deadline = Instant::now() + self.limits.cancel;
        if let Ok(frame) = protocol::encode(&Request::Cancel { id: work.id }, &[]) {
            // Without room, the engine does not read its input, and is killed at the deadline.
            let _ = self.frames.try_send((frame, Bytes::new()));
        }
    }

    fn received(&mut self, (stdout, received): Read) -> Result<(), Ended> {
        let received = match received {
            Ok(Some(received)) => received,
            Ok(None) => return Err(Ended::Crashed(String::new())),
            Err(cause) if cause.kind() == io::ErrorKind::InvalidData => return Err(Ended::Damaged(cause.to_string())),
            Err(_) => return Err(Ended::Crashed(String::new())),
        };
        let id = self.work.as_ref().map(|work| work.id);
        if id.is_none() || received.0.request() != id {
            return Err(Ended::Damaged("an event of a request that is not under way".into()));
        }
        self.waiting = Some(received);
        self.reading = read(stdout);
        Ok(())
    }

    /// Passes the event that waits to the caller, if there is room.
    fn deliver(&mut self) {
        let Some((work, (event, payload))) = self.work.as_mut().zip(self.waiting.take()) else { return };
        let is_last = event.is_last();
        let is_answered = !matches!(event, Event::Failed { .. });
        if let Err(TrySendError::Full(Ok(received))) = work.events.try_send(Ok((event, payload))) {
            self.waiting = Some(received);
            return;
        }
        if is_last {
            if is_answered {
                self.observer.succeeded();
            }
            self.work = None;
            self.idle_since = Instant::now();
        } else if !work.is_cancelled {
            work.deadline = Instant::now() + self.limits.silence;
        }
    }
}

async fn read_next(mut stdout: BufReader<ChildStdout>) -> Read {
    let read = protocol::read(&mut stdout).await;
    (stdout, read)
}

fn read(stdout: BufReader<ChildStdout>) -> BoxFuture<'static, Read> {
    Box::pin(read_next(stdout))
}

/// Writes frames until there are no more, and closes the engine's input.
async fn write(mut stdin: ChildStdin, mut frames: mpsc::Receiver<Frame>) {
    while let Some((frame, payload)) = frames.recv().await {
        let written = async {
            stdin.write_all(&frame).await?;
            stdin.write_all(&payload).await?;
            stdin.flush().await
        };
        if let Err(cause) = written.await {
            // The end of the process is seen at its output.
            tracing::debug!(%cause, "an engine does not read its input");
            return;
        }
    }
}
