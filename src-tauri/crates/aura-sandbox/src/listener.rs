//! A TCP listener whose connections a handler can reset, and which are aborted when the sandbox stops.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The open connections. A stopping sandbox aborts them.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections(Mutex<Vec<Weak<ConnectionState>>>);

impl OpenConnections {
    fn add(&self, connection: &Arc<ConnectionState>) {
        let mut open = self.0.lock();
        open.retain(|known| known.strong_count() > 0);
        open.push(Arc::downgrade(connection));
    }

    /// Aborts every open connection.
    pub(crate) fn close(&self) {
        for connection in self.0.lock().drain(..) {
            if let Some(connection) = connection.upgrade() {
                connection.abort();
            }
        }
    }
}

/// State that a connection's stream and its handles share.
#[derive(Debug)]
struct ConnectionState {
    number: u64,
    is_aborted: AtomicBool,
    waker: AtomicWaker,
}

impl ConnectionState {
    fn abort(&self) {
        self.is_aborted.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

/// Handle of the connection that a request came through.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionHandle(Arc<ConnectionState>);

impl ConnectionHandle {
    /// Number of the connection, counted from 1. Two requests with one number share a connection.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Ends the connection with a TCP reset. Bytes that were not sent yet are lost.
    pub(crate) fn reset(&self) {
        self.0.abort();
    }
}

impl Connected<IncomingStream<'_, SandboxListener>> for ConnectionHandle {
    fn connect_info(stream: IncomingStream<'_, SandboxListener>) -> Self {
        Self(stream.io().connection.clone())
    }
}

/// Accepts connections and gives each a [`ConnectionHandle`].
#[derive(Debug)]
pub(crate) struct SandboxListener {
    inner: TcpListener,
    connections: Arc<OpenConnections>,
    accepted: AtomicU64,
}

impl SandboxListener {
    pub(crate) fn new(inner: TcpListener, connections: Arc<OpenConnections>) -> Self {
        Self { inner, connections, accepted: AtomicU64::new(0) }
    }
}

impl Listener for SandboxListener {
    type Io = ResettableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (ResettableStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.inner).await;
        // Otherwise Nagle's algorithm holds small chunks back until the client's delayed ACK, up to 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let connection =
            Arc::new(ConnectionState { number, is_aborted: AtomicBool::new(false), waker: AtomicWaker::new() });
        self.connections.add(&connection);
        (ResettableStream { stream, connection }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A TCP stream that fails and sends a reset once its connection is aborted.
#[derive(Debug)]
pub(crate) struct ResettableStream {
    stream: TcpStream,
    connection: Arc<ConnectionState>,
}

impl ResettableStream {
    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        self.connection.waker.register(context.waker());
        if !self.connection.is_aborted.load(Ordering::SeqCst) {
            return Ok(());
        }
        // With a linger time of zero, closing sends RST and drops unsent bytes.
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for ResettableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ResettableStream {
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
