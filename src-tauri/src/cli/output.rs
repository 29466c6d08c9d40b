//! What the command line prints: results on standard output; errors, notices and progress on standard error.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use aura_core::error::{Error, ErrorDetail, Result};
use aura_core::record::TurnRecord;

/// Prints an error with its code.
pub(super) fn error(error: &Error) {
    eprintln!("error[{}]: {}", error.code.as_str(), error.message);
    if let Some(ErrorDetail::Cause(detail)) = &error.detail {
        eprintln!("  {detail}");
    }
}

/// Prints a line to standard output. A closed pipe is not an error, because programs such as `head` close it; any other failure ends the
/// process.
pub(super) fn print(text: impl Display) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error[storage]: The output could not be written: {cause}.");
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Prints a turn and returns the exit code.
pub(super) fn turn(record: &TurnRecord, json: bool) -> Result<ExitCode> {
    if json {
        self::json(record)?;
    } else {
        if !record.answer.is_empty() {
            print(record.answer.trim());
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

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Result<()> {
    print(serde_json::to_string_pretty(value).map_err(Error::internal)?);
    Ok(())
}
