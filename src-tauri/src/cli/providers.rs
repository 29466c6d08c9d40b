//! `aura providers`: health, models, voices, switching and tests.

use std::process::ExitCode;

use aura_core::api::{ModelView, Snapshot, TestResult, VoiceView};
use aura_core::error::{Error, Result};
use aura_router::health::{CircuitState, HealthReport, ServiceHealth, Status};
use aura_router::{Cost, CostBasis, UsageReport};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::json;

use super::args::Providers;
use super::{Operations, output, table};

pub(super) async fn run(sandbox: bool, what: Option<Providers>, json: bool) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    let result = run_command(&operations, what, json).await;
    operations.close().await;
    result.map(|()| ExitCode::SUCCESS)
}

async fn run_command(operations: &Operations, what: Option<Providers>, as_json: bool) -> Result<()> {
    match what {
        None => show(as_json, &operations.request::<Snapshot>("snapshot", json!({})).await?, overview),
        Some(Providers::Health) => {
            operations.refresh_model_lists().await;
            let report: HealthReport = operations.request("health", json!({})).await?;
            let usage: UsageReport = operations.request("usage", json!({})).await?;
            show(as_json, &report, |report| health(report, &usage))
        }
        Some(Providers::Models { service, provider }) => {
            operations.refresh_model_lists().await;
            let query = json!({ "service": service, "provider": provider });
            show(as_json, &operations.request::<Vec<ModelView>>("models", query).await?, |list| models(list))
        }
        Some(Providers::Voices { provider }) => {
            let query = json!({ "provider": provider });
            show(as_json, &operations.request::<Vec<VoiceView>>("voices", query).await?, |list| voices(list))
        }
        Some(Providers::Switch { service, provider, model, voice }) => {
            let request = json!({ "service": service, "provider": provider, "model": model, "voice": voice });
            let snapshot: Snapshot = operations.request("switch", request).await?;
            let current = snapshot.routes.iter().find(|view| view.service == service);
            show(as_json, &current, |current| match current.and_then(|view| view.routes.first()) {
                Some(route) if route.provider == provider => {
                    output::print(format!("{} now uses {} ({}).", service.as_str(), route.provider, route.model));
                }
                _ => output::print(format!(
                    "{} is set to {provider}, which is not ready yet. Run `aura doctor` to see why.",
                    service.as_str()
                )),
            })?;
            let of_service = format!("routes.{}.", service.as_str());
            for overruled in snapshot.overruled.iter().filter(|overruled| overruled.setting.starts_with(&of_service)) {
                eprintln!("note: {}", overruled.message());
            }
            Ok(())
        }
        Some(Providers::Test { service, provider, model, voice, text, file, aloud }) => {
            let input = match file {
                Some(path) => {
                    let bytes = tokio::fs::read(&path).await.map_err(|cause| {
                        Error::invalid(format!(
                            "The file {} cannot be read. Check its path and permissions.",
                            path.display()
                        ))
                        .because(cause)
                    })?;
                    Some(BASE64.encode(bytes))
                }
                None => text,
            };
            let request = json!({
                "service": service, "provider": provider, "model": model, "voice": voice, "input": input, "aloud": aloud,
            });
            show(as_json, &operations.request::<TestResult>("test", request).await?, test_result)
        }
    }
}

fn show<T: Serialize>(as_json: bool, value: &T, as_text: impl FnOnce(&T)) -> Result<()> {
    if as_json {
        return output::json(value);
    }
    as_text(value);
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
    table::print(["provider", "status", "services", "default for"], &rows, "No providers are configured.");
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
        for service in &provider.services {
            let today =
                usage.lines.iter().find(|line| line.provider == provider.name && line.service == service.service);
            rows.push([
                provider.name.clone(),
                service.service.as_str().into(),
                status_name(service.status).into(),
                latency(service),
                service.success_rate.map(|rate| format!("{:.0} %", rate * 100.0)).unwrap_or_default(),
                today.map(|line| format!("${:.4}", line.today.usd)).unwrap_or_default(),
                reason(service),
            ]);
        }
    }
    let headings = ["provider", "service", "status", "p50 / p95", "success", "today", "reason"];
    table::print(headings, &rows, "No providers are configured.");
    for fallback in &report.fallbacks {
        let to = fallback.to.as_ref().map_or("no provider", |route| route.provider.as_str());
        let at = fallback.at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
        let (service, from) = (fallback.service.as_str(), &fallback.from.provider);
        output::print(format!("{at} {service}: {to} replaced {from}: {}", fallback.message));
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Healthy => "healthy",
        Status::Degraded => "degraded",
        Status::Unhealthy => "unhealthy",
        Status::Unavailable => "unavailable",
    }
}

fn latency(health: &ServiceHealth) -> String {
    match (health.p50_ms, health.p95_ms) {
        (Some(p50), Some(p95)) => format!("{p50} / {p95} ms"),
        _ => "no calls yet".into(),
    }
}

fn reason(health: &ServiceHealth) -> String {
    let why = health.reason.clone().unwrap_or_default();
    match (health.circuit, health.cooldown_until) {
        (CircuitState::Open, Some(until)) => {
            let left = until.duration_since(jiff::Timestamp::now()).as_secs().max(0);
            format!("{why} Next try in {left} s.").trim_start().to_owned()
        }
        _ => why,
    }
}

fn models(models: &[ModelView]) {
    let rows: Vec<_> = models
        .iter()
        .map(|model| {
            let price = model.price.as_ref().map(|price| match price.output {
                Some(output) => format!("${} / ${output} per {}", price.input, price.unit),
                None => format!("${} per {}", price.input, price.unit),
            });
            let notes = [
                model.problem.clone(),
                model.retired_on.map(|on| format!("shuts down on {on}")),
                model.replaced_by.clone().map(|by| format!("replaced by {by}")),
                model.note.clone(),
            ];
            [
                model.provider.clone(),
                model.name.clone(),
                list(model.services.iter().map(|service| service.as_str())),
                model.context.map(|tokens| format!("{}k", tokens / 1_000)).unwrap_or_default(),
                price.unwrap_or_default(),
                notes.into_iter().flatten().collect::<Vec<_>>().join("; "),
            ]
        })
        .collect();
    let headings = ["provider", "model", "services", "context", "price", "notes"];
    table::print(headings, &rows, "No models found. Add an API key or a server first.");
}

fn voices(voices: &[VoiceView]) {
    let rows: Vec<_> = voices
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
    table::print(
        ["provider", "voice", "model", "language", "gender"],
        &rows,
        "No voices found. Add an API key or a server first.",
    );
}

fn test_result(result: &TestResult) {
    output::print(&result.result);
    let first = result.first_ms.map(|ms| format!(" (first output after {ms} ms)")).unwrap_or_default();
    eprintln!(
        "{} ({}) answered in {} ms{first}. Cost: {}.",
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
        (Some(usd), CostBasis::Estimated) => format!("about ${usd:.6} (estimated)"),
        (Some(usd), _) => format!("${usd:.6}"),
        (None, _) => "unknown".into(),
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}
