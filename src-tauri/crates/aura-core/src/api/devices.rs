//! Operations on devices outside a turn: their list, screenshot preview and microphone meter.

use std::time::Duration;

use aura_audio::meter as level;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Devices, Look, Meter, Nothing, Preview};
use crate::assistant::Assistant;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;

/// The least time between two level events: about 30 per second.
const LEVEL_INTERVAL: Duration = Duration::from_millis(34);

pub(super) async fn list(assistant: &Assistant) -> Result<Devices> {
    let ports = assistant.ports();
    let (microphones, speakers, screens, can_lower_sound) = tokio::join!(
        ports.microphone.devices(),
        ports.speaker.devices(),
        ports.screen.targets(),
        ports.other_sound.can_be_lowered()
    );
    Ok(Devices {
        microphones: microphones.unwrap_or_default(),
        speakers: speakers.unwrap_or_default(),
        screens: screens.unwrap_or_default(),
        can_lower_sound,
    })
}

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
    let named = request.microphone.map(|named| vec![named]);
    let may_be_replaced = named.is_none();
    let order = named.unwrap_or_else(|| assistant.config().settings.listening.microphones());
    let stop = assistant.claim_devices();
    let mut recording = assistant.ports().microphone.record(&order).await?;
    let began = tokio::time::Instant::now();
    let mut level_sent = began;
    let listen = async {
        let mut samples = Vec::new();
        while let Some(block) = recording.next().await {
            samples.extend(block?);
            if !may_be_replaced && recording.take_replacement().is_some() {
                let message = "This microphone is not connected. Connect it, or choose another one in Settings.";
                return Err(Error::new(ErrorCode::NoMicrophone, message));
            }
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
