//! Operations that use a device outside a turn: screenshot preview, microphone meter, and replay of an answer.

use std::time::Duration;

use aura_audio::meter as level;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Look, Meter, Nothing, Preview};
use crate::assistant::Assistant;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::ports::TurnFilter;

/// The least time between two level events: about 30 per second.
const LEVEL_INTERVAL: Duration = Duration::from_millis(34);

pub(super) async fn look(assistant: &Assistant, request: Look) -> Result<Preview> {
    let target = request.target.unwrap_or_else(|| assistant.config().settings.screen.target.clone());
    let screenshot = assistant.ports().screen.capture(&target).await?;
    Ok(Preview {
        bytes: u32::try_from(screenshot.jpeg.len()).unwrap_or(u32::MAX),
        jpeg: BASE64.encode(&screenshot.jpeg),
        width: screenshot.width,
        height: screenshot.height,
        area: screenshot.area,
    })
}

pub(super) async fn meter(assistant: &Assistant, request: Meter) -> Result<Nothing> {
    let seconds = if request.seconds == 0 { 10 } else { request.seconds.min(60) };
    let device = request.microphone.or_else(|| assistant.config().settings.listening.microphone.clone());
    let stop = assistant.claim_devices();
    let mut recording = assistant.ports().microphone.record(device.as_deref()).await?;
    let began = tokio::time::Instant::now();
    let mut level_sent = began;
    let listen = async {
        let mut samples = Vec::new();
        while let Some(block) = recording.next().await {
            samples.extend(block?);
            if level_sent.elapsed() >= LEVEL_INTERVAL {
                level_sent = tokio::time::Instant::now();
                let elapsed_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
                assistant.send(Event::Level { level: level(&samples), elapsed_ms });
                samples.clear();
            }
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        ended = listen => ended?,
        () = tokio::time::sleep(Duration::from_secs(seconds.into())) => {}
        () = stop.cancelled() => {}
    }
    Ok(Nothing {})
}

/// The turns among which the last answer is looked for.
const LAST_TURNS: u32 = 20;

pub(super) async fn repeat(assistant: &Assistant) -> Result<Nothing> {
    let filter = TurnFilter { session: None, words: None, before: None, limit: LAST_TURNS };
    let turns = assistant.ports().history.find(&filter).await?;
    let last = turns.iter().find(|turn| turn.answer_audio.is_some());
    let last = last.ok_or_else(|| Error::new(ErrorCode::NotFound, "There is no spoken answer to repeat."))?;
    replay(assistant, &last.id).await
}

pub(super) async fn replay(assistant: &Assistant, id: &str) -> Result<Nothing> {
    let not_found = |message: &str| Error::new(ErrorCode::NotFound, message);
    // Claimed before the file is read: a question asked meanwhile ends the replay too.
    let stop = assistant.claim_devices();
    let turn = assistant.ports().history.get(id).await?;
    let turn = turn.ok_or_else(|| not_found("This turn is no longer in the history."))?;
    let file = match (&turn.answer_audio, turn.recordings_deleted) {
        (Some(path), _) => crate::recordings::read(path).await,
        (None, Some(reason)) => return Err(not_found(&reason.message())),
        (None, None) => None,
    };
    let file = file.ok_or_else(|| not_found("The audio of this answer was not saved."))?;
    let speaker = assistant.ports().speaker.clone();
    let pcm = tokio::task::spawn_blocking(move || aura_audio::decode(file.into())).await.map_err(Error::internal)??;
    let config = assistant.config();
    let speaking = &config.settings.speaking;
    let (output, _) = speaker.open_or_default(speaking.speaker.as_deref()).await?;
    let mut samples = aura_audio::resample(&pcm.samples, pcm.rate, output.rate());
    samples.iter_mut().for_each(|sample| *sample *= speaking.volume());
    if stop.is_cancelled() {
        return Ok(Nothing {});
    }
    output.begin();
    let play = async {
        output.write(&samples).await?;
        output.drained().await
    };
    tokio::select! {
        played = play => played?,
        () = stop.cancelled() => output.stop(),
    }
    Ok(Nothing {})
}
