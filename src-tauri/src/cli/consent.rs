//! `aura consent`: shows and answers what the running app asks before it acts.

use std::process::ExitCode;

use aura_core::api::{AnswerConsent, AnsweredBy, ConsentRequest, Snapshot};
use aura_core::error::{Error, Result};
use serde_json::json;

use super::{args, output};
use crate::{bootstrap, instance_socket};

pub(super) async fn run(answer: Option<args::ConsentAnswer>, as_json: bool) -> Result<ExitCode> {
    let data = bootstrap::paths()?.data;
    let snapshot = instance_socket::call(&data, "snapshot", json!({})).await?;
    let snapshot: Snapshot = serde_json::from_value(snapshot).map_err(Error::internal)?;
    let Some(request) = snapshot.consent else {
        match as_json {
            true => output::json(&None::<ConsentRequest>)?,
            false => output::print("AURA asks nothing now."),
        }
        // A script that wants to answer learns that there was nothing to answer.
        return Ok(if answer.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    };
    match as_json {
        true => output::json(&request)?,
        false => output::print(describe(&request)?),
    }
    if let Some(answer) = answer {
        // With its ID, so that the answer is to the question that was shown, and to no other.
        let answer = AnswerConsent { id: request.id, answer: answer.into(), by: AnsweredBy::CommandLine };
        let answer = serde_json::to_value(answer).map_err(Error::internal)?;
        instance_socket::call(&data, "answer_consent", answer).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The question, and exactly what would be done.
fn describe(request: &ConsentRequest) -> Result<String> {
    let action = serde_json::to_string_pretty(&request.action).map_err(Error::internal)?;
    let warning = match request.may_remember {
        true => "",
        false => "\nAURA has read text that is not yours. It may be behind this.",
    };
    Ok(format!("{}\n{action}{warning}", request.sentence))
}
