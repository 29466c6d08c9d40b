//! The HTTP door without a window: it links no web view.

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Opens AURA's HTTP door on the loopback.
#[derive(Debug, Parser)]
#[command(name = "aura-server", version)]
struct Arguments {
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = aura_server::PORT)]
    port: u16,
    /// Use the sandbox providers on this computer instead of the real ones.
    #[arg(long)]
    sandbox: bool,
}

#[expect(unsafe_code, reason = "the variables of a process are no thread's own")]
fn main() -> ExitCode {
    // SAFETY: this is the only thread.
    unsafe { aura_server::compose::adopt_env_file() };
    serve()
}

#[tokio::main]
async fn serve() -> ExitCode {
    let Arguments { port, sandbox } = Arguments::parse();
    let level = std::env::var("RUST_LOG").or_else(|_| std::env::var("LOG_LEVEL")).unwrap_or_else(|_| "warn".into());
    let filter = EnvFilter::try_new(level.to_lowercase()).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    if sandbox {
        eprintln!("The sandbox answers: no real provider is called.");
    }
    match aura_server::run(sandbox, port, None).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {}", error.code.as_str(), error.message);
            if let Some(serde_json::Value::String(detail)) = &error.detail {
                eprintln!("  {detail}");
            }
            ExitCode::FAILURE
        }
    }
}
