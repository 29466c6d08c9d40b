//! A turn without a question: AURA only says something, such as that a timer is over. So it is seen, heard and found like an answer.

use super::prepare::Prepared;
use super::request::SpokenText;
use super::turn::Turn;
use crate::error::Result;
use crate::record::Stage;

impl Turn {
    /// Says a text.
    ///
    /// # Errors
    /// None yet: a step of a turn returns a result.
    pub(super) async fn say_only(&self, said: &SpokenText, prepared: Prepared) -> Result<()> {
        // At once, also where nothing is spoken: so the windows show it.
        self.show(Stage::Speaking);
        self.say_at_once(said.text.clone(), Some(&said.language), prepared).await
    }
}
