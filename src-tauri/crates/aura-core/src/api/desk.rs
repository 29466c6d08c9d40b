//! What a person does at the desk besides asking: look at what would be sent, try a microphone, hear an answer again, keep a copy.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{ExportFormat, Exported, Look, Meter, Nothing, Preview};
use crate::assistant::Assistant;
use crate::audio::meter as loudness;
use crate::error::{Code, Error, Result};
use crate::event::Event;
use crate::ports::TurnFilter;
use crate::record::TurnRecord;

/// Turns that are read at once for an export.
const PAGE: u32 = 500;
/// Between two levels: at most 30 a second.
const BETWEEN_LEVELS: Duration = Duration::from_millis(34);

pub(super) async fn look(assistant: &Assistant, request: Look) -> Result<Preview> {
    let target = request.target.unwrap_or_else(|| assistant.snapshot().settings.screen.target);
    let shot = assistant.ports().screen.capture(&target).await?;
    Ok(Preview {
        bytes: u32::try_from(shot.jpeg.len()).unwrap_or(u32::MAX),
        jpeg: BASE64.encode(&shot.jpeg),
        width: shot.width,
        height: shot.height,
        area: shot.area,
    })
}

pub(super) async fn meter(assistant: &Assistant, request: Meter) -> Result<Nothing> {
    let seconds = if request.seconds == 0 { 10 } else { request.seconds.min(60) };
    let named = request.microphone.or_else(|| assistant.snapshot().settings.listening.microphone);
    let stop = assistant.occupied();
    let mut recording = assistant.ports().microphone.record(named.as_deref()).await?;
    let began = tokio::time::Instant::now();
    let mut told = began;
    let listen = async {
        let mut fresh = Vec::new();
        while let Some(block) = recording.next().await {
            fresh.extend(block?);
            if told.elapsed() >= BETWEEN_LEVELS {
                told = tokio::time::Instant::now();
                let elapsed_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
                assistant.tell(Event::Level { level: loudness(&fresh), elapsed_ms });
                fresh.clear();
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = listen => ended?,
        () = tokio::time::sleep(Duration::from_secs(seconds.into())) => {}
        () = stop.cancelled() => {}
    }
    Ok(Nothing {})
}

pub(super) async fn replay(assistant: &Assistant, id: &str) -> Result<Nothing> {
    let gone = || Error::new(Code::NotFound, "The speech of this answer was not kept.");
    // From now on: a question that is asked while the file is still being read ends it as well.
    let stop = assistant.occupied();
    let turn = assistant.ports().history.get(id).await?.ok_or_else(gone)?;
    let file = tokio::fs::read(turn.answer_audio.ok_or_else(gone)?).await.map_err(|_| gone())?;
    let speaker = assistant.ports().speaker.clone();
    let decoder = speaker.clone();
    let pcm = tokio::task::spawn_blocking(move || decoder.decode(file.into())).await.map_err(Error::internal)??;
    let output = speaker.open(assistant.snapshot().settings.speaking.speaker.as_deref()).await?;
    let mut resampler = crate::audio::Resampler::new(pcm.rate, output.rate());
    let mut samples = resampler.push(&pcm.samples);
    samples.extend(resampler.finish());
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

pub(super) async fn export(assistant: &Assistant, format: ExportFormat) -> Result<Exported> {
    let mut all: Vec<TurnRecord> = Vec::new();
    loop {
        let before = all.last().map(|turn| turn.id.clone());
        let filter = TurnFilter { before, limit: PAGE, ..TurnFilter::default() };
        let page = assistant.ports().history.find(&filter).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    all.reverse();
    let (text, ending) = match format {
        ExportFormat::Json => (serde_json::to_string_pretty(&all).map_err(Error::internal)?, "json"),
        ExportFormat::Markdown => (as_markdown(&all), "md"),
    };
    let day = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S").to_string();
    let path = assistant.exports().join(format!("aura-history-{day}.{ending}"));
    tokio::fs::write(&path, text).await.map_err(|cause| Error::storage("write the export", cause))?;
    Ok(Exported { path, turns: u32::try_from(all.len()).unwrap_or(u32::MAX) })
}

fn as_markdown(turns: &[TurnRecord]) -> String {
    let mut text = String::from("# AURA\n");
    for turn in turns {
        let at = turn.started_at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        let answer = match &turn.error {
            Some(error) => format!("*{}*", error.message),
            None => turn.answer.trim().to_owned(),
        };
        // Writing into a string cannot fail.
        let _ = write!(text, "\n## {at}\n\n**{}**\n\n{answer}\n", turn.transcript.trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_to_be_read() {
        assert_eq!(as_markdown(&[]), "# AURA\n");
        assert_eq!(ExportFormat::default(), ExportFormat::Json);
    }
}
