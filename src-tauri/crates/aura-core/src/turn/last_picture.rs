//! The last picture that was sent, for questions that come back to it.
//!
//! It is in memory alone: one picture, of at most 20 MB, for ten minutes. A newer picture, another conversation, a deletion in the
//! history and the end of AURA drop it earlier.

use std::sync::Arc;
use std::time::Duration;

use aura_providers::MAX_IMAGE_BYTES;
use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::record::SentPicture;

/// How long a picture is kept.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// Keeps the last picture that was sent. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct LastPicture(Arc<Mutex<Option<Kept>>>);

struct Kept {
    picture: KeptPicture,
    /// Drops the picture when its time is over.
    _expiry: AbortOnDropHandle<()>,
}

/// A picture that was sent with an earlier question.
#[derive(Clone)]
pub(super) struct KeptPicture {
    /// A JPEG or PNG file.
    pub(super) file: Bytes,
    pub(super) sent: SentPicture,
    /// ID of the session.
    pub(super) session: String,
    /// The beginning of the question.
    pub(super) question: String,
    pub(super) kept_at: Timestamp,
}

impl LastPicture {
    /// Keeps a picture in the place of the one before. One that is too large is not kept.
    pub(super) fn keep(&self, picture: KeptPicture) {
        if picture.file.len() > MAX_IMAGE_BYTES {
            return self.forget();
        }
        let place = Arc::downgrade(&self.0);
        let expiry = tokio::spawn(async move {
            tokio::time::sleep(KEPT_FOR).await;
            if let Some(place) = place.upgrade() {
                // This task is a part of what it drops, and has nothing left to do.
                drop(place.lock().take());
            }
        });
        *self.0.lock() = Some(Kept { picture, _expiry: AbortOnDropHandle::new(expiry) });
    }

    /// The picture of this conversation.
    pub(super) fn get(&self, session: &str) -> Option<KeptPicture> {
        let kept = self.0.lock();
        let picture = kept.as_ref().map(|kept| &kept.picture).filter(|picture| picture.session == session)?;
        // The timer stands still while the computer sleeps.
        let age = Duration::try_from(Timestamp::now().duration_since(picture.kept_at)).unwrap_or_default();
        (age < KEPT_FOR).then(|| picture.clone())
    }

    /// Drops the picture.
    pub(crate) fn forget(&self) {
        self.0.lock().take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(session: &str, bytes: usize) -> KeptPicture {
        KeptPicture {
            file: vec![0; bytes].into(),
            sent: SentPicture { width: 4, height: 3, bytes: 2 },
            session: session.into(),
            question: "What is this?".into(),
            kept_at: Timestamp::now(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_is_kept_for_ten_minutes_and_for_its_conversation() {
        let last = LastPicture::default();
        last.keep(picture("a", 1));
        tokio::time::sleep(KEPT_FOR - Duration::from_secs(1)).await;
        assert!(last.get("a").is_some() && last.get("b").is_none());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(last.0.lock().is_none(), "the picture is still in memory");

        // The time of the earlier one does not end the later one.
        last.keep(picture("a", 1));
        tokio::time::sleep(KEPT_FOR / 2).await;
        last.keep(picture("b", 1));
        tokio::time::sleep(KEPT_FOR * 3 / 4).await;
        assert!(last.get("b").is_some() && last.get("a").is_none());
        last.forget();
        assert!(last.get("b").is_none());
    }

    #[tokio::test]
    async fn a_picture_that_outlived_the_sleep_of_the_computer_or_is_too_large_is_not_used() {
        let last = LastPicture::default();
        let slept = Timestamp::now() - jiff::SignedDuration::from_secs(601);
        last.keep(KeptPicture { kept_at: slept, ..picture("a", 1) });
        assert!(last.get("a").is_none());
        last.keep(picture("a", 1));
        last.keep(picture("a", MAX_IMAGE_BYTES + 1));
        assert!(last.get("a").is_none(), "the earlier one is not the last one");
    }
}
