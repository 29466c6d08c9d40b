//! From the ring to the listener: speech samples, in small blocks, and one error when the device is gone.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aura_core::audio::{Mixdown, SPEECH_RATE};
use aura_core::error::{Code, Error, Result};
use cpal::ErrorKind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::capture::Feed;
use crate::hosts::{Missing, Way, explain};

/// Samples per block at least: 10 ms.
const BLOCK: usize = SPEECH_RATE as usize / 100;

/// Samples per block at most: 40 ms.
const BLOCK_MOST: usize = 4 * BLOCK;

/// A device that is awake calls every 20 ms. Bluetooth takes up to three seconds to wake.
const FIRST_LIMIT: Duration = Duration::from_secs(3);

/// Silence of the callbacks after the first one that means that the device is gone. A sound system that notices says so within
/// 100 ms; this is for those that do not, and long enough for a computer that is very busy: half a second was not.
const NEXT_LIMIT: Duration = Duration::from_millis(1500);

/// How long it sleeps when nothing wakes it.
const NAP: Duration = Duration::from_millis(20);

/// Empties the ring until the recording ends.
pub(super) struct Pump {
    feed: Feed,
    mix: Mixdown,
    ready: Vec<i16>,
    blocks: mpsc::Sender<Result<Vec<i16>>>,
    stop: CancellationToken,
}

impl Pump {
    pub(super) fn new(feed: Feed, blocks: mpsc::Sender<Result<Vec<i16>>>, stop: CancellationToken) -> Self {
        let mix = Mixdown::new(feed.channels, feed.rate);
        Self { feed, mix, ready: Vec::new(), blocks, stop }
    }

    /// Works until the recording is stopped, lost, or nobody listens.
    pub(super) fn run(mut self) {
        let end = self.work();
        self.ready.append(&mut self.mix.finish());
        let listened = self.send(1);
        let shared = &self.feed.shared;
        let (dropped, gaps) = (shared.dropped.load(Ordering::Relaxed), shared.gaps.load(Ordering::Relaxed));
        if dropped + gaps > 0 {
            tracing::warn!(dropped, gaps, "the recording has holes; the computer may be too busy");
        }
        if let (Err(error), true) = (end, listened) {
            let _ = self.blocks.blocking_send(Err(error));
        }
    }

    fn work(&mut self) -> Result<()> {
        let (mut seen, mut last) = (0, Instant::now());
        loop {
            // Asked before the ring is emptied, so that what was there at the stop is still sent.
            let stopped = self.stop.is_cancelled();
            let lost = self.feed.shared.lost.load(Ordering::Acquire);
            let calls = self.feed.shared.calls.load(Ordering::Acquire);
            self.drain();
            if stopped || !self.send(BLOCK) {
                return Ok(());
            }
            if calls != seen {
                (seen, last) = (calls, Instant::now());
            }
            if lost {
                return Err(self.failure(seen));
            }
            let limit = if seen == 0 { FIRST_LIMIT } else { NEXT_LIMIT };
            if last.elapsed() > limit {
                self.feed.shared.fail(ErrorKind::DeviceNotAvailable.into());
                return Err(if seen == 0 { super::silent() } else { gone() });
            }
            std::thread::park_timeout(NAP);
        }
    }

    /// Takes what is in the ring.
    fn drain(&mut self) {
        let channels = usize::from(self.feed.channels);
        let whole = self.feed.ring.slots() / channels * channels;
        if let Ok(chunk) = self.feed.ring.read_chunk(whole) {
            let (first, second) = chunk.as_slices();
            if second.is_empty() {
                self.ready.append(&mut self.mix.push(first));
            } else {
                // A ring of whole frames wraps between frames.
                self.ready.append(&mut self.mix.push(&[first, second].concat()));
            }
            chunk.commit_all();
        }
    }

    /// Sends what is ready, if that is at least so much. False when nobody listens.
    fn send(&mut self, least: usize) -> bool {
        if self.ready.len() >= least {
            for block in std::mem::take(&mut self.ready).chunks(BLOCK_MOST) {
                if self.blocks.blocking_send(Ok(block.to_vec())).is_err() {
                    return false;
                }
            }
        }
        !self.blocks.is_closed()
    }

    /// Why the stream died: it never ran, or it went away.
    fn failure(&self, seen: u64) -> Error {
        let cause = self.feed.shared.cause().unwrap_or(ErrorKind::DeviceNotAvailable.into());
        if seen == 0 || cause.kind() == ErrorKind::PermissionDenied {
            return explain(Way::In, None, &Missing::Refused(cause));
        }
        gone().because(cause)
    }
}

fn gone() -> Error {
    Error::new(Code::MicrophoneLost, "The microphone went away while you spoke. What was heard until then is kept.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::capture::Shared;
    use super::*;

    struct Rig {
        into: rtrb::Producer<f32>,
        shared: Arc<Shared>,
        blocks: mpsc::Receiver<Result<Vec<i16>>>,
        stop: CancellationToken,
    }

    fn rig() -> Rig {
        let (into, ring) = rtrb::RingBuffer::new(2 * 48_000 * 2);
        let shared = Arc::new(Shared::default());
        let (send, blocks) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let feed = Feed { ring, shared: shared.clone(), channels: 2, rate: 48_000 };
        let pump = Pump::new(feed, send, stop.clone());
        let thread = std::thread::spawn(move || pump.run());
        shared.wake(thread.thread().clone());
        Rig { into, shared, blocks, stop }
    }

    impl Rig {
        /// One callback of 10 ms.
        fn call(&mut self) {
            for _ in 0..480 * 2 {
                self.into.push(0.5).unwrap();
            }
            self.shared.calls.fetch_add(1, Ordering::Release);
        }

        async fn rest(mut self) -> (Vec<i16>, Option<Error>) {
            let (mut samples, mut error) = (Vec::new(), None);
            while let Some(block) = self.blocks.recv().await {
                match block {
                    Ok(block) => {
                        assert!(error.is_none() && !block.is_empty() && block.len() <= BLOCK_MOST);
                        samples.extend(block);
                    }
                    Err(one) => assert!(error.replace(one).is_none(), "two errors"),
                }
            }
            (samples, error)
        }
    }

    #[tokio::test]
    async fn everything_before_the_stop_arrives() {
        let mut rig = rig();
        for _ in 0..25 {
            rig.call();
        }
        rig.stop.cancel();
        let (samples, error) = rig.rest().await;
        assert_eq!(error, None);
        assert!(samples.len().abs_diff(4000) <= 2, "{}", samples.len());
    }

    #[tokio::test]
    async fn a_silent_device_is_missed_and_a_vanished_one_is_lost() {
        let begun = Instant::now();
        let (samples, error) = rig().rest().await;
        assert_eq!((samples.len(), error.map(|error| error.code)), (0, Some(Code::NoMicrophone)));
        assert!(begun.elapsed() >= FIRST_LIMIT);

        let mut rig = rig();
        rig.call();
        let begun = Instant::now();
        let (samples, error) = rig.rest().await;
        assert!(samples.len() >= 158, "{}", samples.len());
        assert_eq!(error.map(|error| error.code), Some(Code::MicrophoneLost));
        assert!(begun.elapsed() >= NEXT_LIMIT);
    }

    #[tokio::test]
    async fn an_error_of_the_stream_ends_it() {
        let mut rig = rig();
        rig.call();
        rig.shared.fail(ErrorKind::StreamInvalidated.into());
        let error = rig.rest().await.1.expect("it is lost");
        // A device that is only silent for too long has no cause to tell.
        assert_eq!((error.code, error.detail.is_some()), (Code::MicrophoneLost, true));
    }
}
