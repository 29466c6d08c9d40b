//! The listener: takes connections, looks who is at the other end, and cuts off who is slow.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use aura_core::error::{Code, Error, Result};
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::guard::Caller;
use crate::{Door, router};

/// Connections at once; further ones wait to be taken.
const CONNECTIONS: usize = 1_024;
/// The head of a request must be there so soon after the connection is, or after the answer before it.
const HEAD: Duration = Duration::from_secs(15);
/// The largest head of a request, bytes.
const HEAD_SIZE: usize = 64 * 1024;
/// What is under way when the door closes may take so long to end.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Opens the port on the loopback; 0 takes a free one.
pub async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|cause| {
        let message = if cause.kind() == std::io::ErrorKind::AddrInUse {
            format!(
                "Another program uses port {port}; perhaps AURA is running already. Stop it, or choose another port with --port."
            )
        } else {
            format!("AURA cannot listen on http://{address}.")
        };
        Error::new(Code::PortTaken, message).because(cause)
    })
}

/// Serves the door until `shutdown` is cancelled and what was under way has ended.
pub async fn serve(listener: TcpListener, door: Door, shutdown: CancellationToken) {
    let closing = door.closing.clone();
    let routes = router(door);
    let tasks = TaskTracker::new();
    let places = std::sync::Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = tokio::select! {
            () = shutdown.cancelled() => break,
            place = places.clone().acquire_owned() => place,
        };
        let taken = tokio::select! {
            () = shutdown.cancelled() => break,
            taken = listener.accept() => taken,
        };
        match taken {
            Ok((stream, peer)) => {
                let work = connection(stream, peer, routes.clone(), shutdown.clone());
                tasks.spawn(async move {
                    work.await;
                    drop(place);
                });
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
    if tokio::time::timeout(LAST_ANSWERS, tasks.wait()).await.is_err() {
        tracing::warn!("the HTTP door was closed before every answer had been sent");
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, routes: Router, shutdown: CancellationToken) {
    let Ok(own) = stream.local_addr() else { return };
    // Small answers and pieces of a stream go out at once.
    let _ = stream.set_nodelay(true);
    let caller = Caller::of(peer, own);
    let service = tower::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(caller);
        routes.clone().call(Request::from(request.map(axum::body::Body::new)))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_SIZE);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
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
