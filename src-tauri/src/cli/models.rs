//! `aura models`: the models on this computer.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use aura_core::api::{Fits, LocalModelState, LocalModelView, LocalModelsView};
use aura_core::error::{Error, ErrorCode, Result};
use aura_local::format_bytes;
use aura_providers::Service;
use serde_json::json;

use super::args::Models;
use super::{Operations, output, table};

/// The time between two looks at a download.
const LOOK: Duration = Duration::from_millis(300);
/// Without a terminal, a line is printed at each of these parts of a download, in per cent.
const STEP: u64 = 10;

pub(super) async fn run(sandbox: bool, what: Option<Models>, json: bool) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    let result = run_command(&operations, what.unwrap_or(Models::List), json).await;
    operations.close().await;
    result.map(|()| ExitCode::SUCCESS)
}

async fn run_command(operations: &Operations, what: Models, as_json: bool) -> Result<()> {
    match what {
        Models::List => {
            let view = operations.request::<LocalModelsView>("local_models", json!({})).await?;
            if as_json {
                return output::json(&view);
            }
            list(&view);
            Ok(())
        }
        Models::Get { ids } => get(operations, &ids, as_json).await,
        Models::Remove { id } => change(operations, "delete_model", &id, as_json, "Removed.").await,
        Models::Pause { id } => change(operations, "pause_model", &id, as_json, "Paused.").await,
        Models::Cancel { id } => change(operations, "cancel_model", &id, as_json, "Cancelled.").await,
        Models::Use { id, service } => prefer(operations, &id, service, as_json).await,
    }
}

/// Calls an operation on one model.
async fn change(operations: &Operations, name: &str, id: &str, as_json: bool, done: &str) -> Result<()> {
    let view = operations.request::<LocalModelsView>(name, json!({ "id": id })).await?;
    if as_json {
        return output::json(&view);
    }
    output::print(done);
    Ok(())
}

/// Prefers a model for a service, or for each that it provides.
async fn prefer(operations: &Operations, id: &str, service: Option<Service>, as_json: bool) -> Result<()> {
    let view = operations.request::<LocalModelsView>("local_models", json!({})).await?;
    let services = match service {
        Some(service) => vec![service],
        None => find(&view, id)?.services.clone(),
    };
    let mut last = view;
    for service in &services {
        last = operations.request("use_model", json!({ "id": id, "service": service })).await?;
    }
    if as_json {
        return output::json(&last);
    }
    let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
    output::print(format!("Among the models on this computer, {id} is now preferred for {}.", names.join(" and ")));
    Ok(())
}

/// Downloads models and shows how it goes.
async fn get(operations: &Operations, ids: &[String], as_json: bool) -> Result<()> {
    for id in ids {
        operations.call("download_model", json!({ "id": id })).await?;
    }
    let mut shown = Shown::new(ids.len(), as_json);
    let view = tokio::select! {
        view = follow(operations, ids, &mut shown) => view?,
        () = aura_server::shutdown_signal() => {
            shown.end_line();
            for id in ids {
                // One that is installed already, or has not begun, has nothing to pause.
                let _ = operations.call("pause_model", json!({ "id": id })).await;
            }
            let message = format!("Stopped. Run `aura models get {}` again to go on.", ids.join(" "));
            return Err(Error::new(ErrorCode::Cancelled, message));
        }
    };
    shown.end_line();
    let asked: Vec<&LocalModelView> = view.models.iter().filter(|model| ids.contains(&model.id)).collect();
    if as_json {
        output::json(&asked)?;
    }
    for model in asked {
        match &model.state {
            LocalModelState::Paused { error: Some(error), .. } | LocalModelState::Failed { error } => {
                return Err(error.clone());
            }
            LocalModelState::Installed if !as_json => output::print(format!("{} is installed.", model.label)),
            LocalModelState::Installed => {}
            _ => return Err(Error::new(ErrorCode::Cancelled, format!("{} was paused or cancelled.", model.label))),
        }
    }
    Ok(())
}

/// Looks at downloads until none of them is under way.
async fn follow(operations: &Operations, ids: &[String], shown: &mut Shown) -> Result<LocalModelsView> {
    loop {
        let view = operations.request::<LocalModelsView>("local_models", json!({})).await?;
        let mut is_under_way = false;
        for (index, id) in ids.iter().enumerate() {
            let Some(model) = view.models.iter().find(|model| model.id == *id) else { continue };
            match &model.state {
                LocalModelState::Downloading { done_bytes, total_bytes, bytes_per_second } => {
                    is_under_way = true;
                    shown.progress(index, id, *done_bytes, *total_bytes, *bytes_per_second);
                }
                LocalModelState::Checking => {
                    is_under_way = true;
                    shown.checking(index, id);
                }
                _ => {}
            }
        }
        if !is_under_way {
            return Ok(view);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn find<'a>(view: &'a LocalModelsView, id: &str) -> Result<&'a LocalModelView> {
    view.models
        .iter()
        .find(|model| model.id == id)
        .ok_or_else(|| Error::new(ErrorCode::NotFound, format!("There is no model `{id}`. `aura models` lists them.")))
}

/// What was last shown of each download: a line that changes on a terminal, else a line at each step, on standard error.
struct Shown {
    is_terminal: bool,
    is_silent: bool,
    /// The last step of each download.
    steps: Vec<Option<u64>>,
    /// The length of the line on the terminal.
    length: usize,
}

impl Shown {
    fn new(downloads: usize, is_silent: bool) -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), is_silent, steps: vec![None; downloads], length: 0 }
    }

    fn progress(&mut self, index: usize, id: &str, done: u64, total: u64, speed: u64) {
        let percent = percent(done, total).unwrap_or(0);
        let of = if total == 0 { String::new() } else { format!(" of {}", format_bytes(total)) };
        let line = if self.is_terminal {
            const WIDTH: u64 = 30;
            let filled = (percent * WIDTH / 100) as usize;
            let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH as usize - filled));
            format!("{id} [{bar}] {percent:>3} %  {}{of}  {}/s", format_bytes(done), format_bytes(speed))
        } else {
            format!("{id}: {percent} %, {}{of}", format_bytes(done))
        };
        self.show(index, percent / STEP, line);
    }

    fn checking(&mut self, index: usize, id: &str) {
        self.show(index, 100, format!("{id}: checking"));
    }

    fn show(&mut self, index: usize, step: u64, line: String) {
        let is_new = self.steps.get(index).is_some_and(|last| *last != Some(step));
        if self.is_silent || (!self.is_terminal && !is_new) {
            return;
        }
        if let Some(last) = self.steps.get_mut(index) {
            *last = Some(step);
        }
        let mut out = std::io::stderr().lock();
        // The download goes on when the terminal is closed.
        let _ = if self.is_terminal {
            let width = self.length;
            self.length = line.chars().count();
            write!(out, "\r{line:width$}").and_then(|()| out.flush())
        } else {
            writeln!(out, "{line}")
        };
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.length) > 0 {
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn list(view: &LocalModelsView) {
    let rows: Vec<_> = view
        .models
        .iter()
        .map(|model| {
            let services: Vec<&str> = model.services.iter().map(|service| service.as_str()).collect();
            [
                model.id.clone(),
                state(model),
                services.join(" "),
                languages(&model.languages),
                if model.size_bytes == 0 { "unknown".into() } else { format_bytes(model.size_bytes) },
                fits(model.fits).into(),
                model.license.clone(),
            ]
        })
        .collect();
    let headings = ["model", "status", "services", "languages", "size", "fits", "licence"];
    table::print(headings, &rows, "There are no models for this computer.");
    output::print(format!(
        "\n{} used, {} free in {}.",
        format_bytes(view.disk_used),
        format_bytes(view.disk_free),
        view.folder.display()
    ));
    let missing: Vec<&str> = view
        .suggested
        .iter()
        .filter(|id| view.models.iter().any(|model| model.id == **id && model.state == LocalModelState::Available))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        output::print(format!("Suggested for this computer: {}", missing.join(" ")));
    }
}

fn state(model: &LocalModelView) -> String {
    match &model.state {
        LocalModelState::Available => "-".into(),
        LocalModelState::Downloading { done_bytes, total_bytes, .. } => part("downloading", *done_bytes, *total_bytes),
        LocalModelState::Paused { done_bytes, total_bytes, .. } => part("paused", *done_bytes, *total_bytes),
        LocalModelState::Checking => "checking".into(),
        LocalModelState::Installed if model.used_for.is_empty() => "installed".into(),
        LocalModelState::Installed => {
            let services: Vec<&str> = model.used_for.iter().map(|service| service.as_str()).collect();
            format!("used for {}", services.join(" "))
        }
        LocalModelState::Failed { .. } => "failed".into(),
    }
}

fn part(word: &str, done: u64, total: u64) -> String {
    percent(done, total).map_or_else(|| word.into(), |percent| format!("{word} {percent} %"))
}

/// How much of a download has arrived, 0 to 100; `None` while its size is not known.
fn percent(done: u64, total: u64) -> Option<u64> {
    Some(done.saturating_mul(100).checked_div(total)?.min(100))
}

fn languages(codes: &[String]) -> String {
    match codes {
        [] => "many".into(),
        codes if codes.len() > 4 => format!("{} languages", codes.len()),
        codes => codes.join(" "),
    }
}

fn fits(fits: Fits) -> &'static str {
    match fits {
        Fits::Yes => "yes",
        Fits::Tight => "tight",
        Fits::No => "no",
    }
}
