//! The HTTP door without a window: it links no web view.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use tokio::net::TcpListener;

/// The guide's port.
const PORT: u16 = 8000;

#[tokio::main]
async fn main() -> ExitCode {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let served = async {
        let listener = TcpListener::bind(address).await?;
        eprintln!("AURA listens on http://{address}");
        axum::serve(listener, aura_server::router())
            .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
            .await
    };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("error: AURA cannot listen on http://{address}: {cause}. Stop the program that uses the port.");
            ExitCode::FAILURE
        }
    }
}
