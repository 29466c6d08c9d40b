//! The ring between those who speak and the device, and what is said about it in both directions.
//!
//! Every sample has a position: how many were queued before it. "Drop what is left" is then a position too, so that samples which
//! are queued right after it cannot be dropped by mistake, whenever the device looks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How long the sound takes to fade when it is stopped: long enough not to click.
const FADE_SECONDS: f32 = 0.005;

/// Queued at once at most: keeps the time short for which a stop may have to wait.
const PIECE: usize = 1024;

/// What both ends see.
#[derive(Default)]
struct Shared {
    /// Samples before this position are not to be heard.
    drop_to: AtomicU64,
    /// Position after the last sample that was handed to the device.
    heard: AtomicU64,
    /// Position after the last sample that was taken out, heard or not.
    taken: AtomicU64,
}

/// The end that is filled.
pub(super) struct Filler {
    queue: Mutex<Queue>,
    shared: Arc<Shared>,
    /// Position at which the utterance began.
    base: AtomicU64,
    /// Which utterance it is.
    utterance: AtomicU64,
    stopped: AtomicBool,
}

struct Queue {
    into: rtrb::Producer<f32>,
    /// Position of the next sample.
    next: u64,
}

/// The end that the device empties.
pub(super) struct Drain {
    from: rtrb::Consumer<f32>,
    shared: Arc<Shared>,
    taken: u64,
    gain: f32,
    fade: f32,
}

/// A ring for so many samples at a rate.
pub(super) fn ring(capacity: usize, rate: u32) -> (Filler, Drain) {
    let (into, from) = rtrb::RingBuffer::new(capacity);
    let shared = Arc::new(Shared::default());
    let filler = Filler {
        queue: Mutex::new(Queue { into, next: 0 }),
        shared: shared.clone(),
        base: AtomicU64::new(0),
        utterance: AtomicU64::new(0),
        stopped: AtomicBool::new(false),
    };
    (filler, Drain { from, shared, taken: 0, gain: 1.0, fade: 1.0 / (FADE_SECONDS * rate as f32).max(1.0) })
}

impl Filler {
    /// Starts an utterance.
    pub(super) fn begin(&self) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.drop_to.store(queue.next, Ordering::Release);
        self.base.store(queue.next, Ordering::Release);
        self.utterance.fetch_add(1, Ordering::AcqRel);
        self.stopped.store(false, Ordering::Release);
    }

    /// Ends the utterance at once.
    pub(super) fn stop(&self) {
        // Held by others for microseconds at most; without it, a piece that is being queued would be heard after the stop.
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopped.store(true, Ordering::Release);
        self.shared.drop_to.store(queue.next, Ordering::Release);
    }

    /// The utterance of this moment; `None` when it was stopped.
    pub(super) fn utterance(&self) -> Option<u64> {
        (!self.stopped.load(Ordering::Acquire)).then(|| self.utterance.load(Ordering::Acquire))
    }

    /// Queues as many samples as there is room for, at most one piece, and says how many; `None` when the utterance has ended.
    pub(super) fn push(&self, utterance: u64, samples: &[f32]) -> Option<usize> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if self.utterance() != Some(utterance) {
            return None;
        }
        let count = samples.len().min(queue.into.slots()).min(PIECE);
        let queued = match queue.into.write_chunk_uninit(count) {
            Ok(chunk) => chunk.fill_from_iter(samples[..count].iter().copied()),
            Err(_) => 0,
        };
        queue.next += queued as u64;
        Some(queued)
    }

    /// Samples of this utterance that were handed to the device.
    pub(super) fn played(&self) -> u64 {
        self.shared.heard.load(Ordering::Acquire).saturating_sub(self.base.load(Ordering::Acquire))
    }

    /// Whether everything that was queued is out of the ring.
    pub(super) fn is_empty(&self) -> bool {
        let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).next;
        self.shared.taken.load(Ordering::Acquire) >= next
    }
}

impl Drain {
    /// Whether there is something to be heard.
    pub(super) fn has_sound(&self) -> bool {
        !self.from.is_empty()
    }

    /// Gives the device its next samples, one call per frame; what was queued, else silence.
    pub(super) fn fill(&mut self, frames: usize, mut put: impl FnMut(usize, f32)) {
        let mut at = 0;
        while at < frames {
            let drop_to = self.shared.drop_to.load(Ordering::Acquire);
            let dropping = drop_to.saturating_sub(self.taken);
            if dropping > 0 && self.gain <= 0.0 {
                self.skip(dropping);
                continue;
            }
            // What is to be dropped is still heard while it fades.
            let wanted = if dropping > 0 { (frames - at).min(dropping as usize) } else { frames - at };
            let count = wanted.min(self.from.slots());
            let Ok(chunk) = self.from.read_chunk(count) else { break };
            let mut used = 0;
            let (first, second) = chunk.as_slices();
            for sample in first.iter().chain(second) {
                if dropping > 0 {
                    self.gain -= self.fade;
                    if self.gain <= 0.0 {
                        break;
                    }
                }
                put(at, sample * self.gain);
                (at, used) = (at + 1, used + 1);
            }
            chunk.commit(used);
            self.taken += used as u64;
            if used > 0 {
                self.shared.heard.store(self.taken, Ordering::Release);
            }
            if self.taken >= drop_to {
                self.gain = 1.0;
            }
            if count == 0 {
                break;
            }
        }
        self.shared.taken.store(self.taken, Ordering::Release);
        for frame in at..frames {
            put(frame, 0.0);
        }
    }

    /// Takes samples out unheard.
    fn skip(&mut self, count: u64) {
        let count = self.from.slots().min(usize::try_from(count).unwrap_or(usize::MAX));
        if let Ok(chunk) = self.from.read_chunk(count) {
            chunk.commit_all();
        }
        self.taken += count as u64;
        self.gain = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn take(drain: &mut Drain, frames: usize) -> Vec<f32> {
        let mut heard = vec![f32::NAN; frames];
        drain.fill(frames, |frame, sample| heard[frame] = sample);
        heard
    }

    fn push_all(filler: &Filler, mut samples: &[f32]) {
        let utterance = filler.utterance().unwrap();
        while !samples.is_empty() {
            samples = &samples[filler.push(utterance, samples).unwrap()..];
        }
    }

    #[test]
    fn plays_in_order_and_then_silence() {
        let (filler, mut drain) = ring(5000, RATE);
        filler.begin();
        let samples: Vec<f32> = (1..=3000).map(|n| n as f32 / 3000.0).collect();
        push_all(&filler, &samples);
        assert!(!filler.is_empty());
        let mut heard = take(&mut drain, 480);
        assert_eq!(filler.played(), 480);
        heard.extend(take(&mut drain, 4000));
        assert_eq!(heard[..3000], samples);
        assert!(heard[3000..].iter().all(|sample| *sample == 0.0));
        assert_eq!(filler.played(), 3000);
        assert!(filler.is_empty());
    }

    #[test]
    fn stops_with_a_short_fade() {
        let (filler, mut drain) = ring(48_000, RATE);
        filler.begin();
        push_all(&filler, &[1.0; 20_000]);
        take(&mut drain, 480);
        let utterance = filler.utterance().unwrap();
        filler.stop();
        assert_eq!(filler.push(utterance, &[1.0]), None);
        let heard = take(&mut drain, 480);
        assert!(heard.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] < 0.01), "a click");
        assert!(heard[241..].iter().all(|sample| *sample == 0.0));
        assert!(filler.is_empty());
        // Neither what was dropped nor the silence counts as played.
        let played = filler.played();
        assert!((480..=720).contains(&played), "{played}");
        take(&mut drain, 480);
        assert_eq!(filler.played(), played);
    }

    #[test]
    fn what_follows_a_stop_is_heard_whole() {
        let (filler, mut drain) = ring(48_000, RATE);
        filler.begin();
        push_all(&filler, &[1.0; 5000]);
        let old = filler.utterance().unwrap();
        filler.stop();
        filler.begin();
        assert_eq!(filler.push(old, &[1.0]), None, "the last utterance speaks into the new one");
        push_all(&filler, &[0.25; 1000]);
        let heard = take(&mut drain, 2000);
        assert_eq!(heard.iter().filter(|sample| **sample == 0.25).count(), 1000);
        assert_eq!(filler.played(), 1000);
        assert!(filler.is_empty());
    }

    #[test]
    fn a_new_utterance_starts_from_zero() {
        let (filler, mut drain) = ring(48_000, RATE);
        filler.begin();
        push_all(&filler, &[1.0; 600]);
        take(&mut drain, 1000);
        assert_eq!(filler.played(), 600);
        filler.begin();
        assert_eq!(filler.played(), 0);
        assert!(filler.is_empty());
    }

    #[test]
    fn takes_what_there_is_room_for() {
        let (filler, mut drain) = ring(100, RATE);
        filler.begin();
        let utterance = filler.utterance().unwrap();
        assert_eq!(filler.push(utterance, &[1.0; 150]), Some(100));
        assert_eq!(filler.push(utterance, &[1.0; 150]), Some(0));
        take(&mut drain, 30);
        assert_eq!(filler.push(utterance, &[1.0; 150]), Some(30));
    }
}
