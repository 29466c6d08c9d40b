//! `aura ask`: a typed question.

use std::process::ExitCode;

use aura_core::api::{self, Speech};
use aura_core::error::Result;

use super::{args, output};
use crate::compose::compose;

pub(super) async fn run(sandbox: bool, ask: args::Ask) -> Result<ExitCode> {
    let composed = compose(sandbox).await?;
    composed.assistant.load_keys().await;
    let speech = match (ask.speak, ask.json) {
        (true, _) => Speech::Aloud,
        (false, true) => Speech::File,
        (false, false) => Speech::None,
    };
    let request = api::Ask {
        text: ask.text,
        session: None,
        image: ask.image,
        // What the settings say of the screen is meant for the app; here it is asked for by name.
        screen: Some(ask.screen),
        speech,
        wishes: ask.routes.into(),
    };
    let record = api::ask(&composed.assistant, request).await?;
    composed.assistant.close().await;
    output::turn(&record, ask.json)
}
