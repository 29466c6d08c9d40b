//! `aura listen`: one spoken turn, from the microphone or from a file.

use std::process::ExitCode;
use std::time::Duration;

use aura_core::Assistant;
use aura_core::api::{self, Nothing, Press, Speech};
use aura_core::error::{Error, Result};
use aura_core::event::Event;
use aura_core::record::TurnRecord;
use serde_json::json;
use tokio::sync::broadcast;

use super::{args, output};
use crate::compose::compose;

pub(super) async fn run(sandbox: bool, listen: args::Listen) -> Result<ExitCode> {
    let composed = compose(sandbox).await?;
    composed.assistant.load_keys().await;
    let speech = if listen.quiet { Speech::File } else { Speech::Aloud };
    let record = match listen.audio {
        Some(audio) => {
            let request =
                api::Listen { audio, session: None, screen: Some(listen.screen), speech, wishes: listen.routes.into() };
            api::listen(&composed.assistant, request).await?
        }
        None => {
            let press = Press { screen: Some(listen.screen), speech, wishes: listen.routes.into() };
            speak(&composed.assistant, press, listen.seconds).await?
        }
    };
    composed.assistant.close().await;
    if !listen.json && !record.transcript.is_empty() {
        eprintln!("heard: {}", record.transcript);
    }
    output::turn(&record, listen.json)
}

/// Records until the time is over or Enter is typed, then waits for the end of the turn.
async fn speak(assistant: &Assistant, press: Press, seconds: Option<u32>) -> Result<TurnRecord> {
    let mut events = assistant.subscribe();
    api::press(assistant, press).await?;
    match next(&mut events, |event| matches!(event, Event::Recording { .. } | Event::Done { .. })).await? {
        Event::Done { record } => return Ok(*record),
        _ => match seconds {
            Some(seconds) => eprintln!("Speak now; I listen for {seconds} s."),
            None => eprintln!("Speak now; press Enter when you are done."),
        },
    }
    let enough = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds.into())).await,
            None => drop(tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await),
        }
    };
    let done = |event: &Event| matches!(event, Event::Done { .. });
    let ended = tokio::select! {
        // The microphone went away, or the longest recording was reached.
        ended = next(&mut events, done) => Some(ended?),
        () = enough => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // Not a release of the talk key, which means something else with each of its modes.
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
