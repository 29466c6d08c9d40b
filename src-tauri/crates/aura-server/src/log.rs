//! The log: on standard error, and in a file for each day in the data folder.

use std::io::IsTerminal;
use std::path::Path;

use parking_lot::Mutex;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::bootstrap::paths;
use crate::environment::log_level;

/// The folder of the log files in the data folder.
const FOLDER: &str = "logs";
/// Days whose log is kept.
const DAYS: usize = 7;
/// Crates that log nothing, at any level: they would log whole messages, what a tool is asked for and its output.
const SILENT: &[&str] = &["rmcp"];
/// Lines that wait for a slow disk at most. Later ones are dropped, so that AURA never waits for its log.
const MAX_QUEUED_LINES: usize = 4_096;

/// Writes the last lines when it is dropped.
static FILE: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Starts the log, at the level in `RUST_LOG` or `LOG_LEVEL`, else at `default`. Call [`close_log`] before the program ends. Without a
/// data folder that can be written, there is only standard error.
pub fn start_log(default: &str) {
    let level = log_level().unwrap_or(default);
    let filter = filter(level);
    let on_terminal = std::io::stderr().is_terminal();
    let stderr =
        fmt::layer().with_writer(std::io::stderr).with_ansi(on_terminal && std::env::var_os("NO_COLOR").is_none());
    let (file, problem) = match open(None) {
        Ok(file) => (Some(fmt::layer().with_ansi(false).with_writer(file)), None),
        Err(problem) => (None, Some(problem)),
    };
    tracing_subscriber::registry().with(filter).with(stderr).with(file).init();
    if let Some(problem) = problem {
        tracing::warn!(problem, "there is no log file");
    }
}

/// What is logged at a level, or by a list of levels for each crate.
fn filter(level: &str) -> EnvFilter {
    let level = level.to_lowercase();
    let silent = |part: &str| SILENT.iter().any(|name| part.trim().starts_with(name));
    let parts: Vec<&str> = level.split(',').filter(|part| !silent(part)).collect();
    let filter = EnvFilter::try_new(parts.join(",")).unwrap_or_else(|_| EnvFilter::new("warn"));
    SILENT.iter().filter_map(|name| format!("{name}=off").parse().ok()).fold(filter, EnvFilter::add_directive)
}

/// Writes what is queued to the log file, and closes it.
pub fn close_log() {
    *FILE.lock() = None;
}

/// Opens today's file in this folder, or in the data folder of this user.
fn open(data: Option<&Path>) -> Result<NonBlocking, String> {
    let folder = match data {
        Some(data) => data.join(FOLDER),
        None => paths().map_err(|error| error.message)?.data.join(FOLDER),
    };
    aura_platform::create_private(&folder).map_err(|cause| cause.to_string())?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("aura")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(&folder)
        .map_err(|cause| cause.to_string())?;
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MAX_QUEUED_LINES).finish(files);
    *FILE.lock() = Some(guard);
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_tools_are_asked_for_is_not_logged_at_any_level() {
        for level in ["trace", "rmcp=debug", "rmcp::service=trace", "info,rmcp=info"] {
            let filter = filter(level).to_string();
            let allowed = filter.split(',').any(|part| part.starts_with("rmcp") && part != "rmcp=off");
            assert!(filter.contains("rmcp=off") && !allowed, "{filter}");
        }
    }

    #[test]
    fn a_week_of_log_files_is_kept() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(FOLDER);
        std::fs::create_dir(&folder).unwrap();
        for day in 1..=12 {
            std::fs::write(folder.join(format!("aura.2026-01-{day:02}.log")), "old\n").unwrap();
        }
        let mut writer = open(Some(data.path())).unwrap();
        writer.write_all(b"one line\n").unwrap();
        close_log();
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert_eq!(files.len(), DAYS, "{files:?}");
        assert_eq!(std::fs::read_to_string(files.last().unwrap()).unwrap(), "one line\n");
    }
}
