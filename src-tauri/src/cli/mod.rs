//! The command line: `aura`, `ask`, `listen`, `serve`, `ptt`, `providers`, `history`, `doctor`.

mod args;
mod ask;
mod doctor;
mod history;
mod listen;
mod operations;
mod output;
mod providers;
mod serve;
mod table;

use std::process::ExitCode;

use aura_core::error::{Error, Result};
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::{compose, desktop, door};
use args::{Arguments, Command, Edge};
use operations::Operations;

/// Reads the arguments and does what they say. 0: done; 1: it failed; 2: wrong usage. Called while there is one thread.
#[expect(unsafe_code, reason = "the variables of a process are no thread's own")]
pub fn main() -> ExitCode {
    // SAFETY: the runtime and its threads are made below.
    unsafe { aura_server::compose::adopt_env_file() };
    let arguments = Arguments::parse();
    log();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::internal)?;
    let sandbox = arguments.sandbox;
    if sandbox {
        eprintln!("The sandbox answers: no real provider is called.");
    }
    let done = match arguments.command {
        None => desktop::run(runtime.handle(), sandbox, arguments.hidden).map(|()| ExitCode::SUCCESS),
        Some(Command::Ask(ask)) => runtime.block_on(ask::run(sandbox, ask)),
        Some(Command::Listen(listen)) => runtime.block_on(listen::run(sandbox, listen)),
        Some(Command::Serve { port }) => runtime.block_on(serve::run(sandbox, port)),
        Some(Command::Ptt { edge }) => runtime.block_on(ptt(edge)),
        Some(Command::Providers { what, json }) => runtime.block_on(providers::run(sandbox, what, json)),
        Some(Command::History { what, json }) => runtime.block_on(history::run(sandbox, what, json)),
        Some(Command::Doctor { json }) => runtime.block_on(doctor::run(sandbox, json)),
    };
    // A thread that waits for a sound server must not keep the program.
    runtime.shutdown_background();
    done
}

async fn ptt(edge: Edge) -> Result<ExitCode> {
    let operation = match edge {
        Edge::Press => "press",
        Edge::Release => "release",
        Edge::Cancel => "cancel",
    };
    door::call(&compose::paths()?.data, operation, serde_json::json!({})).await?;
    Ok(ExitCode::SUCCESS)
}

/// The log goes to standard error. `RUST_LOG` or `LOG_LEVEL` set how much; without them warnings alone, and nothing of the sound
/// client, which calls every closed connection an error.
fn log() {
    let level = std::env::var("RUST_LOG")
        .or_else(|_| std::env::var("LOG_LEVEL"))
        .unwrap_or_else(|_| "warn,pulseaudio=off".into());
    let filter = EnvFilter::try_new(level.to_lowercase()).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
