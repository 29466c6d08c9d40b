//! The door as a program: from its port to its end.

use aura_core::error::{Error, Result};
use tokio_util::sync::CancellationToken;

use crate::compose::compose;
use crate::{Door, Interface, Token, listen, serve};

/// Opens the door on a port of the loopback and serves it until the program is asked to end. Port 0 takes a free one; which, is
/// printed on standard output. A program that carries the interface offers it at `/app`.
pub async fn run(sandbox: bool, port: u16, interface: Option<Interface>) -> Result<()> {
    // First of all: two of them must not work on the same files.
    let listener = listen(port).await?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let composed = compose(sandbox).await?;
    let data = composed.data.clone();
    let token = tokio::task::spawn_blocking(move || Token::open(&data)).await.map_err(Error::internal)??;
    let token_file = token.file().display().to_string();
    composed.assistant.load_keys().await;
    println!("AURA listens on http://{address}");
    eprintln!("Programs of yours may call it as they are; others need the token in {token_file}.");
    let shutdown = CancellationToken::new();
    let end = shutdown.clone();
    tokio::spawn(async move {
        asked_to_end().await;
        end.cancel();
    });
    let mut door = Door::new(composed.assistant.clone(), token);
    if let Some(interface) = interface {
        eprintln!("The interface, for a browser: http://{address}/app (it asks for that token).");
        door = door.with_interface(interface);
    }
    serve(listener, door, shutdown).await;
    composed.assistant.close().await;
    Ok(())
}

/// Waits until the program is asked to end: by Ctrl+C, or by whoever manages it.
pub async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut asked) => {
                tokio::select! {
                    _ = asked.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            }
            Err(_) => drop(tokio::signal::ctrl_c().await),
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
}
