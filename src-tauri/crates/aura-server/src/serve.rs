//! The listener: accepts connections, looks up the user of each, applies the timeouts, and shuts down gracefully.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use aura_core::error::{Error, ErrorCode, Result};
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::guard::{Caller, ConnectionLimiter};
use crate::write_timeout::WriteTimeout;
use crate::{LocalApi, ServerLimits, descriptors, router};

/// The largest request head, bytes.
const MAX_HEAD_SIZE: usize = 64 * 1024;
/// Attempts to find a free port that is free on both addresses.
const MAX_PORT_ATTEMPTS: usize = 20;
/// Pause after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The port on the loopback interface, bound on both addresses. `localhost` may resolve to either, so a program that held the other
/// address would receive requests meant for AURA.
#[derive(Debug)]
pub struct Listener {
    ipv4: TcpListener,
    /// `None` where the computer has no IPv6.
    ipv6: Option<TcpListener>,
}

impl Listener {
    /// The IPv4 address and the port.
    ///
    /// # Errors
    /// When the operating system does not report the address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.ipv4.local_addr()
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.ipv6 {
            None => self.ipv4.accept().await,
            Some(ipv6) => tokio::select! {
                accepted = self.ipv4.accept() => accepted,
                accepted = ipv6.accept() => accepted,
            },
        }
    }
}

/// Binds the port on both loopback addresses; 0 picks a free one.
///
/// # Errors
/// [`ErrorCode::PortTaken`] when another program holds the port on either address, or it cannot be bound.
pub async fn listen(port: u16) -> Result<Listener> {
    for _ in 0..MAX_PORT_ATTEMPTS {
        let ipv4 = bind(Ipv4Addr::LOCALHOST.into(), port).await.map_err(|cause| port_error(port, &cause))?;
        let bound = ipv4.local_addr().map_err(Error::internal)?.port();
        match bind(Ipv6Addr::LOCALHOST.into(), bound).await {
            Ok(ipv6) => return Ok(Listener { ipv4, ipv6: Some(ipv6) }),
            Err(cause) if cause.kind() == ErrorKind::AddrInUse && port == 0 => {}
            Err(cause) if matches!(cause.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                return Err(port_error(port, &cause));
            }
            Err(cause) => {
                tracing::debug!(%cause, "this computer has no IPv6: the local API listens on IPv4 only");
                return Ok(Listener { ipv4, ipv6: None });
            }
        }
    }
    Err(port_error(port, &ErrorKind::AddrInUse.into()))
}

async fn bind(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((address, port)).await
}

fn port_error(port: u16, cause: &io::Error) -> Error {
    let message = if cause.kind() == ErrorKind::AddrInUse {
        format!(
            "Another program uses port {port}; AURA may already be running. Stop it, or choose another port with --port."
        )
    } else {
        format!("AURA cannot listen on http://localhost:{port}. Choose another port with --port.")
    };
    Error::new(ErrorCode::PortTaken, message).because(cause)
}

/// Serves the local API until `shutdown` is cancelled and the requests in flight have finished, or the grace period of
/// [`ServerLimits`] is over. No task is left when this returns or is dropped.
pub async fn serve(listener: Listener, api: LocalApi, shutdown: CancellationToken) {
    descriptors::raise_limit();
    let (closing, limits) = (api.closing.clone(), api.limits);
    accept_loop(listener, router(api), closing, shutdown, limits).await;
}

async fn accept_loop(
    listener: Listener,
    routes: Router,
    closing: CancellationToken,
    shutdown: CancellationToken,
    limits: ServerLimits,
) {
    let (tasks, abort) = (TaskTracker::new(), CancellationToken::new());
    let _abort_on_drop = abort.clone().drop_guard();
    let limiter = ConnectionLimiter::default();
    loop {
        let lookup = tokio::select! {
            () = shutdown.cancelled() => break,
            permit = limiter.acquire_lookup() => permit,
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = Connection { stream, peer, lookup, limits };
                let task = connection.serve(routes.clone(), limiter.clone(), shutdown.clone());
                tasks.spawn(abort.clone().run_until_cancelled_owned(task));
            }
            Err(cause) => {
                // A passing condition, such as too many open files.
                tracing::warn!(%cause, "the local API could not accept a connection");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop(listener);
    closing.cancel();
    tasks.close();
    if tokio::time::timeout(limits.shutdown_grace, tasks.wait()).await.is_err() {
        tracing::warn!("the local API shut down before every response was sent");
        abort.cancel();
        tasks.wait().await;
    }
}

/// A connection that was just accepted.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    /// Held until the user of the connection is known.
    lookup: Option<OwnedSemaphorePermit>,
    limits: ServerLimits,
}

impl Connection {
    async fn serve(self, routes: Router, limiter: ConnectionLimiter, shutdown: CancellationToken) {
        let Self { stream, peer, lookup, limits } = self;
        let Ok(own) = stream.local_addr() else { return };
        let caller = Caller::of(peer, own).await;
        let Some(_permit) = limiter.acquire(caller).await else {
            tracing::warn!("other users of this computer hold all the connections they may have to the local API");
            return;
        };
        drop(lookup);
        // Without Nagle's algorithm, small responses and stream chunks are sent immediately.
        let _ = stream.set_nodelay(true);
        let service = tower::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(caller);
            routes.clone().call(Request::from(request.map(axum::body::Body::new)))
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.header_read).max_buf_size(MAX_HEAD_SIZE);
        let stream = TokioIo::new(WriteTimeout::new(stream, limits.write_stall));
        let connection = http.serve_connection(stream, TowerToHyperService::new(service));
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(cause) = result {
            tracing::debug!(%cause, "a connection to the local API broke");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::routing::get;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Sets the flag when dropped.
    struct DropFlag(Arc<AtomicBool>);

    impl Drop for DropFlag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// A server with a request in flight that never finishes: the client, the shutdown token, the server, and whether the handler was
    /// dropped.
    async fn with_endless_request(
        shutdown_grace: Duration,
    ) -> (TcpStream, CancellationToken, impl Future<Output = ()>, Arc<AtomicBool>) {
        let (started, dropped) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicBool::new(false)));
        let (notify, flag) = (started.clone(), dropped.clone());
        let endless = move || {
            let (notify, flag) = (notify.clone(), DropFlag(flag.clone()));
            async move {
                let _flag = flag;
                notify.notify_one();
                std::future::pending::<()>().await;
            }
        };
        let listener = listen(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let routes = Router::new().route("/", get(endless));
        let limits = ServerLimits { shutdown_grace, ..ServerLimits::default() };
        let served = tokio::spawn(accept_loop(listener, routes, CancellationToken::new(), shutdown.clone(), limits));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        started.notified().await;
        let served = tokio_util::task::AbortOnDropHandle::new(served);
        (client, shutdown, async move { served.await.unwrap() }, dropped)
    }

    #[tokio::test]
    async fn a_request_that_outlives_the_grace_period_is_aborted() {
        let (_client, shutdown, served, dropped) = with_endless_request(Duration::from_millis(50)).await;
        shutdown.cancel();
        served.await;
        assert!(dropped.load(Ordering::Acquire), "the handler still runs after the shutdown");
    }

    #[tokio::test]
    async fn dropping_the_server_aborts_its_requests() {
        let (_client, _shutdown, served, dropped) = with_endless_request(Duration::from_secs(600)).await;
        drop(served);
        while !dropped.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_port_is_taken_when_either_address_is() {
        for held in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            // A computer without IPv6 has only one address.
            let Ok(other) = bind(held, 0).await else { continue };
            let port = other.local_addr().unwrap().port();
            assert_eq!(listen(port).await.unwrap_err().code, ErrorCode::PortTaken, "{held}");
        }
    }
}
