//! `aura providers`: how they are, what they offer, which one is the default.

use std::process::ExitCode;

use aura_core::api::{ModelView, Snapshot, TestResult, VoiceView};
use aura_core::error::{Error, Result};
use aura_core::health::{Circuit, HealthReport, ServiceHealth, Status};
use aura_core::usage::{Basis, Cost, UsageReport};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::args::Providers;
use super::{Operations, output, table};

pub(super) async fn run(sandbox: bool, what: Option<Providers>, json: bool) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    let done = answer(&operations, what, json).await;
    operations.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn answer(operations: &Operations, what: Option<Providers>, as_json: bool) -> Result<()> {
    match what {
        None => show(as_json, &operations.ask::<Snapshot>("snapshot", json!({})).await?, overview),
        Some(Providers::Health) => {
            operations.ask_providers().await;
            let report: HealthReport = operations.ask("health", json!({})).await?;
            let usage: UsageReport = operations.ask("usage", json!({})).await?;
            show(as_json, &report, |report| health(report, &usage))
        }
        Some(Providers::Models { service, provider }) => {
            operations.ask_providers().await;
            let query = json!({ "service": service, "provider": provider });
            show(as_json, &operations.ask::<Vec<ModelView>>("models", query).await?, |list| models(list))
        }
        Some(Providers::Voices { provider }) => {
            let query = json!({ "provider": provider });
            show(as_json, &operations.ask::<Vec<VoiceView>>("voices", query).await?, |list| voices(list))
        }
        Some(Providers::Switch { service, provider, model, voice }) => {
            let request = json!({ "service": service, "provider": provider, "model": model, "voice": voice });
            let snapshot: Snapshot = operations.ask("switch", request).await?;
            let now = snapshot.routes.iter().find(|view| view.service == service);
            show(as_json, &now, |now| match now.and_then(|view| view.routes.first()) {
                Some(route) if route.provider == provider => {
                    output::say(format!("{} is now done by {} ({}).", service.as_str(), route.provider, route.model));
                }
                _ => output::say(format!(
                    "{} is set to {provider}, which is not ready yet: see `aura doctor`.",
                    service.as_str()
                )),
            })
        }
        Some(Providers::Test { service, provider, model, voice, text, file, aloud }) => {
            let input = match file {
                Some(path) => {
                    let bytes = tokio::fs::read(&path).await.map_err(|cause| {
                        Error::invalid(format!("The file {} cannot be read.", path.display())).because(cause)
                    })?;
                    Some(BASE64.encode(bytes))
                }
                None => text,
            };
            let request = json!({
                "service": service, "provider": provider, "model": model, "voice": voice, "input": input, "aloud": aloud,
            });
            show(as_json, &operations.ask::<TestResult>("test", request).await?, tested)
        }
    }
}

fn show<T: Serialize>(as_json: bool, value: &T, plainly: impl FnOnce(&T)) -> Result<()> {
    if as_json {
        return output::json(value);
    }
    plainly(value);
    Ok(())
}

fn overview(snapshot: &Snapshot) {
    let default_for = |name: &str| {
        let first = |view: &&aura_core::api::RouteView| view.routes.first().is_some_and(|route| route.provider == name);
        list(snapshot.routes.iter().filter(first).map(|view| view.service.as_str()))
    };
    let rows: Vec<_> = snapshot
        .providers
        .iter()
        .map(|provider| {
            [
                provider.name.clone(),
                provider.problem.clone().unwrap_or_else(|| "ready".into()),
                list(provider.services.iter().map(|service| service.as_str())),
                default_for(&provider.name),
            ]
        })
        .collect();
    table::print(["provider", "state", "offers", "default for"], &rows, "There are no providers.");
}

fn health(report: &HealthReport, usage: &UsageReport) {
    let mut rows = Vec::new();
    for provider in &report.providers {
        if provider.status == Status::Unavailable {
            let why = provider.reason.clone().unwrap_or_default();
            rows.push([
                provider.name.clone(),
                "all".into(),
                "unavailable".into(),
                "".into(),
                "".into(),
                "".into(),
                why,
            ]);
            continue;
        }
        for of in &provider.services {
            let today = usage.lines.iter().find(|line| line.provider == provider.name && line.service == of.service);
            rows.push([
                provider.name.clone(),
                of.service.as_str().into(),
                word(of.status).into(),
                figures(of),
                of.success_rate.map(|rate| format!("{:.0} %", rate * 100.0)).unwrap_or_default(),
                today.map(|line| format!("${:.4}", line.today.usd)).unwrap_or_default(),
                reason(of),
            ]);
        }
    }
    let headings = ["provider", "service", "state", "p50 / p95", "answered", "today", "why"];
    table::print(headings, &rows, "There are no providers.");
    for fallback in &report.fallbacks {
        let to = fallback.to.as_ref().map_or("nobody", |route| route.provider.as_str());
        let at = fallback.at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
        let (service, from) = (fallback.service.as_str(), &fallback.from.provider);
        output::say(format!("{at} {service}: {to} answered for {from}: {}", fallback.message));
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Healthy => "healthy",
        Status::Degraded => "degraded",
        Status::Unhealthy => "unhealthy",
        Status::Unavailable => "unavailable",
    }
}

fn figures(of: &ServiceHealth) -> String {
    match (of.p50_ms, of.p95_ms) {
        (Some(p50), Some(p95)) => format!("{p50} / {p95} ms"),
        _ => "no calls yet".into(),
    }
}

fn reason(of: &ServiceHealth) -> String {
    let why = of.reason.clone().unwrap_or_default();
    match (of.circuit, of.cooldown_until) {
        (Circuit::Open, Some(until)) => {
            let left = until.duration_since(jiff::Timestamp::now()).as_secs().max(0);
            format!("{why} Left alone for {left} s.").trim_start().to_owned()
        }
        _ => why,
    }
}

fn models(list_of: &[ModelView]) {
    let rows: Vec<_> = list_of
        .iter()
        .map(|model| {
            let price = model.price.as_ref().map(|price| match price.output {
                Some(output) => format!("${} / ${output} per {}", price.input, price.unit),
                None => format!("${} per {}", price.input, price.unit),
            });
            let remarks = [
                model.problem.clone(),
                model.retired_on.map(|on| format!("switched off on {on}")),
                model.replaced_by.clone().map(|by| format!("then {by}")),
                model.note.clone(),
            ];
            [
                model.provider.clone(),
                model.name.clone(),
                list(model.services.iter().map(|service| service.as_str())),
                model.context.map(|tokens| format!("{}k", tokens / 1_000)).unwrap_or_default(),
                price.unwrap_or_default(),
                remarks.into_iter().flatten().collect::<Vec<_>>().join("; "),
            ]
        })
        .collect();
    let headings = ["provider", "model", "services", "context", "price", "remarks"];
    table::print(headings, &rows, "No models are known. Add a key or a server first.");
}

fn voices(list_of: &[VoiceView]) {
    let rows: Vec<_> = list_of
        .iter()
        .map(|voice| {
            [
                voice.provider.clone(),
                voice.name.clone(),
                voice.model.clone(),
                voice.language.clone().unwrap_or_default(),
                voice.gender.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table::print(["provider", "voice", "model", "language", "gender"], &rows, "No voices are known.");
}

fn tested(result: &TestResult) {
    output::say(&result.result);
    let first = result.first_ms.map(|ms| format!(", the first of it after {ms} ms")).unwrap_or_default();
    eprintln!(
        "{} ({}) answered in {} ms{first}; {}.",
        result.route.provider,
        result.route.model,
        result.latency_ms,
        cost(result.cost)
    );
    for notice in &result.notices {
        eprintln!("note: {}", notice.message);
    }
}

fn cost(cost: Cost) -> String {
    match (cost.usd, cost.basis) {
        (Some(usd), Basis::Estimated) => format!("about ${usd:.6}, estimated"),
        (Some(usd), _) => format!("${usd:.6}"),
        (None, _) => "its cost is not known".into(),
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

impl Operations {
    /// An operation with its answer in its own type.
    async fn ask<T: DeserializeOwned>(&self, name: &str, request: Value) -> Result<T> {
        serde_json::from_value(self.call(name, request).await?).map_err(Error::internal)
    }
}
