//! Runs one session of live transcription: audio out, recognised words in.

use aura_audio::{Resampler, SPEECH_RATE, from_i16, to_i16};
use reqwest::Url;
use tokio::sync::watch;

use crate::api_client::ApiClient;
use crate::types::{Failure, PartialTranscript, SessionAudio, Transcript};
use crate::wire::live::LiveFormat;

/// Opens a WebSocket and transcribes the audio until its end.
///
/// # Errors
/// When the connection fails or closes before the transcript is complete, or the provider reports an error.
pub(crate) async fn transcribe(
    client: ApiClient,
    url: Url,
    format: impl LiveFormat,
    audio: SessionAudio,
    partial: watch::Sender<PartialTranscript>,
) -> Result<Transcript, Failure> {
    run(&client, url, format, audio, partial).await.map_err(|failure| client.redact(failure))
}

async fn run(
    client: &ApiClient,
    url: Url,
    mut format: impl LiveFormat,
    mut audio: SessionAudio,
    partial: watch::Sender<PartialTranscript>,
) -> Result<Transcript, Failure> {
    let mut socket = client.web_socket(url).await?;
    for message in format.begin() {
        socket.send(message, false).await?;
    }
    let mut resampler = Resampler::new(SPEECH_RATE, format.rate());
    let mut has_content = false;
    let mut is_sending = true;
    loop {
        tokio::select! {
            message = socket.next(has_content) => {
                format.read(&message?)?;
                let so_far = format.partial();
                has_content |= so_far != PartialTranscript::default();
                partial.send_if_modified(|shown| {
                    let changed = *shown != so_far;
                    *shown = so_far;
                    changed
                });
                if let Some(transcript) = format.transcript() {
                    socket.close();
                    return Ok(transcript);
                }
            }
            samples = audio.next(), if is_sending && format.is_ready() => match samples {
                Some(samples) => {
                    let samples: Vec<f32> = samples.into_iter().map(from_i16).collect();
                    let converted: Vec<i16> = resampler.push(&samples).into_iter().map(to_i16).collect();
                    if !converted.is_empty() {
                        socket.send(format.audio(&converted), has_content).await?;
                    }
                }
                None => {
                    is_sending = false;
                    let rest: Vec<i16> = resampler.finish().into_iter().map(to_i16).collect();
                    if !rest.is_empty() {
                        socket.send(format.audio(&rest), has_content).await?;
                    }
                    for message in format.end() {
                        socket.send(message, has_content).await?;
                    }
                }
            },
        }
    }
}
