//! `aura doctor`: the system check.

use std::process::ExitCode;

use aura_core::api::{self, Nothing};
use aura_core::error::Result;

use super::output;
use crate::bootstrap::bootstrap;

pub(super) async fn run(sandbox: bool, json: bool) -> Result<ExitCode> {
    let bootstrap = bootstrap(sandbox).await?;
    bootstrap.assistant.start_background().await;
    let results = api::doctor(&bootstrap.assistant, Nothing {}).await?;
    if json {
        output::json(&results)?;
    } else {
        for result in &results {
            output::print(format!("{} {}: {}", if result.ok { "ok  " } else { "--  " }, result.area, result.message));
            if let Some(remedy) = &result.remedy {
                output::print(format!("     {remedy}"));
            }
        }
    }
    // A problem that was found is not a failure of this command.
    Ok(ExitCode::SUCCESS)
}
