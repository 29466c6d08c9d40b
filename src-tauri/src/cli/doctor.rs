//! `aura doctor`: what works on this machine.

use std::process::ExitCode;

use aura_core::api::{self, Nothing};
use aura_core::error::Result;

use super::output;
use crate::compose::compose;

pub(super) async fn run(sandbox: bool, json: bool) -> Result<ExitCode> {
    let composed = compose(sandbox).await?;
    composed.assistant.load_keys().await;
    let findings = api::doctor(&composed.assistant, Nothing {}).await?;
    if json {
        output::json(&findings)?;
    } else {
        for finding in &findings {
            output::say(format!("{} {}: {}", if finding.ok { "ok  " } else { "--  " }, finding.area, finding.message));
            if let Some(remedy) = &finding.remedy {
                output::say(format!("     {remedy}"));
            }
        }
    }
    // That something is missing is a finding, not a failure.
    Ok(ExitCode::SUCCESS)
}
