//! The microphone between recordings.

use tokio::sync::broadcast::error::RecvError;

use crate::assistant::Assistant;
use crate::config::Settings;
use crate::event::Event;

impl Assistant {
    /// Keeps the microphone open between recordings as the settings say, until the assistant ends. For a program that stays, such as the
    /// desktop app.
    pub async fn keep_microphone_open(&self) {
        let wanted = |settings: &Settings| (settings.listening.microphones(), settings.listening.standby);
        let mut events = self.subscribe();
        let mut current = None;
        loop {
            let latest = wanted(&self.config().settings);
            if current.as_ref() != Some(&latest) {
                self.ports().microphone.stand_by(&latest.0, latest.1);
                current = Some(latest);
            }
            loop {
                match events.recv().await {
                    Ok(Event::Changed { .. }) | Err(RecvError::Lagged(_)) => break,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }
}
