//! Reminders: what AURA says when a timer is over. It is a turn without a question, so that it is seen, heard and found like an answer.

use super::prepare::Prepared;
use super::request::Reminder;
use super::turn::Turn;
use crate::error::Result;
use crate::record::Stage;

impl Turn {
    /// Says a reminder.
    ///
    /// # Errors
    /// None yet: a step of a turn returns a result.
    pub(super) async fn remind(&self, reminder: &Reminder, prepared: Prepared) -> Result<()> {
        // At once, also where nothing is spoken: so the windows show it.
        self.show(Stage::Speaking);
        self.say_at_once(reminder.text.clone(), Some(&reminder.language), prepared).await
    }
}
