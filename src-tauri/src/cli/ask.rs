//! `aura ask`: a typed question.

use std::process::ExitCode;

use aura_core::api::{self, Speech};
use aura_core::error::Result;

use super::stopped::until_stopped;
use super::{args, conversations, output};
use crate::bootstrap::bootstrap;

pub(super) async fn run(sandbox: bool, ask: args::Ask) -> Result<ExitCode> {
    let bootstrap = bootstrap(sandbox).await?;
    bootstrap.assistant.start_background().await;
    conversations::enter(&bootstrap.assistant, &ask.conversation).await?;
    let speech = match (ask.speak, ask.json) {
        (true, _) => Speech::Aloud,
        (false, true) => Speech::File,
        (false, false) => Speech::None,
    };
    let request = api::Ask {
        text: ask.text,
        session: None,
        image: ask.image,
        picture: None,
        // The screen setting applies to the app; here only --screen counts.
        screen: Some(ask.screen),
        persona: ask.persona,
        speech,
        overrides: ask.routes.into(),
    };
    let record = until_stopped(&bootstrap.assistant, api::ask(&bootstrap.assistant, request)).await?;
    bootstrap.assistant.close().await;
    output::turn(&record, ask.json)
}
