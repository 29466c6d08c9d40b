//! Attending: what AURA does only while a person is at the desk. It acts with their consent, and says timers that are over.

use jiff::Timestamp;

use super::Assistant;
use crate::action_words::reminder;
use crate::timers::Timer;
use crate::turn::{Question, SpokenText, TurnRequest, asking_tools};

impl Assistant {
    /// Lets models act with the person's consent from now on, and says each timer when it is over, those first that fell due while AURA was
    /// off. For the desktop app. Returns when AURA ends.
    pub async fn attend(&self) {
        let began = Timestamp::now();
        self.turns().context().consents.set_person();
        self.turns().context().mcp.attend(&self.config().settings);
        self.announce();
        let timers = self.turns().context().timers.clone();
        loop {
            let timer = timers.next_due().await;
            // Nobody is interrupted for a timer: an answer is heard to its end.
            self.turns().idle().await;
            let late = (timer.due < began).then(|| Timestamp::now().duration_since(timer.due).as_secs());
            if !self.say_timer(&timer, late.and_then(|seconds| u64::try_from(seconds).ok())).await {
                return;
            }
            // Only now, so that a timer is not lost if AURA ends meanwhile.
            if let Err(error) = timers.cancel(timer.id).await {
                tracing::warn!(%error, "a timer that is over could not be removed");
                tokio::time::sleep(super::STOP_TIMEOUT).await;
            }
        }
    }

    /// Says that a timer is over. False when AURA ends.
    async fn say_timer(&self, timer: &Timer, late: Option<u64>) -> bool {
        let language = timer.language.clone().unwrap_or_else(|| "en".into());
        let text = SpokenText { text: reminder(timer, late), language };
        self.run(TurnRequest::new(Question::SayOnly(text), self.session())).await.is_ok()
    }

    /// The tools that act, for the permissions in the settings; none where AURA cannot act.
    pub(super) fn acting_tools(&self) -> Vec<String> {
        let can_act = self.turns().context().consents.has_person() && self.ports().desktop.is_available();
        if can_act { asking_tools() } else { Vec::new() }
    }
}
