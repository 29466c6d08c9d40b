//! The command line: the desktop app without a command, else `ask`, `listen`, `serve`, `mcp`, `ptt`, `consent`, `providers`, `keys`, `models`, `history`,
//! `conversations`, `doctor`, `update` or `completions`.

mod args;
mod ask;
mod consent;
mod conversations;
mod doctor;
mod history;
mod keys;
mod listen;
mod mcp;
mod models;
mod operations;
mod output;
mod providers;
mod serve;
mod stopped;
mod table;
mod update;

use std::process::ExitCode;

use aura_core::error::{Error, Result};
use aura_mcp::host::Allowed;
use clap::{CommandFactory, Parser};
use serde_json::json;

use crate::{bootstrap, desktop, instance_socket};
use args::{Arguments, Command, PttAction};
use operations::Operations;

/// Runs the command that the arguments name. Exit code 0: done; 1: it failed; 2: wrong usage.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The PulseAudio client reports every closed connection as an error.
    aura_server::start_log("warn,pulseaudio=off");
    let result = run(arguments);
    aura_server::close_log();
    match result {
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
        eprintln!("Sandbox: using simulated providers. No real provider is called.");
    }
    let result = match arguments.command {
        None => desktop::run(runtime.handle(), sandbox, arguments.hidden).map(|()| ExitCode::SUCCESS),
        Some(Command::Ask(ask)) => runtime.block_on(ask::run(sandbox, ask)),
        Some(Command::Listen(listen)) => runtime.block_on(listen::run(sandbox, listen)),
        Some(Command::Serve { port }) => runtime.block_on(serve::run(sandbox, port)),
        Some(Command::Mcp { microphone, screen }) => {
            runtime.block_on(mcp::run(sandbox, Allowed { microphone, screen }))
        }
        Some(Command::Ptt { action }) => runtime.block_on(ptt(action)),
        Some(Command::Consent { answer, json }) => runtime.block_on(consent::run(answer, json)),
        Some(Command::Providers { what, json }) => runtime.block_on(providers::run(sandbox, what, json)),
        Some(Command::History { what, json }) => runtime.block_on(history::run(sandbox, what, json)),
        Some(Command::Conversations { search, limit, json }) => {
            runtime.block_on(conversations::run(sandbox, search, limit, json))
        }
        Some(Command::Models { what, json }) => runtime.block_on(models::run(sandbox, what, json)),
        Some(Command::Keys { what, json }) => runtime.block_on(keys::run(sandbox, what, json)),
        Some(Command::Doctor { json }) => runtime.block_on(doctor::run(sandbox, json)),
        Some(Command::Update { download, json }) => runtime.block_on(update::run(sandbox, download, json)),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "aura", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Manual { folder }) => aura_server::write_manual(&Arguments::command(), &folder)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|cause| Error::storage("write the manual", cause)),
    };
    // Does not wait for threads that block on a sound server.
    runtime.shutdown_background();
    result
}

async fn ptt(action: PttAction) -> Result<ExitCode> {
    let press = |purpose: &str| ("press", json!({ "purpose": purpose }));
    let playback = |action: &str| ("playback", json!({ "action": action }));
    let (operation, request) = match action {
        PttAction::Press => ("press", json!({})),
        PttAction::Dictate => press("dictate"),
        PttAction::AnswerHere => press("answer_here"),
        PttAction::EditSelection => press("edit_selection"),
        PttAction::Release => ("release", json!({})),
        PttAction::Cancel => ("cancel", json!({})),
        PttAction::HandsFree => ("hands_free", json!({})),
        PttAction::Repeat => ("repeat", json!({})),
        PttAction::Pause => playback("toggle"),
        PttAction::Next => playback("next"),
        PttAction::Previous => playback("previous"),
        PttAction::New => ("new_session", json!({})),
    };
    instance_socket::call(&bootstrap::paths()?.data, operation, request).await?;
    Ok(ExitCode::SUCCESS)
}
