//! Hands-free use: AURA listens again after each answer, until somebody ends it or nobody speaks.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use crate::assistant::Assistant;
use crate::error::ErrorCode;
use crate::turn::{HandsFree, Question, TurnRequest};

/// Questions in which no word was understood, one after the other, that end hands-free use: it is noise.
const MAX_WITHOUT_WORDS: u32 = 2;

impl Assistant {
    /// Begins hands-free use. A turn that runs is stopped.
    pub(crate) fn begin_hands_free(&self) {
        self.release_devices();
        let assistant = self.downgrade();
        // Locked until the task is there: it may end at once.
        let mut current = self.hands_free_task().lock();
        let task = tokio::spawn(async move {
            let hands_free = Arc::new(HandsFree::default());
            let mut without_words = 0;
            loop {
                let Some(this) = assistant.upgrade() else { return };
                let request = TurnRequest {
                    hands_free: Some(hands_free.clone()),
                    ..TurnRequest::new(Question::Microphone, this.session())
                };
                let turns = this.turns().clone();
                drop(this);
                let Ok(record) = turns.run(request).await else { break };
                without_words = match record.error.as_ref().map(|error| error.code) {
                    _ if hands_free.is_over() => break,
                    _ if hands_free.is_interrupted() => 0,
                    Some(ErrorCode::NothingHeard) if without_words + 1 < MAX_WITHOUT_WORDS => without_words + 1,
                    None if !record.interrupted => 0,
                    // The key was pressed, or something failed: it was shown, and would fail again.
                    _ => break,
                };
            }
            if let Some(this) = assistant.upgrade() {
                // Unless it was ended meanwhile, and begun again.
                let is_current =
                    |task: &mut AbortOnDropHandle<()>| Some(task.abort_handle().id()) == tokio::task::try_id();
                let ended = this.hands_free_task().lock().take_if(is_current);
                if ended.is_some() {
                    this.announce();
                }
            }
        });
        let before = current.replace(AbortOnDropHandle::new(task));
        drop(current);
        drop(before);
        self.announce();
    }

    /// Whether hands-free use is on.
    pub(crate) fn is_hands_free(&self) -> bool {
        self.hands_free_task().lock().is_some()
    }

    /// Ends hands-free use, and the turn that is a part of it.
    pub(crate) fn end_hands_free(&self) {
        let ended = self.hands_free_task().lock().take();
        if ended.is_some() {
            drop(ended);
            self.announce();
        }
    }
}

/// Begins or ends hands-free use.
pub(super) fn set(assistant: &Assistant, on: Option<bool>) {
    let is_on = assistant.is_hands_free();
    match on.unwrap_or(!is_on) {
        true if !is_on => assistant.begin_hands_free(),
        false => assistant.end_hands_free(),
        true => {}
    }
}
