//! A listener whose connections can be reset from inside a handler, and closed when the sandbox stops.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Every connection that is open, so that stopping can close them.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Vec<Weak<Line>>>);

impl Connections {
    fn keep(&self, line: &Arc<Line>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|known| known.strong_count() > 0);
        open.push(Arc::downgrade(line));
    }

    /// Ends every connection, whatever it is waiting for.
    pub(crate) fn close(&self) {
        for line in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if let Some(line) = line.upgrade() {
                line.break_off();
            }
        }
    }
}

#[derive(Debug)]
struct Line {
    number: u64,
    broken: AtomicBool,
    waker: AtomicWaker,
}

impl Line {
    fn break_off(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

/// A handler's grip on the connection its request came through.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionHandle(Arc<Line>);

impl ConnectionHandle {
    /// Counts connections from 1, which shows whether a client reuses them.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Sends a TCP reset instead of anything further.
    pub(crate) fn reset(&self) {
        self.0.break_off();
    }
}

impl Connected<IncomingStream<'_, SandboxListener>> for ConnectionHandle {
    fn connect_info(stream: IncomingStream<'_, SandboxListener>) -> Self {
        Self(stream.io().line.clone())
    }
}

/// Accepts on loopback and hands every connection a [`ConnectionHandle`].
#[derive(Debug)]
pub(crate) struct SandboxListener {
    inner: TcpListener,
    connections: Arc<Connections>,
    accepted: AtomicU64,
}

impl SandboxListener {
    pub(crate) fn new(inner: TcpListener, connections: Arc<Connections>) -> Self {
        Self { inner, connections, accepted: AtomicU64::new(0) }
    }
}

impl Listener for SandboxListener {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.inner).await;
        // Without this, small chunks wait for the client's delayed acknowledgement: up to 40 ms of false latency.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let line = Arc::new(Line { number, broken: AtomicBool::new(false), waker: AtomicWaker::new() });
        self.connections.keep(&line);
        (Socket { stream, line }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A TCP stream that fails, and resets, once its line is broken.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    line: Arc<Line>,
}

impl Socket {
    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        self.line.waker.register(context.waker());
        if !self.line.broken.load(Ordering::SeqCst) {
            return Ok(());
        }
        // With no time to linger, closing sends RST and drops what was not yet sent.
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
