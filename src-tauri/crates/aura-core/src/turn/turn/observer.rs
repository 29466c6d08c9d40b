//! What a turn records of the calls to providers, and how long its stages take.

use aura_providers::Service;
use aura_router::{Attempt, Observer, Route, RouteNotice, RouteNoticeKind};
use tokio::time::Instant;

use super::{Turn, whole_ms};
use crate::event::Event;
use crate::record::{Stage, StageTrace};
use crate::turn::cue::Cue;

impl Observer for Turn {
    fn first_content(&self, route: &Route) {
        let mut state = self.state.lock();
        state.has_switched |= state.failed.as_ref().is_some_and(|failed| *failed != route.provider);
    }

    fn attempt(&self, attempt: &Attempt) {
        let stage = match attempt.service {
            Service::Stt => Stage::Transcribing,
            Service::Llm | Service::Vlm | Service::Embedding => Stage::Thinking,
            Service::Tts => Stage::Speaking,
        };
        // The call for a transcript begins while the question is recorded, and may end then.
        let earlier = (stage == Stage::Transcribing).then_some(Stage::Listening);
        self.edit(|record| {
            let last = |wanted| record.stages.iter().rposition(|trace| Some(trace.stage) == wanted);
            if let Some(at) = last(Some(stage)).or_else(|| last(earlier)) {
                record.stages[at].attempts.push(attempt.clone());
            }
        });
        if attempt.kind.is_some() && attempt.service != Service::Tts {
            self.state.lock().failed = Some(attempt.route.provider.clone());
        }
        self.save_soon();
        self.context.events.send(Event::Attempt { turn: self.id.clone(), attempt: Box::new(attempt.clone()) });
    }

    fn notice(&self, notice: RouteNotice) {
        if notice.kind == RouteNoticeKind::Fallback {
            self.cue(Cue::Switched);
        }
        self.notify(notice.into());
    }
}

/// Times a stage until it is dropped, whether the stage succeeds, fails or is cancelled.
pub(crate) struct StageTimer<'a> {
    pub(super) turn: &'a Turn,
    pub(super) stage: Stage,
    pub(super) began: Instant,
}

impl StageTimer<'_> {
    /// Records the route that answered.
    pub(crate) fn answered_by(&self, route: &Route) {
        self.edit(|trace| trace.route = Some(route.clone()));
    }

    fn edit(&self, change: impl FnOnce(&mut StageTrace)) {
        self.turn.edit(|record| {
            if let Some(trace) = record.stages.iter_mut().rev().find(|trace| trace.stage == self.stage) {
                change(trace);
            }
        });
    }
}

impl Drop for StageTimer<'_> {
    fn drop(&mut self) {
        let elapsed = whole_ms(self.began.elapsed());
        self.edit(|trace| trace.ms = elapsed);
        self.turn.save_soon();
    }
}
