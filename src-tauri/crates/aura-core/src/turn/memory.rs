//! Memory: the earlier turns of the session that are sent with a question, as many as the model's context holds.

use aura_providers::{Message, Role, Service};
use aura_router::{Candidate, RoutePlan};

use super::request::TurnContext;
use super::think::MAX_ANSWER_TOKENS;
use super::turn::Turn;
use crate::ports::TurnFilter;
use crate::record::TurnRecord;
use crate::session::SessionSummary;

/// Earlier turns that are sent at most, also where the context holds more.
pub(super) const MAX_TURNS: u32 = 48;
/// Tokens of earlier turns that are sent at most. A larger context does not need them, and each question pays for them again.
pub(super) const MAX_TOKENS: usize = 16_000;
/// The context window of a model on this computer or in the local network whose provider does not tell it, in tokens. Servers such as Ollama
/// begin with this one, and drop what is beyond it without a word.
const LOCAL_CONTEXT: u32 = 4_096;
/// The context window of any other model that is not known, in tokens.
const UNKNOWN_CONTEXT: u32 = 8_192;
/// Tokens that are left free for a picture.
const PICTURE_TOKENS: usize = 1_000;
/// Tokens by which a message is longer than its text: its role and its end.
const MESSAGE_TOKENS: usize = 4;

impl Turn {
    /// The earlier turns of the session as messages: all of them where they fit, else a summary of the older ones, as far as there is one,
    /// and the newest. `sent` are the texts that are sent with them.
    pub(super) async fn memory(&self, plan: &RoutePlan, sent: &[&str], has_picture: bool) -> Vec<Message> {
        let picture = if has_picture { PICTURE_TOKENS } else { 0 };
        let sent: usize = sent.iter().map(|text| tokens(text) + MESSAGE_TOKENS).sum();
        let room = budget(self.context.window(plan), sent + picture);
        let turns = self.earlier_turns().await;
        let kept = fitting(turns, room);
        let is_whole = kept == turns.len() && turns.len() < MAX_TURNS as usize;
        let summary = if is_whole { None } else { self.context.summary(&self.request.session).await };
        let (newest, introduction) = match summary {
            None => (&turns[..kept], None),
            Some(summary) => {
                let introduction = introduction(&summary);
                let used: usize = introduction.iter().map(|message| tokens(&message.text()) + MESSAGE_TOKENS).sum();
                let newer = newer_than(turns, &summary.through);
                (&newer[..fitting(newer, room.saturating_sub(used))], Some(introduction))
            }
        };
        let turns = newest.iter().rev().flat_map(|turn| {
            let (question, answer) = spoken(turn)?;
            Some([Message::new(Role::User, question), Message::new(Role::Assistant, answer)])
        });
        introduction.into_iter().flatten().chain(turns.flatten()).collect()
    }
}

impl Turn {
    /// The newest turns of the session, the newest first. They are read once: while the question is transcribed, so that the answer does not
    /// wait for the disk.
    pub(super) async fn earlier_turns(&self) -> &[TurnRecord] {
        self.earlier.get_or_init(|| self.context.newest_turns(&self.request.session, MAX_TURNS)).await
    }
}

impl TurnContext {
    /// The newest turns of a session that have ended, the newest first; none when the history cannot be read.
    pub(super) async fn newest_turns(&self, session: &str, limit: u32) -> Vec<TurnRecord> {
        let filter = TurnFilter { session: Some(session.to_owned()), limit, ..TurnFilter::default() };
        self.ports.history.find(&filter).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read the earlier turns of the session");
            Vec::new()
        })
    }

    /// The summary of a session's older turns, if there is one.
    pub(super) async fn summary(&self, session: &str) -> Option<SessionSummary> {
        let found = self.ports.history.summaries(Some(session)).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read the summary of the session");
            Vec::new()
        });
        found.into_iter().next()
    }

    /// Whether a route reads earlier turns. The offline fallback without an installed model does not.
    pub(super) fn reads(&self, candidate: &Candidate, service: Service) -> bool {
        let installed = || self.ports.local_models.installed();
        !candidate.is_builtin_fallback || installed().iter().any(|model| model.services.contains(&service))
    }

    /// The context window of a plan in tokens: the smallest one of its routes, so that each of them can take over.
    pub(super) fn window(&self, plan: &RoutePlan) -> u32 {
        let reading = plan.candidates().iter().filter(|candidate| self.reads(candidate, plan.service()));
        let windows = reading.map(|candidate| {
            let unknown = if candidate.is_local { LOCAL_CONTEXT } else { UNKNOWN_CONTEXT };
            self.router.context_of(&candidate.route.provider, &candidate.route.model).unwrap_or(unknown)
        });
        windows.min().unwrap_or(LOCAL_CONTEXT)
    }
}

/// The tokens that earlier turns may have: what the answer and the texts sent with them leave of a context window. In a small window,
/// the answer gets half.
pub(super) fn budget(window: u32, sent: usize) -> usize {
    let answer = MAX_ANSWER_TOKENS.min(window / 2);
    ((window - answer) as usize).saturating_sub(sent).min(MAX_TOKENS)
}

/// The number of tokens of a text, estimated from its characters: one for each character of Chinese, Japanese and Korean, one for two of
/// other scripts than the Latin one, and one for three Latin letters. Tokenizers of today need fewer for most texts, so that what is
/// estimated to fit does.
pub(super) fn tokens(text: &str) -> usize {
    let sixths = text.chars().map(|c| match u32::from(c) {
        0..0x250 => 2_usize,
        // CJK symbols, kana, bopomofo, hangul and ideographs; full-width forms; emoji and rarer ideographs.
        0x1100..0x1200
        | 0x2e80..0xa4d0
        | 0xac00..0xd7b0
        | 0xf900..0xfb00
        | 0xfe30..0xfe50
        | 0xff00..0xfff0
        | 0x1_f000.. => 6,
        _ => 3,
    });
    sixths.sum::<usize>().div_ceil(6)
}

/// How many of the newest turns have at most `room` tokens.
pub(super) fn fitting(newest_first: &[TurnRecord], mut room: usize) -> usize {
    let fits = |turn: &&TurnRecord| {
        let needed =
            spoken(turn).map_or(0, |(question, answer)| tokens(question) + tokens(&answer) + 2 * MESSAGE_TOKENS);
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    };
    newest_first.iter().take_while(fits).count()
}

/// The turns after the one with this ID. All, when it is older than they are.
pub(super) fn newer_than<'a>(newest_first: &'a [TurnRecord], id: &str) -> &'a [TurnRecord] {
    let end = newest_first.iter().position(|turn| turn.id == id).unwrap_or(newest_first.len());
    &newest_first[..end]
}

/// What was asked and answered in a turn; `None` when either is missing. An interrupted answer holds only what was played.
pub(super) fn spoken(turn: &TurnRecord) -> Option<(&str, String)> {
    let answer = if turn.interrupted { format!("{} [interrupted]", turn.spoken) } else { turn.answer.clone() };
    (!turn.transcript.is_empty() && !answer.trim().is_empty()).then_some((turn.transcript.as_str(), answer))
}

/// The messages that stand for the turns of a summary: one of the person and one of the model, because some models expect them by turns.
fn introduction(summary: &SessionSummary) -> [Message; 2] {
    let told = format!("This is what we said earlier in this conversation, in short:\n\n{}", summary.text);
    [Message::new(Role::User, told), Message::new(Role::Assistant, "I remember that.")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(id: &str, question: &str, answer: &str) -> TurnRecord {
        let record = TurnRecord::begun(id.into(), "x".into(), jiff::Timestamp::UNIX_EPOCH);
        TurnRecord { transcript: question.into(), answer: answer.into(), ..record }
    }

    #[test]
    fn tokens_are_estimated_by_script() {
        assert_eq!((tokens(""), tokens("a"), tokens("abcdef")), (0, 1, 2));
        assert_eq!(tokens("Straßenbahn"), 4);
        assert_eq!(tokens("東京タワー"), 5);
        assert_eq!(tokens("서울"), 2);
        assert_eq!(tokens("привет"), 3);
        assert_eq!(tokens("東京 is a city"), 6);
    }

    #[test]
    fn the_budget_is_what_answer_prompt_and_question_leave() {
        assert_eq!(budget(131_072, 500), MAX_TOKENS);
        assert_eq!(budget(8_192, 500), 8_192 - 2_048 - 500);
        assert_eq!(budget(2_048, 300), 1_024 - 300, "a small window gives the answer half");
        assert_eq!(budget(2_048, 5_000), 0);
        assert_eq!(budget(0, 0), 0);
    }

    #[test]
    fn the_newest_turns_fit_first() {
        let question = "x".repeat(276);
        // 92 tokens, 2 of an answer, and 8 of two messages.
        let turns = [turn("c", &question, "abcdef"), turn("b", &question, "abcdef"), turn("a", &question, "abcdef")];
        assert_eq!([0, 101, 102, 203, 204, 1_000].map(|room| fitting(&turns, room)), [0, 0, 1, 1, 2, 3]);
        assert_eq!(newer_than(&turns, "b").len(), 1);
        assert_eq!(newer_than(&turns, "older").len(), 3);
    }

    #[test]
    fn a_turn_without_an_answer_takes_no_room() {
        let failed = turn("b", &"x".repeat(10_000), "");
        let stopped = TurnRecord { interrupted: true, spoken: "Half.".into(), ..turn("a", "Hm?", "Half. And more.") };
        assert_eq!(fitting(&[failed.clone(), stopped.clone()], 20), 2);
        assert_eq!(spoken(&failed), None);
        assert_eq!(spoken(&stopped), Some(("Hm?", "Half. [interrupted]".to_owned())));
    }
}
