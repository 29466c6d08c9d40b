//! Playback of spoken answers: pause, resume, sentence by sentence, and again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Nothing, TurnId};
use crate::assistant::Assistant;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::ports::TurnFilter;
use crate::record::Playback;
use crate::turn::{SpokenSound, Voice};

/// The turns among which the last answer is looked for.
const LAST_TURNS: u32 = 20;

/// Request of `playback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ControlPlayback {
    /// What to do.
    pub action: PlaybackAction,
}

/// What one may do while an answer is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum PlaybackAction {
    /// Pause, or go on with the word at which it was paused.
    Toggle,
    /// Pause.
    Pause,
    /// Go on with the word at which it was paused.
    Resume,
    /// Go back to the begin of the sentence, or to the one before when it has just begun. After the end: say the last sentence again.
    Previous,
    /// Go to the next sentence.
    Next,
}

/// Pauses an answer that is being spoken, goes on with it, or goes to another sentence of it.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when nothing is being spoken, and there is nothing to say again.
pub async fn playback(assistant: &Assistant, ControlPlayback { action }: ControlPlayback) -> Result<Nothing> {
    let last = &assistant.turns().context().last_voice;
    let present = last.get().filter(|voice| voice.playback() != Playback::Idle);
    let Some(voice) = present else {
        return match action {
            PlaybackAction::Previous => play_again(assistant, true).await,
            _ => Err(Error::new(ErrorCode::NotFound, "Nothing is being read aloud.")),
        };
    };
    match action {
        PlaybackAction::Toggle => voice.resume() || voice.pause(),
        PlaybackAction::Pause => voice.pause(),
        PlaybackAction::Resume => voice.resume(),
        PlaybackAction::Previous => voice.previous(),
        PlaybackAction::Next => voice.next(),
    };
    assistant.send(Event::Playback { playback: voice.playback() });
    Ok(Nothing {})
}

/// Plays the last spoken answer again, as [`replay`] does.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when there is none or its recording is gone, or when the speaker cannot be used.
pub async fn repeat(assistant: &Assistant, _: Nothing) -> Result<Nothing> {
    play_again(assistant, false).await
}

/// Plays the last answer, or its last sentence. Where its sentences are no longer known, the whole answer.
async fn play_again(assistant: &Assistant, last_sentence: bool) -> Result<Nothing> {
    if let Some(sound) = assistant.turns().context().last_voice.sound() {
        return play(assistant, async { Ok(sound) }, last_sentence).await;
    }
    let filter = TurnFilter { session: None, words: None, before: None, limit: LAST_TURNS };
    let turns = assistant.ports().history.find(&filter).await?;
    let last = turns.iter().find(|turn| turn.answer_audio.is_some());
    let last = last.ok_or_else(|| Error::new(ErrorCode::NotFound, "There is no spoken answer to repeat."))?;
    play(assistant, recorded(assistant, &last.id), false).await
}

/// Plays a turn's answer again. Returns once it was played or stopped.
///
/// # Errors
/// When the turn has no saved audio, or the speaker fails.
pub async fn replay(assistant: &Assistant, TurnId { id }: TurnId) -> Result<Nothing> {
    play(assistant, recorded(assistant, &id), false).await
}

/// The saved sound of an answer.
async fn recorded(assistant: &Assistant, id: &str) -> Result<SpokenSound> {
    let not_found = |message: &str| Error::new(ErrorCode::NotFound, message);
    let turn = assistant.ports().history.get(id).await?;
    let turn = turn.ok_or_else(|| not_found("This turn is no longer in the history."))?;
    let file = match (&turn.answer_audio, turn.recordings_deleted) {
        (Some(path), _) => crate::recordings::read(path).await,
        (None, Some(reason)) => return Err(not_found(&reason.message())),
        (None, None) => None,
    };
    let file = file.ok_or_else(|| not_found("The audio of this answer was not saved."))?;
    let pcm = tokio::task::spawn_blocking(move || aura_audio::decode(file.into())).await.map_err(Error::internal)??;
    let samples = pcm.samples.iter().copied().map(aura_audio::to_i16).collect();
    Ok(SpokenSound::new(samples, pcm.rate, turn.answer))
}

async fn play(
    assistant: &Assistant,
    sound: impl Future<Output = Result<SpokenSound>>,
    last_sentence: bool,
) -> Result<Nothing> {
    // Claimed before the sound is there: a question asked meanwhile ends the replay too.
    let stop = assistant.claim_devices();
    let sound = sound.await?;
    let config = assistant.config();
    let speaking = &config.settings.speaking;
    let (output, _) = assistant.ports().speaker.open_or_default(speaking.speaker.as_deref()).await?;
    let rate = output.rate();
    let sound = tokio::task::spawn_blocking(move || sound.at(rate)).await.map_err(Error::internal)?;
    if stop.is_cancelled() {
        return Ok(Nothing {});
    }
    output.begin();
    let last = &assistant.turns().context().last_voice;
    let voice = Arc::new(Voice::again(output, speaking, sound, last_sentence));
    last.set(voice.clone());
    assistant.send(Event::Playback { playback: Playback::Playing });
    let played = tokio::select! {
        played = voice.play() => played,
        () = stop.cancelled() => {
            voice.stop();
            Ok(())
        }
    };
    last.ended();
    assistant.send(Event::Playback { playback: Playback::Idle });
    played.map(|()| Nothing {})
}
