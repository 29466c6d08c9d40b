//! What the command line prints: the answer on standard output, everything about it on standard error.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use aura_core::error::{Error, Result};
use aura_core::record::TurnRecord;

/// An error, with its code for programs.
pub(super) fn error(error: &Error) {
    eprintln!("error[{}]: {}", error.code.as_str(), error.message);
    if let Some(serde_json::Value::String(detail)) = &error.detail {
        eprintln!("  {detail}");
    }
}

/// Prints a line. A reader that went away, such as `head`, has read what it wanted; when the disk behind it is full, nothing is pretended.
pub(super) fn say(text: impl Display) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error[storage]: What was asked for cannot be written: {cause}.");
            std::process::exit(1);
        }
        _ => {}
    }
}

/// A turn, and whether it went well.
pub(super) fn turn(record: &TurnRecord, json: bool) -> Result<ExitCode> {
    if json {
        self::json(record)?;
    } else {
        if !record.answer.is_empty() {
            say(record.answer.trim());
        }
        for notice in &record.notices {
            eprintln!("note: {}", notice.message);
        }
    }
    match &record.error {
        Some(failure) => {
            error(failure);
            Ok(ExitCode::FAILURE)
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Anything, as indented JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Result<()> {
    say(serde_json::to_string_pretty(value).map_err(Error::internal)?);
    Ok(())
}
