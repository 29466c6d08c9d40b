//! The three kinds of call: a transcript, an answer, speech. Each begins by [`Course::begin`] and is followed to its end here.

use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::course::{Call, Came, Course, Observer};
use super::joint::{Joint, Words, ends_a_sentence};
use super::{Plan, Router};
use crate::audio::Pcm;
use crate::error::{Error, Result};
use crate::ports::Speaker;
use crate::providers::{
    AnswerFormat, ChatPiece, ChatRequest, ChatStream, Class, Failure, Finish, Message, Role, SpeechPiece, SpeechStream,
    SttRequest, ToolCall, Transcript, TtsRequest, Usage,
};
use crate::record::Route;
use crate::usage::Measured;

/// How many times as long as for a first word a person waits for the thoughts of a model that shows that it thinks: to them it is as
/// silent as one that does not.
const THOUGHTS: u32 = 3;
/// How much more a model may write when thinking took all the room.
const MORE_ROOM: u32 = 4;
/// Characters that a voice says in a second: on the slow side, so that a sentence that broke off is continued with a word too many
/// rather than one too few.
const CHARACTERS_A_SECOND: f32 = 13.0;

/// A result and the route it came by.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    /// The result.
    pub value: T,
    /// By whom. Of an answer that was continued: the one that ended it.
    pub route: Route,
}

/// What an answer was, when it is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The whole text.
    pub text: String,
    /// The tools that the model wants called.
    pub calls: Vec<ToolCall>,
    /// Whether the token limit cut it.
    pub cut: bool,
    /// What the last route used.
    pub usage: Usage,
}

fn timed_out(what: &str) -> Failure {
    Failure::new(Class::Timeout, format!("No {what} in the time that the settings allow."))
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

impl Router {
    /// Speech to text. `voiced` says that the recording holds speech, so that an empty transcript is a failure.
    pub async fn transcribe(
        &self,
        plan: &Plan,
        wav: &SttRequest,
        voiced: bool,
        observer: &dyn Observer,
    ) -> Result<Answered<Transcript>> {
        let mut course = Course::new(self, plan, observer);
        let start = |call: Call| listen(call, wav.clone(), voiced).boxed();
        match course.begin(&start).await {
            Ok((transcript, under)) => {
                let measured = Measured {
                    said: count(&transcript.text),
                    heard_s: wav.duration.as_secs_f32(),
                    ..Measured::default()
                };
                course.succeeded(&under, Came { usage: transcript.usage.clone(), measured, ..Came::default() });
                Ok(Answered { value: transcript, route: under.route })
            }
            // Everyone heard nothing: that is an answer, not a failure.
            Err(error) => match course.attempts().last() {
                Some(last) if course.attempts().iter().all(|attempt| attempt.class == Some(Class::Empty)) => {
                    Ok(Answered { value: Transcript::default(), route: last.route.clone() })
                }
                _ => Err(error),
            },
        }
    }

    /// An answer, piece by piece. A stream that breaks after content is continued by the next route from what was said; JSON cannot be
    /// continued, so it is given when it is whole. When everything fails, the error comes after what `on_text` was given already.
    pub async fn chat(
        &self,
        plan: &Plan,
        question: &ChatRequest,
        observer: &dyn Observer,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answered<Said>> {
        self.chat_for(plan, question, &|_| true, observer, on_text).await
    }

    /// The same; an answer without words whose tool calls are not `of_use` is an empty one.
    pub(crate) async fn chat_for(
        &self,
        plan: &Plan,
        question: &ChatRequest,
        of_use: &(dyn Fn(&[ToolCall]) -> bool + Sync),
        observer: &dyn Observer,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answered<Said>> {
        let extras = question.tools_optional && !question.tools.is_empty();
        let mut course = Course::new(self, plan, observer).with_extras(extras);
        let asked =
            count(&question.system) + question.messages.iter().map(|message| count(&message.text())).sum::<u32>();
        let whole = question.format != AnswerFormat::Text;
        let mut said = String::new();
        loop {
            let before = said.clone();
            let start = |call: Call| answer(call, question.clone(), before.clone()).boxed();
            let (begun, under) = course.begin(&start).await?;
            observer.begun(&under.route);
            let first_ms = Some(under.ms());
            let mut pass = |text: &str| {
                if !whole {
                    on_text(text);
                }
            };
            let result = follow(&course, begun, &mut said, &mut pass).await;
            let measured = Measured { asked, said: count(&said[before.len()..]), ..Measured::default() };
            let came = |usage| Came { usage, measured, first_ms, kept: !whole && measured.said > 0 };
            let (failure, usage) = match result {
                Err(failure) => (failure, Usage::default()),
                Ok((_, usage, calls)) if said.trim().is_empty() && !calls.is_empty() && !of_use(&calls) => {
                    (Failure::new(Class::Empty, "It called a tool in a way that cannot be read."), usage)
                }
                Ok((_, usage, calls)) if measured.said == 0 && calls.is_empty() && !is_whole(&said) => {
                    (Failure::new(Class::Empty, "The rest of the answer did not come."), usage)
                }
                Ok((finish, usage, calls)) => {
                    course.succeeded(&under, came(usage.clone()));
                    if whole {
                        on_text(&said);
                    }
                    let said = Said { text: said, calls, cut: finish == Finish::Length, usage };
                    return Ok(Answered { value: said, route: under.route });
                }
            };
            if whole {
                said.clear();
            }
            course.failed(&under, &failure, came(usage)).await?;
        }
    }

    /// Speech for a text that is at most as long as every route of the plan takes. Pieces arrive in order. What breaks off is
    /// continued by the next route from about the word that was said last.
    pub async fn speak(
        &self,
        plan: &Plan,
        text: &str,
        speaker: &Arc<dyn Speaker>,
        observer: &dyn Observer,
        on_sound: &mut (dyn FnMut(Pcm) + Send),
    ) -> Result<Answered<()>> {
        let mut course = Course::new(self, plan, observer);
        let mut rest = text.to_owned();
        loop {
            let request = TtsRequest { text: rest.clone(), delivery: plan.delivery.clone(), ..TtsRequest::default() };
            let start = |call: Call| speech(call, request.clone(), speaker.clone()).boxed();
            let (begun, under) = course.begin(&start).await?;
            observer.begun(&under.route);
            let first_ms = Some(under.ms());
            let (mut seconds, mut told) = (0.0, Usage::default());
            let result = play(&course, begun, speaker, (&mut seconds, &mut told), on_sound).await;
            let usage = Usage { characters: Some(count(&rest)), audio_seconds: Some(seconds), ..told };
            let measured =
                Measured { asked: count(&rest), said: count(&rest), spoken_s: seconds, ..Measured::default() };
            let came = Came { usage, measured, first_ms, kept: true };
            match result {
                Ok(()) => {
                    course.succeeded(&under, came);
                    return Ok(Answered { value: (), route: under.route });
                }
                Err(failure) => {
                    rest = unsaid(&rest, seconds).to_owned();
                    if rest.is_empty() {
                        course.succeeded(&under, came);
                        return Ok(Answered { value: (), route: under.route });
                    }
                    course.failed(&under, &failure, came).await?;
                }
            }
        }
    }
}

/// One transcription.
async fn listen(call: Call, request: SttRequest, voiced: bool) -> Result<Transcript, Failure> {
    let Some(stt) = &call.services.stt else {
        return Err(Failure::new(Class::Unsupported, "This provider does not transcribe."));
    };
    let request = SttRequest { model: call.route.model.clone(), more_room: call.more_room, ..request };
    let transcript =
        timeout_at(call.due(), stt.transcribe(&request)).await.unwrap_or_else(|_| Err(timed_out("transcript")))?;
    if voiced && transcript.text.is_empty() {
        let usage = Some(Box::new(transcript.usage));
        return Err(Failure { usage, ..Failure::new(Class::Empty, "An empty transcript of a recording with speech.") });
    }
    Ok(transcript)
}

/// An answer whose first words are there.
struct Begun {
    first: String,
    stream: ChatStream,
}

/// One answer, to its first words.
async fn answer(call: Call, question: ChatRequest, said: String) -> Result<Begun, Failure> {
    let Some(chat) = &call.services.chat else {
        return Err(Failure::new(Class::Unsupported, "This provider does not answer."));
    };
    let more = if call.more_room { MORE_ROOM } else { 1 };
    let max_tokens = question.max_tokens.map(|room| room.saturating_mul(more));
    let tools = if call.plain { Vec::new() } else { question.tools.clone() };
    let request = continued(ChatRequest { model: call.route.model.clone(), max_tokens, tools, ..question }, &said);
    let mut due = call.due();
    let last = (Instant::now() + call.patience * THOUGHTS).min(call.deadline);
    let mut stream = timeout_at(due, chat.chat(&request)).await.unwrap_or_else(|_| Err(timed_out("answer")))?;
    loop {
        match timeout_at(due, stream.next()).await.map_err(|_| timed_out("answer"))? {
            Some(Ok(ChatPiece::Text(text))) if !text.is_empty() => return Ok(Begun { first: text, stream }),
            Some(Ok(ChatPiece::Text(_) | ChatPiece::Thinking)) => due = call.due().min(last),
            // Who only calls tools has said something, though not in words.
            Some(Ok(tool @ ChatPiece::ToolCall(_))) => {
                let stream = futures::stream::iter([Ok(tool)]).chain(stream).boxed();
                return Ok(Begun { first: String::new(), stream });
            }
            // What was continued may have been complete: then there is nothing to add.
            Some(Ok(end @ ChatPiece::End { finish: Finish::Stop, .. })) if is_whole(&said) => {
                return Ok(Begun { first: String::new(), stream: futures::stream::iter([Ok(end)]).boxed() });
            }
            Some(Ok(ChatPiece::End { finish, usage })) => {
                let no_room = finish == Finish::Length;
                let why = if no_room { "All the room went into thinking." } else { "An empty answer." };
                return Err(Failure { no_room, usage: Some(Box::new(usage)), ..Failure::new(Class::Empty, why) });
            }
            Some(Err(failure)) => return Err(failure),
            None => return Err(Failure::new(Class::Empty, "The connection closed without an answer.")),
        }
    }
}

/// Asks for the rest of an answer that broke off.
fn continued(mut request: ChatRequest, said: &str) -> ChatRequest {
    if !said.is_empty() {
        request.continues = true;
        // Said as a question: not every model takes the beginning of its own answer.
        request.messages.push(Message::new(Role::Assistant, said));
        request.messages.push(Message::new(
            Role::User,
            "Your answer was cut off by the connection. Continue exactly where it stops, without repeating or commenting.",
        ));
    }
    request
}

/// Whether what was said may be all that there was to say.
fn is_whole(said: &str) -> bool {
    !said.trim().is_empty() && ends_a_sentence(said)
}

/// Passes an answer on as it comes, word by word and without what was said before. It ends well only with the stream's own end.
async fn follow(
    course: &Course<'_>,
    begun: Begun,
    said: &mut String,
    on_text: &mut (dyn FnMut(&str) + Send),
) -> Result<(Finish, Usage, Vec<ToolCall>), Failure> {
    let Begun { first, mut stream } = begun;
    let mut calls = Vec::new();
    let (mut joint, mut words) = (Joint::new(said), Words::default());
    let mut pass = |text: &str| {
        if !text.is_empty() {
            said.push_str(text);
            on_text(text);
        }
    };
    pass(&words.take(&joint.take(&first)));
    loop {
        match timeout_at(course.next_due(), stream.next()).await {
            Err(_) => return Err(Failure::new(Class::Interrupted, "The answer stalled.")),
            Ok(Some(Ok(ChatPiece::Text(text)))) => pass(&words.take(&joint.take(&text))),
            Ok(Some(Ok(ChatPiece::Thinking))) => {}
            Ok(Some(Ok(ChatPiece::ToolCall(call)))) => calls.push(call),
            Ok(Some(Ok(ChatPiece::End { finish, usage }))) => {
                pass(&words.take(&joint.finish()));
                pass(&words.finish());
                return Ok((finish, usage, calls));
            }
            Ok(Some(Err(failure))) if failure.class == Class::Blocked => return Err(failure),
            Ok(Some(Err(failure))) => return Err(Failure { class: Class::Interrupted, ..failure }),
            Ok(None) => return Err(Failure::new(Class::Interrupted, "The answer broke off.")),
        }
    }
}

/// Speech whose first sound is there.
struct Sounding {
    first: Pcm,
    stream: SpeechStream,
    /// What the provider told of the call so far.
    told: Usage,
}

/// One piece of speech, to its first sound.
async fn speech(call: Call, asked: TtsRequest, speaker: Arc<dyn Speaker>) -> Result<Sounding, Failure> {
    let Some(tts) = &call.services.tts else {
        return Err(Failure::new(Class::Unsupported, "This provider does not speak."));
    };
    let Route { model, voice, .. } = call.route.clone();
    let request = TtsRequest { model, voice: voice.unwrap_or_default(), ..asked };
    let due = call.due();
    let mut stream = timeout_at(due, tts.speak(&request)).await.unwrap_or_else(|_| Err(timed_out("speech")))?;
    let mut told = Usage::default();
    loop {
        let sound = next_sound(&mut stream, due, &speaker, &mut told).await;
        match sound.map_err(|stalled| stalled.unwrap_or(timed_out("speech")))? {
            Some(first) if !first.samples.is_empty() => return Ok(Sounding { first, stream, told }),
            Some(_) => {}
            None => {
                let usage = (told != Usage::default()).then(|| Box::new(told));
                return Err(Failure { usage, ..Failure::new(Class::Empty, "Speech without any sound.") });
            }
        }
    }
}

/// The next sound of a stream; an error without a failure when it did not come in time.
async fn next_sound(
    stream: &mut SpeechStream,
    due: Instant,
    speaker: &Arc<dyn Speaker>,
    told: &mut Usage,
) -> Result<Option<Pcm>, Option<Failure>> {
    loop {
        return match timeout_at(due, stream.next()).await.map_err(|_| None)? {
            Some(Ok(SpeechPiece::Pcm(pcm))) => Ok(Some(pcm)),
            Some(Ok(SpeechPiece::File(file))) => {
                let speaker = speaker.clone();
                let decoded = tokio::task::spawn_blocking(move || speaker.decode(file)).await.map_err(Error::internal);
                let decoded = decoded.and_then(|decoded| decoded);
                decoded.map(Some).map_err(|error| Some(Failure::new(Class::Empty, error.message)))
            }
            Some(Ok(SpeechPiece::Used(usage))) => {
                *told = *usage;
                continue;
            }
            Some(Err(failure)) => Err(Some(failure)),
            None => Ok(None),
        };
    }
}

/// Passes speech on as it comes, counts its seconds, and keeps what the provider told of them.
async fn play(
    course: &Course<'_>,
    begun: Sounding,
    speaker: &Arc<dyn Speaker>,
    (seconds, told): (&mut f32, &mut Usage),
    on_sound: &mut (dyn FnMut(Pcm) + Send),
) -> Result<(), Failure> {
    let Sounding { first, mut stream, told: already } = begun;
    *told = already;
    let mut next = Some(first);
    while let Some(pcm) = next {
        *seconds += pcm.duration().as_secs_f32();
        on_sound(pcm);
        next = next_sound(&mut stream, course.next_due(), speaker, told)
            .await
            .map_err(|stalled| stalled.unwrap_or_else(|| Failure::new(Class::Interrupted, "The speech stalled.")))
            .map_err(|failure| Failure { class: Class::Interrupted, ..failure })?;
    }
    Ok(())
}

/// The part of a text that was probably not said in so many seconds, from the beginning of a word.
fn unsaid(text: &str, seconds: f32) -> &str {
    let said = (seconds * CHARACTERS_A_SECOND) as usize;
    let Some((cut, _)) = text.char_indices().nth(said) else { return "" };
    let word = text[..cut].rfind(char::is_whitespace).map_or(0, |at| at + 1);
    text[word..].trim_start()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::providers::{Chat, Services};

    /// Thinks a piece every second, so many times, and then says a word.
    struct Thinker(usize);

    #[async_trait::async_trait]
    impl Chat for Thinker {
        async fn chat(&self, _request: &ChatRequest) -> Result<ChatStream, Failure> {
            let thoughts = futures::stream::iter(0..self.0).then(async |_| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(ChatPiece::Thinking)
            });
            Ok(thoughts.chain(futures::stream::iter([Ok(ChatPiece::Text("Yes.".into()))])).boxed())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn thoughts_are_waited_for_longer_than_silence_and_not_for_ever() {
        let asked = async |thoughts| {
            let call = Call {
                services: Services { chat: Some(Arc::new(Thinker(thoughts))), ..Services::default() },
                route: Route { provider: "x".into(), model: "m".into(), voice: None },
                patience: Duration::from_secs(8),
                deadline: Instant::now() + Duration::from_secs(60),
                more_room: false,
                plain: false,
            };
            answer(call, ChatRequest::default(), String::new()).await.map(|begun| begun.first)
        };
        assert_eq!(asked(20).await.as_deref(), Ok("Yes."));
        assert_eq!(asked(40).await.unwrap_err().class, Class::Timeout);
    }

    #[test]
    fn a_sentence_is_continued_from_a_word() {
        let text = "It is going to be a good year for everyone.";
        assert_eq!(unsaid(text, 0.0), text);
        assert_eq!(unsaid(text, 1.0), "to be a good year for everyone.", "after 13 characters the word is `to`");
        assert_eq!(unsaid(text, 60.0), "");
    }
}
