//! The server as a program, from binding its port to its shutdown.

use aura_core::error::{Error, Result};
use tokio_util::sync::CancellationToken;

use crate::bootstrap::bootstrap;
use crate::{LocalApi, ServerLimits, Token, WebUi, listen, serve};

/// How to run the server.
#[derive(Default)]
pub struct ServerOptions {
    /// Whether to use the sandbox providers instead of the real ones.
    pub sandbox: bool,
    /// The port on the loopback interface; 0 picks a free one.
    pub port: u16,
    /// The timeouts.
    pub limits: ServerLimits,
    /// The files of the web UI, served at `/app`, if the program contains them.
    pub web_ui: Option<WebUi>,
}

/// Serves the local API until [`shutdown_signal`] resolves. The address is printed on standard output.
///
/// # Errors
/// When the port is taken, or the assistant's files cannot be opened.
pub async fn run(options: ServerOptions) -> Result<()> {
    let ServerOptions { sandbox, port, limits, web_ui } = options;
    // Before anything else: two servers must not work on the same files.
    let listener = listen(port).await?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let bootstrap = bootstrap(sandbox).await?;
    let data = bootstrap.data.clone();
    let token = tokio::task::spawn_blocking(move || Token::create(&data)).await.map_err(Error::internal)??;
    let token_file = token.file().display().to_string();
    bootstrap.assistant.start_background().await;
    println!("AURA is listening on http://{address}");
    eprintln!("Your own programs need no token. Others must send the one in {token_file}, which is new at each start.");
    let shutdown = CancellationToken::new();
    let cancel = shutdown.clone();
    tokio::spawn(async move {
        shutdown_signal().await;
        cancel.cancel();
    });
    let mut api = LocalApi::new(bootstrap.assistant.clone(), token).with_limits(limits);
    if let Some(web_ui) = web_ui {
        eprintln!("Open http://{address}/app in a browser for the web UI. It needs that token.");
        api = api.with_web_ui(web_ui);
    }
    serve(listener, api, shutdown).await;
    bootstrap.assistant.close().await;
    Ok(())
}

/// Resolves on Ctrl+C and, on Unix, when the user logs out or the terminal closes (SIGTERM, SIGHUP). From the first poll on, these signals
/// no longer end the process by themselves. A process that was started to ignore SIGHUP, as `nohup` does, goes on ignoring it.
pub async fn shutdown_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = (!ignores_hangup()).then(SignalKind::hangup);
        let kinds = [Some(SignalKind::interrupt()), Some(SignalKind::terminate()), hangup];
        let mut signals: Vec<_> = kinds.into_iter().flatten().filter_map(|kind| signal(kind).ok()).collect();
        std::future::poll_fn(|context| {
            let has_come = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if has_come { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
}

/// Whether this process was started to ignore SIGHUP. Only Linux tells.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    const SIGHUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGHUP != 0)
}
