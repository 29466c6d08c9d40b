//! Text to speech with failover. Speech that breaks off is continued by the next route.

use aura_audio::{Pcm, TimeStretch};
use aura_providers::{Failure, FailureKind, SpeechEvent, SpeechRequest, SpeechStream, Usage};
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::attempt::{Observer, Route};
use crate::cost::LocalCount;
use crate::error::Result;
use crate::failover::{Call, CallOutcome, Failover};
use crate::outcome::{Routed, char_count, timed_out};
use crate::plan::RoutePlan;
use crate::router::Router;
use crate::sink::Sink;

/// Characters that a voice speaks per second. A low estimate, so that a continuation repeats a word rather than skips one.
const CHARS_PER_SECOND: f32 = 13.0;

impl Router {
    /// Speaks a text of at most [`RoutePlan::max_speech_chars`] characters. Audio goes to `sink` in order, as it arrives.
    ///
    /// When speech breaks off, the next route continues at about the last spoken word. Speech of a route that cannot speak at the
    /// requested speed is stretched.
    ///
    /// # Errors
    /// When every route failed, or one failed in a way that rules out the others; see [`retry_policy`](crate::retry_policy).
    pub async fn speak(
        &self,
        plan: &RoutePlan,
        text: &str,
        observer: &dyn Observer,
        sink: &mut impl Sink<Pcm>,
    ) -> Result<Routed<()>> {
        let mut failover = Failover::new(self, plan, observer);
        let mut rest = text.to_owned();
        loop {
            let request =
                SpeechRequest { text: rest.clone(), options: plan.speech.clone(), ..SpeechRequest::default() };
            let start = |call: Call| start(call, request.clone()).boxed();
            let (started, in_flight) = failover.start(&start).await?;
            observer.first_content(&in_flight.route);
            let first_ms = Some(in_flight.ms());
            let (mut seconds, mut reported) = (0.0, Usage::default());
            let result = follow(&failover, started, plan.speech.speed, &mut seconds, &mut reported, sink).await;
            let usage = Usage { characters: Some(char_count(&rest)), audio_seconds: Some(seconds), ..reported };
            let measured = LocalCount {
                input_chars: char_count(&rest),
                output_chars: char_count(&rest),
                output_seconds: seconds,
                ..LocalCount::default()
            };
            let outcome = CallOutcome { usage, measured, first_ms, has_content: true };
            match result {
                Ok(()) => {
                    failover.succeeded(&in_flight, outcome);
                    return Ok(Routed { value: (), route: in_flight.route });
                }
                Err(failure) => {
                    rest = unspoken(&rest, seconds).to_owned();
                    if rest.is_empty() {
                        failover.succeeded(&in_flight, outcome);
                        return Ok(Routed { value: (), route: in_flight.route });
                    }
                    failover.failed(&in_flight, &failure, outcome).await?;
                }
            }
        }
    }
}

/// Speech whose first audio arrived.
struct StartedSpeech {
    first: Pcm,
    stream: SpeechStream,
    /// The usage that the provider has reported so far.
    reported: Usage,
    /// Whether the provider itself speaks at the requested speed.
    takes_speed: bool,
}

/// Makes one call and waits for its first audio.
async fn start(call: Call, request: SpeechRequest) -> Result<StartedSpeech, Failure> {
    let Some(tts) = &call.services.tts else {
        return Err(Failure::new(FailureKind::Unsupported, "This provider does not offer speech."));
    };
    let Route { model, voice, .. } = call.route.clone();
    let mut request = SpeechRequest { model, voice: voice.unwrap_or_default(), ..request };
    request.options.speed = request.options.speed.filter(|_| tts.takes_speed());
    let due = call.due();
    let mut stream = timeout_at(due, tts.speak(&request)).await.unwrap_or_else(|_| Err(timed_out("speech")))?;
    let mut reported = Usage::default();
    loop {
        let audio = next_audio(&mut stream, due, &mut reported).await;
        match audio.map_err(|stalled| stalled.unwrap_or(timed_out("speech")))? {
            Some(first) if !first.samples.is_empty() => {
                return Ok(StartedSpeech { first, stream, reported, takes_speed: tts.takes_speed() });
            }
            Some(_) => {}
            None => {
                let usage = (reported != Usage::default()).then(|| Box::new(reported));
                return Err(Failure { usage, ..Failure::new(FailureKind::Empty, "The speech contained no sound.") });
            }
        }
    }
}

/// The next audio of a stream; `Err(None)` when it did not arrive in time.
async fn next_audio(
    stream: &mut SpeechStream,
    due: Instant,
    reported: &mut Usage,
) -> Result<Option<Pcm>, Option<Failure>> {
    loop {
        return match timeout_at(due, stream.next()).await.map_err(|_| None)? {
            Some(Ok(SpeechEvent::Pcm(pcm))) => Ok(Some(pcm)),
            Some(Ok(SpeechEvent::File(file))) => {
                let unreadable = |cause: String| Some(Failure::new(FailureKind::Empty, cause));
                let decoded = tokio::task::spawn_blocking(move || aura_audio::decode(file)).await;
                let decoded = decoded.map_err(|cause| unreadable(cause.to_string()))?;
                decoded.map(Some).map_err(|error| unreadable(error.to_string()))
            }
            Some(Ok(SpeechEvent::Usage(usage))) => {
                *reported = *usage;
                continue;
            }
            Some(Ok(_)) => continue,
            Some(Err(failure)) => Err(Some(failure)),
            None => Ok(None),
        };
    }
}

/// Sends speech on as it arrives, counts its seconds, and keeps the usage that the provider reports. `speed`: see
/// [`SpeechOptions::speed`](aura_providers::SpeechOptions::speed).
async fn follow(
    failover: &Failover<'_>,
    started: StartedSpeech,
    speed: Option<f32>,
    seconds: &mut f32,
    reported: &mut Usage,
    sink: &mut impl Sink<Pcm>,
) -> Result<(), Failure> {
    let StartedSpeech { first, mut stream, reported: so_far, takes_speed } = started;
    *reported = so_far;
    let speed = speed.filter(|speed| !takes_speed && *speed != 1.0);
    // The rate of the current chunks, in hertz, and their stretch.
    let mut stretch: Option<(u32, TimeStretch)> = None;
    let mut next = Some(first);
    let result = loop {
        let Some(pcm) = next else { break Ok(()) };
        *seconds += pcm.duration().as_secs_f32();
        match speed {
            None => sink.send(pcm).await,
            Some(speed) => {
                if stretch.as_ref().is_none_or(|(rate, _)| *rate != pcm.rate) {
                    finish(stretch.take(), sink).await;
                }
                let (rate, stretch) = stretch.get_or_insert_with(|| (pcm.rate, TimeStretch::new(pcm.rate, speed)));
                send(*rate, stretch.push(&pcm.samples), sink).await;
            }
        }
        let audio = next_audio(&mut stream, failover.next_due(), reported).await;
        next = match audio {
            Ok(audio) => audio,
            Err(stalled) => {
                let failure = stalled.unwrap_or_else(|| Failure::new(FailureKind::Interrupted, "The speech stalled."));
                break Err(Failure { kind: FailureKind::Interrupted, ..failure });
            }
        };
    };
    finish(stretch, sink).await;
    result
}

/// Sends the last samples of a stretch.
async fn finish(stretch: Option<(u32, TimeStretch)>, sink: &mut impl Sink<Pcm>) {
    if let Some((rate, mut stretch)) = stretch {
        send(rate, stretch.finish(), sink).await;
    }
}

async fn send(rate: u32, samples: Vec<f32>, sink: &mut impl Sink<Pcm>) {
    if !samples.is_empty() {
        sink.send(Pcm { rate, samples }).await;
    }
}

/// The part of a text that was probably not spoken after this many seconds, from the start of a word.
fn unspoken(text: &str, seconds: f32) -> &str {
    let spoken = (seconds * CHARS_PER_SECOND) as usize;
    let Some((cut, _)) = text.char_indices().nth(spoken) else { return "" };
    let word = text[..cut].rfind(char::is_whitespace).map_or(0, |at| at + 1);
    text[word..].trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_continues_at_the_start_of_a_word() {
        let text = "It is going to be a good year for everyone.";
        assert_eq!(unspoken(text, 0.0), text);
        assert_eq!(unspoken(text, 1.0), "to be a good year for everyone.", "after 13 characters the word is `to`");
        assert_eq!(unspoken(text, 60.0), "");
    }
}
