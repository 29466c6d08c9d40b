//! `aura listen`: one spoken question, from the microphone or a file.

use std::process::ExitCode;
use std::time::Duration;

use aura_core::Assistant;
use aura_core::api::{self, Nothing, Press, Speech};
use aura_core::error::{Error, Result};
use aura_core::event::Event;
use aura_core::record::TurnRecord;
use serde_json::json;
use tokio::sync::broadcast;

use super::stopped::until_stopped;
use super::{args, conversations, output};
use crate::bootstrap::bootstrap;

pub(super) async fn run(sandbox: bool, listen: args::Listen) -> Result<ExitCode> {
    let bootstrap = bootstrap(sandbox).await?;
    bootstrap.assistant.start_background().await;
    conversations::enter(&bootstrap.assistant, &listen.conversation).await?;
    let speech = if listen.quiet { Speech::File } else { Speech::Aloud };
    let record = match listen.audio {
        Some(audio) => {
            let request = api::Listen {
                audio,
                session: None,
                screen: Some(listen.screen),
                speech,
                overrides: listen.routes.into(),
            };
            until_stopped(&bootstrap.assistant, api::listen(&bootstrap.assistant, request)).await?
        }
        None => {
            let press =
                Press { screen: Some(listen.screen), speech, overrides: listen.routes.into(), ..Press::default() };
            until_stopped(&bootstrap.assistant, record(&bootstrap.assistant, press, listen.seconds)).await?
        }
    };
    bootstrap.assistant.close().await;
    if !listen.json && !record.transcript.is_empty() {
        eprintln!("transcript: {}", record.transcript);
    }
    output::turn(&record, listen.json)
}

/// Records for `seconds`, or until the user presses Enter, then waits for the end of the turn.
async fn record(assistant: &Assistant, press: Press, seconds: Option<u32>) -> Result<TurnRecord> {
    let mut events = assistant.subscribe();
    api::press(assistant, press).await?;
    match next(&mut events, |event| matches!(event, Event::Recording { .. } | Event::Done { .. })).await? {
        Event::Done { record } => return Ok(*record),
        _ => match seconds {
            Some(seconds) => eprintln!("Recording for {seconds} s. Speak now."),
            None => eprintln!("Recording. Speak now, then press Enter."),
        },
    }
    let stop = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds.into())).await,
            None => drop(tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await),
        }
    };
    let done = |event: &Event| matches!(event, Event::Done { .. });
    let ended = tokio::select! {
        // The microphone was lost, or the recording reached its longest duration.
        ended = next(&mut events, done) => Some(ended?),
        () = stop => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // A release of the push-to-talk key would have a different effect in each of its modes.
            api::finish(assistant, Nothing {}).await?;
            next(&mut events, done).await?
        }
    };
    match ended {
        Event::Done { record } => Ok(*record),
        other => Err(Error::internal(json!(other))),
    }
}

async fn next(events: &mut broadcast::Receiver<Event>, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
    loop {
        match events.recv().await {
            Ok(event) if wanted(&event) => return Ok(event),
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
}
