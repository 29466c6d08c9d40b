//! The listener: takes connections, looks who is at the other end, and cuts off who is slow.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aura_core::error::{Code, Error, Result};
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::guard::{Caller, Entrance};
use crate::patient::Patient;
use crate::{Door, router};

/// Connections whose other end is looked up at once; further ones wait to be taken.
const LOOKED_UP: usize = 64;
/// The head of a request must be there so soon after the connection is, or after the answer before it.
const HEAD: Duration = Duration::from_secs(15);
/// The largest head of a request, bytes.
const HEAD_SIZE: usize = 64 * 1024;
/// A caller that takes nothing of its answer for so long is cut off.
const STALL: Duration = Duration::from_secs(30);
/// What is under way when the door closes may take so long to end; then it is cut off.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// So often another free port is taken when only one of its two addresses was free.
const TRIES: usize = 20;

/// The door's port on the loopback, which is held under both of its addresses: `localhost` means either, and whoever held the other
/// one would be sent what is meant for AURA.
#[derive(Debug)]
pub struct Listener {
    four: TcpListener,
    /// None where the machine has no IPv6.
    six: Option<TcpListener>,
}

impl Listener {
    /// Where it listens; of its two addresses the one that every program knows.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.four.local_addr()
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.six {
            None => self.four.accept().await,
            Some(six) => tokio::select! {
                taken = self.four.accept() => taken,
                taken = six.accept() => taken,
            },
        }
    }
}

/// Opens the port on the loopback; 0 takes a free one.
pub async fn listen(port: u16) -> Result<Listener> {
    for _ in 0..TRIES {
        let four = bind(Ipv4Addr::LOCALHOST.into(), port).await.map_err(|cause| refused(port, &cause))?;
        let taken = four.local_addr().map_err(Error::internal)?.port();
        match bind(Ipv6Addr::LOCALHOST.into(), taken).await {
            Ok(six) => return Ok(Listener { four, six: Some(six) }),
            Err(cause) if cause.kind() == ErrorKind::AddrInUse && port == 0 => {}
            Err(cause) if matches!(cause.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                return Err(refused(port, &cause));
            }
            Err(cause) => {
                tracing::debug!(%cause, "this computer has no IPv6: the HTTP door has one address");
                return Ok(Listener { four, six: None });
            }
        }
    }
    Err(refused(port, &ErrorKind::AddrInUse.into()))
}

async fn bind(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((address, port)).await
}

fn refused(port: u16, cause: &io::Error) -> Error {
    let message = if cause.kind() == ErrorKind::AddrInUse {
        format!(
            "Another program uses port {port}; perhaps AURA is running already. Stop it, or choose another port with --port."
        )
    } else {
        format!("AURA cannot listen on http://localhost:{port}. Choose another port with --port.")
    };
    Error::new(Code::PortTaken, message).because(cause)
}

/// Serves the door until `shutdown` is cancelled and what was under way has ended. Nothing of it is left when this returns, or when
/// it is dropped.
pub async fn serve(listener: Listener, door: Door, shutdown: CancellationToken) {
    let closing = door.closing.clone();
    take(listener, router(door), closing, shutdown, LAST_ANSWERS).await;
}

async fn take(
    listener: Listener,
    routes: Router,
    closing: CancellationToken,
    shutdown: CancellationToken,
    last_answers: Duration,
) {
    let (tasks, cut) = (TaskTracker::new(), CancellationToken::new());
    let _cut = cut.clone().drop_guard();
    let entrance = Entrance::default();
    let looking = Arc::new(Semaphore::new(LOOKED_UP));
    loop {
        let looked_up = tokio::select! {
            () = shutdown.cancelled() => break,
            turn = looking.clone().acquire_owned() => turn.ok(),
        };
        let taken = tokio::select! {
            () = shutdown.cancelled() => break,
            taken = listener.accept() => taken,
        };
        match taken {
            Ok((stream, peer)) => {
                let work = connection(stream, peer, routes.clone(), entrance.clone(), looked_up, shutdown.clone());
                tasks.spawn(cut.clone().run_until_cancelled_owned(work));
            }
            Err(cause) => {
                // Too many open files, for example: it passes.
                tracing::warn!(%cause, "the HTTP door could not take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    closing.cancel();
    tasks.close();
    if tokio::time::timeout(last_answers, tasks.wait()).await.is_err() {
        tracing::warn!("the HTTP door was closed before every answer had been sent");
        cut.cancel();
        tasks.wait().await;
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    entrance: Entrance,
    looked_up: Option<OwnedSemaphorePermit>,
    shutdown: CancellationToken,
) {
    let Ok(own) = stream.local_addr() else { return };
    let caller = Caller::of(peer, own).await;
    let Some(_place) = entrance.place(caller).await else {
        tracing::warn!("other users of this computer have all connections to the HTTP door that they may have");
        return;
    };
    drop(looked_up);
    // Small answers and pieces of a stream go out at once.
    let _ = stream.set_nodelay(true);
    let service = tower::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(caller);
        routes.clone().call(Request::from(request.map(axum::body::Body::new)))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_SIZE);
    let stream = TokioIo::new(Patient::new(stream, STALL));
    let connection = http.serve_connection(stream, TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(%cause, "a caller at the HTTP door went away");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::routing::get;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Notes that it was dropped.
    struct Gone(Arc<AtomicBool>);

    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// A door with a request under way that never ends: the caller, how the door is closed, and whether the work has ended.
    async fn with_endless_work(
        last: Duration,
    ) -> (TcpStream, CancellationToken, impl Future<Output = ()>, Arc<AtomicBool>) {
        let (begun, gone) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicBool::new(false)));
        let (tell, kept) = (begun.clone(), gone.clone());
        let endless = move || {
            let (tell, gone) = (tell.clone(), Gone(kept.clone()));
            async move {
                let _gone = gone;
                tell.notify_one();
                std::future::pending::<()>().await;
            }
        };
        let listener = listen(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let routes = Router::new().route("/", get(endless));
        let served = tokio::spawn(take(listener, routes, CancellationToken::new(), shutdown.clone(), last));
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        begun.notified().await;
        let served = tokio_util::task::AbortOnDropHandle::new(served);
        (caller, shutdown, async move { served.await.unwrap() }, gone)
    }

    #[tokio::test]
    async fn what_does_not_end_by_itself_is_cut_off() {
        let (_caller, shutdown, served, gone) = with_endless_work(Duration::from_millis(50)).await;
        shutdown.cancel();
        served.await;
        assert!(gone.load(Ordering::Acquire), "the door is closed, and still works");
    }

    #[tokio::test]
    async fn a_door_that_is_dropped_serves_nobody_any_more() {
        let (_caller, _shutdown, served, gone) = with_endless_work(Duration::from_secs(600)).await;
        drop(served);
        while !gone.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_port_is_taken_when_either_address_is() {
        for held in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            // Without IPv6 there is only the one.
            let Ok(other) = bind(held, 0).await else { continue };
            let port = other.local_addr().unwrap().port();
            assert_eq!(listen(port).await.unwrap_err().code, Code::PortTaken, "{held}");
        }
    }
}
