//! Permit: whether a call may be carried out. What changes something outside AURA, or shows what is private, waits for the person's yes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::answer_sink::AnswerSink;
use super::tools::Tool;
use super::turn::Turn;
use crate::action::{Action, Effect};
use crate::action_words::{question, warning};
use crate::consent::{ANSWER_TIMEOUT, AnsweredBy, ConsentAnswer, ConsentRequest, ConsentTrace, Permission};
use crate::event::Event;
use crate::record::Stage;

/// Tells the model that the person said no.
const SAID_NO: &str = "The person said no. Nothing was done. Do not try it again, and not in another way. Say in a few words that you did not \
do it.";
/// Tells the model that nobody answered.
const NOT_ANSWERED: &str =
    "The person did not answer the question whether this may be done, so nothing was done. Say so in a few words.";
/// Tells the model that it need not ask again.
const SAID_NO_BEFORE: &str =
    "The person has said no to this tool a moment ago. Nothing was done, and nobody was asked again.";

/// Whether a call may be carried out.
pub(super) enum Permitted {
    /// It changes nothing that anybody would be asked for.
    Unasked,
    /// It may, and who said so.
    Allowed(ConsentTrace),
    /// It may not, and what the model is told.
    Declined(ConsentTrace, &'static str),
}

impl Turn {
    /// Whether the model may be offered tools that act: somebody is there to be asked, and the settings want it. Never for a caller of
    /// the local API, who is not at the desk.
    pub(super) fn may_ask(&self) -> bool {
        !self.is_detached() && self.context.consents.has_person() && self.config.settings.actions.enabled
    }

    /// Decides whether an action may be done, and asks the person where that is not decided yet.
    pub(super) async fn permit(&self, tool: &dyn Tool, action: &Action, sink: &mut AnswerSink<'_>) -> Permitted {
        let (name, identity) = (tool.name(), tool.identity());
        let effect = tool.effect();
        if effect == Effect::Reads {
            return Permitted::Unasked;
        }
        // The permissions of this moment: one that was just taken back no longer counts.
        let permission = tool.permission(&self.context.store.get().settings);
        let consents = &self.context.consents;
        let is_remembered = match permission {
            Permission::Never => {
                let consent = ConsentTrace { allowed: false, by: AnsweredBy::Remembered };
                return Permitted::Declined(consent, SAID_NO_BEFORE);
            }
            Permission::Always => true,
            Permission::Ask | Permission::Conversation => consents.is_allowed_for(&self.request.session, &identity),
        };
        let has_foreign = self.conversation_has_foreign().await;
        // What only reads can do no harm that the next question would not stop.
        let is_trusted = !has_foreign || effect == Effect::ReadsPrivate;
        if is_trusted && effect == Effect::ChangesAura {
            return Permitted::Unasked;
        }
        if is_trusted && is_remembered {
            return Permitted::Allowed(ConsentTrace { allowed: true, by: AnsweredBy::Remembered });
        }
        if self.has_declined(name) {
            return Permitted::Declined(ConsentTrace { allowed: false, by: AnsweredBy::Remembered }, SAID_NO_BEFORE);
        }
        let (answer, by) = self.ask_person(name, action, is_trusted, sink).await;
        let consent = ConsentTrace { allowed: answer.allows(), by };
        if answer.allows() {
            let holds = answer == ConsentAnswer::Conversation || permission == Permission::Conversation;
            if holds && is_trusted {
                consents.allow_for(&self.request.session, &identity);
            }
            return Permitted::Allowed(consent);
        }
        self.note_declined(name);
        Permitted::Declined(consent, if by == AnsweredBy::Nobody { NOT_ANSWERED } else { SAID_NO })
    }

    /// Asks the person, in the windows and aloud, and waits for a key, a click, another program or a spoken answer.
    async fn ask_person(
        &self,
        tool: &str,
        action: &Action,
        is_trusted: bool,
        sink: &mut AnswerSink<'_>,
    ) -> (ConsentAnswer, AnsweredBy) {
        let timeout = self.context.consent_timeout.unwrap_or(ANSWER_TIMEOUT);
        let request = ConsentRequest {
            id: uuid::Uuid::new_v4().to_string(),
            turn: self.id.clone(),
            tool: tool.to_owned(),
            action: action.clone(),
            sentence: question(action, "en"),
            may_remember: is_trusted,
            expires_at: later(timeout),
        };
        let language = self.own_language();
        let warning = if is_trusted { String::new() } else { format!("{} ", warning(&language)) };
        let mut asked = self.context.consents.ask(request.clone());
        let mut shown = ShownQuestion { turn: self };
        self.begin_asking();
        self.context.events.send(Event::Consent { turn: self.id.clone(), consent: Some(Box::new(request)) });
        sink.say(format!("{warning}{}", question(action, &language))).await;
        let answer = tokio::select! {
            biased;
            answered = asked.answer() => answered,
            spoken = self.spoken_answer() => (spoken, AnsweredBy::Voice),
            () = self.time_is_over(timeout) => (ConsentAnswer::No, AnsweredBy::Nobody),
        };
        shown.end();
        answer
    }

    /// Waits until the person has answered by voice.
    async fn spoken_answer(&self) -> ConsentAnswer {
        loop {
            let started = self.answer_begun().await;
            let heard = self.hear_answer(started).await;
            self.answer_heard();
            self.show(Stage::Thinking);
            if let Some(answer) = heard {
                return answer;
            }
        }
    }

    /// Waits until the time for an answer is over. An answer that is being spoken is heard to its end.
    async fn time_is_over(&self, timeout: Duration) {
        sleep_until(Instant::now() + timeout).await;
        self.not_hearing().await;
    }
}

/// A question that is shown. Dropping it takes it from the windows.
struct ShownQuestion<'a> {
    turn: &'a Turn,
}

impl ShownQuestion<'_> {
    fn end(&mut self) {
        self.turn.show(Stage::Thinking);
    }
}

impl Drop for ShownQuestion<'_> {
    fn drop(&mut self) {
        self.turn.end_asking();
        self.turn.context.events.send(Event::Consent { turn: self.turn.id.clone(), consent: None });
    }
}

fn later(timeout: Duration) -> Timestamp {
    let timeout = SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX);
    Timestamp::now().checked_add(timeout).unwrap_or(Timestamp::MAX)
}
