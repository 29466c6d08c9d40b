//! `aura keys`: saves, removes and lists API keys. A key is read from standard input, never from an argument, which other programs can
//! see.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use aura_core::api::{ProviderView, Snapshot};
use aura_core::config::KeyPlace;
use aura_core::error::{Error, Result};
use serde_json::json;

use super::args::Keys;
use super::{Operations, output, table};

/// Longer input is no key.
const LONGEST_KEY: u64 = 64 * 1024;

pub(super) async fn run(sandbox: bool, what: Option<Keys>, json: bool) -> Result<ExitCode> {
    let what = what.unwrap_or(Keys::List);
    // Before anything else: a mistake in the input must not wait for the keyring.
    let key = if matches!(what, Keys::Set { .. }) { Some(read_key()?) } else { None };
    let operations = Operations::open(sandbox).await?;
    let result = run_command(&operations, what, key, json).await;
    operations.close().await;
    result.map(|()| ExitCode::SUCCESS)
}

async fn run_command(operations: &Operations, what: Keys, key: Option<String>, as_json: bool) -> Result<()> {
    let (snapshot, provider, done) = match what {
        Keys::List => {
            let snapshot: Snapshot = operations.request("snapshot", json!({})).await?;
            return list(&snapshot, as_json);
        }
        Keys::Set { provider } => {
            let request = json!({"provider": provider, "key": key, "session_only": false});
            (operations.request::<Snapshot>("save_key", request).await?, provider, "saved in the keyring")
        }
        Keys::Remove { provider } => {
            let request = json!({"provider": provider});
            (operations.request::<Snapshot>("forget_key", request).await?, provider, "removed")
        }
    };
    if as_json {
        return output::json(&snapshot.providers.iter().find(|view| view.name == provider).map(row));
    }
    output::print(format!("The API key of {provider} was {done}."));
    Ok(())
}

/// The key on standard input, up to the end of the line.
fn read_key() -> Result<String> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        let key = rpassword::prompt_password("Paste the API key, then press Enter. Nothing is shown: ")
            .map_err(unreadable)?;
        return Ok(key.trim().to_owned());
    }
    let mut text = String::new();
    input.by_ref().take(LONGEST_KEY).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text.trim().to_owned())
}

fn unreadable(cause: std::io::Error) -> Error {
    Error::invalid("The API key could not be read from standard input. Send it as one line of text.").because(cause)
}

fn list(snapshot: &Snapshot, as_json: bool) -> Result<()> {
    let known = || snapshot.providers.iter().filter(|provider| provider.needs_key || provider.key.is_some());
    if as_json {
        return output::json(&known().map(row).collect::<Vec<_>>());
    }
    let rows: Vec<[String; 4]> = known()
        .map(|provider| match &provider.key {
            Some(key) => {
                let only_for = key.only_for.as_ref().map(|address| format!("not sent: it is for {address}"));
                [
                    provider.name.clone(),
                    format!("••••••{}", key.ends_with),
                    place(key.place).into(),
                    only_for.unwrap_or_default(),
                ]
            }
            None => [provider.name.clone(), "none".into(), String::new(), String::new()],
        })
        .collect();
    table::print(["provider", "key", "place", "notes"], &rows, "No provider needs a key.");
    if let Some(problem) = &snapshot.keyring_problem {
        eprintln!("note: {problem}");
    }
    Ok(())
}

/// A provider and what may be shown of its key.
fn row(provider: &ProviderView) -> serde_json::Value {
    json!({"provider": provider.name, "key": provider.key, "problem": provider.problem})
}

fn place(place: KeyPlace) -> &'static str {
    match place {
        KeyPlace::Keyring => "keyring",
        KeyPlace::Session => "until AURA closes",
        KeyPlace::Environment => "environment",
    }
}
