//! The answer that is being spoken, or was spoken last: what is paused, moved and repeated.
//!
//! Its sound is in memory alone, until another answer is spoken, a turn is deleted, or AURA ends. A long one is not kept after its end.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::spoken_sound::SpokenSound;
use super::voice::Voice;
use crate::record::Playback;

/// The longest sound that is kept: three minutes, which are 17 MB at 48 kHz.
const LONGEST: Duration = Duration::from_secs(180);

/// The answer that is being spoken, or was spoken last. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct LastVoice(Arc<Mutex<Option<Arc<Voice>>>>);

impl LastVoice {
    /// Replaces the answer.
    pub(crate) fn set(&self, voice: Arc<Voice>) {
        *self.0.lock() = Some(voice);
    }

    /// The answer.
    pub(crate) fn get(&self) -> Option<Arc<Voice>> {
        self.0.lock().clone()
    }

    /// Whether it is being played.
    pub(crate) fn playback(&self) -> Playback {
        self.get().map(|voice| voice.playback()).unwrap_or_default()
    }

    /// Drops the sound of an answer that is too long to be kept after its end.
    pub(crate) fn ended(&self) {
        self.0.lock().take_if(|voice| voice.duration() > LONGEST);
    }

    /// The sound of an answer whose playback has ended.
    pub(crate) fn sound(&self) -> Option<SpokenSound> {
        self.get()?.complete_sound()
    }

    /// Drops the answer.
    pub(crate) fn forget(&self) {
        self.0.lock().take();
    }
}
