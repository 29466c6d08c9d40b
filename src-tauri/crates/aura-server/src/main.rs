//! AURA's local API without a window. This program links no web view.

use std::path::PathBuf;
use std::process::ExitCode;

use aura_server::{ServerLimits, ServerOptions};
use clap::{CommandFactory, Parser};

/// Under load, the system's allocator would take a fifth of the time of a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Serves AURA's local API on this computer, without a window.
#[derive(Debug, Parser)]
#[command(name = "aura-server", version)]
struct Arguments {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = aura_server::PORT)]
    port: u16,
    /// Use the sandbox providers on this computer instead of the real ones.
    #[arg(long)]
    sandbox: bool,
    /// Multiplies every server timeout by a factor from 0.001 to 1000, so that tests need not wait them out.
    #[arg(long, hide = true, default_value_t = 1.0, value_parser = limits_scale)]
    limits_scale: f64,
    /// Writes the manual page and shell completions into a folder, for packages.
    #[arg(long, hide = true, value_name = "FOLDER")]
    manual: Option<PathBuf>,
}

fn limits_scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=1_000.0).contains(&scale) { Ok(scale) } else { Err("not between 0.001 and 1000".to_owned()) }
}

fn main() -> ExitCode {
    aura_server::prepare_process();
    aura_server::forbid_inspection();
    let Arguments { port, sandbox, limits_scale, manual } = Arguments::parse();
    if let Some(folder) = manual {
        return match aura_server::write_manual(&Arguments::command(), &folder) {
            Ok(()) => ExitCode::SUCCESS,
            Err(cause) => {
                eprintln!("error: {}: {cause}", folder.display());
                ExitCode::FAILURE
            }
        };
    }
    aura_server::start_log("warn");
    if sandbox {
        eprintln!("Sandbox: using simulated providers. No real provider is called.");
    }
    let limits = ServerLimits::default().scaled(limits_scale);
    let served = run(ServerOptions { sandbox, port, limits, web_ui: None });
    aura_server::close_log();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {}", error.code.as_str(), error.message);
            if let Some(aura_core::error::ErrorDetail::Cause(detail)) = &error.detail {
                eprintln!("  {detail}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: ServerOptions) -> aura_core::error::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(aura_core::error::Error::internal)?;
    runtime.block_on(aura_server::run(options))
}
