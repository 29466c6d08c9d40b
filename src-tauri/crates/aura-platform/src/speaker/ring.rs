//! The ring buffer between [`Output`](aura_core::ports::Output) and the device's callback.
//!
//! Every sample has a position: the number of samples queued before it since the stream was opened. "Drop what is left" is a position
//! too, so samples that are queued right after a stop are never dropped by mistake, whenever the callback runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use parking_lot::Mutex;

/// Length of the fade-out after a stop, in seconds: long enough not to click.
const FADE_SECONDS: f32 = 0.005;

/// Samples queued under one lock at most, which bounds the time that a stop may wait for the lock.
const MAX_PUSH: usize = 1024;

/// [`RingState::wake_at`] while nothing waits.
const NO_WAITER: u64 = u64::MAX;

/// Positions that both ends share.
struct RingState {
    /// Samples before this position are dropped.
    drop_to: AtomicU64,
    /// Position after the last sample that was handed to the device.
    played: AtomicU64,
    /// Position after the last sample that left the ring, played or dropped.
    consumed: AtomicU64,
    /// The lowest position that a writer waits for [`RingState::consumed`] to reach, or [`NO_WAITER`].
    wake_at: AtomicU64,
}

/// The end that is written to.
pub(super) struct RingWriter {
    producer: Mutex<Producer>,
    state: Arc<RingState>,
    /// Position of the utterance's first sample.
    utterance_start: AtomicU64,
    /// Counts utterances.
    utterance: AtomicU64,
    is_stopped: AtomicBool,
}

struct Producer {
    ring: rtrb::Producer<f32>,
    /// Position of the next sample.
    next: u64,
}

/// The end that the device's callback reads. Nothing in it locks or allocates.
pub(super) struct RingReader {
    ring: rtrb::Consumer<f32>,
    state: Arc<RingState>,
    consumed: u64,
    /// Current gain of the fade-out, 0..=1.
    gain: f32,
    /// Loss of gain per frame while fading.
    fade: f32,
}

/// A ring for `capacity` samples, at `rate` samples per second.
pub(super) fn ring(capacity: usize, rate: u32) -> (RingWriter, RingReader) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let state = Arc::new(RingState {
        drop_to: AtomicU64::new(0),
        played: AtomicU64::new(0),
        consumed: AtomicU64::new(0),
        wake_at: AtomicU64::new(NO_WAITER),
    });
    let writer = RingWriter {
        producer: Mutex::new(Producer { ring: producer, next: 0 }),
        state: state.clone(),
        utterance_start: AtomicU64::new(0),
        utterance: AtomicU64::new(0),
        is_stopped: AtomicBool::new(false),
    };
    let fade = 1.0 / (FADE_SECONDS * rate as f32).max(1.0);
    (writer, RingReader { ring: consumer, state, consumed: 0, gain: 1.0, fade })
}

impl RingWriter {
    /// Starts an utterance and drops what is left of the last one.
    pub(super) fn begin(&self) {
        let producer = self.producer.lock();
        self.state.drop_to.store(producer.next, Ordering::Release);
        self.utterance_start.store(producer.next, Ordering::Release);
        self.utterance.fetch_add(1, Ordering::AcqRel);
        self.is_stopped.store(false, Ordering::Release);
    }

    /// Ends the utterance and drops what is left of it.
    pub(super) fn stop(&self) {
        // Writers hold the lock for microseconds. Without it, samples that are being queued would be heard after the stop.
        let producer = self.producer.lock();
        self.is_stopped.store(true, Ordering::Release);
        self.state.drop_to.store(producer.next, Ordering::Release);
    }

    /// The number of the current utterance; `None` once it was stopped.
    pub(super) fn utterance(&self) -> Option<u64> {
        (!self.is_stopped.load(Ordering::Acquire)).then(|| self.utterance.load(Ordering::Acquire))
    }

    /// Queues as many samples as fit, at most [`MAX_PUSH`], and returns their number; `None` when the utterance has ended.
    pub(super) fn push(&self, utterance: u64, samples: &[f32]) -> Option<usize> {
        let mut producer = self.producer.lock();
        if self.utterance() != Some(utterance) {
            return None;
        }
        let count = samples.len().min(producer.ring.slots()).min(MAX_PUSH);
        let queued = match producer.ring.write_chunk_uninit(count) {
            Ok(chunk) => chunk.fill_from_iter(samples[..count].iter().copied()),
            Err(_) => 0,
        };
        producer.next += queued as u64;
        Some(queued)
    }

    /// Samples of this utterance that were handed to the device.
    pub(super) fn played(&self) -> u64 {
        self.state.played.load(Ordering::Acquire).saturating_sub(self.utterance_start.load(Ordering::Acquire))
    }

    /// Whether no queued sample is left in the ring.
    pub(super) fn is_empty(&self) -> bool {
        let next = self.producer.lock().next;
        self.state.consumed.load(Ordering::Acquire) >= next
    }

    /// Requests a wake-up once this many samples of the utterance have left the ring. See [`RingReader::take_wake_up`].
    pub(super) fn wake_when_played(&self, samples: u64) {
        self.wake_at(self.utterance_start.load(Ordering::Acquire).saturating_add(samples));
    }

    /// Requests a wake-up once at most `left` samples are in the ring. See [`RingReader::take_wake_up`].
    pub(super) fn wake_when_left(&self, left: u64) {
        self.wake_at(self.producer.lock().next.saturating_sub(left));
    }

    /// Requests a wake-up at a position. The callback compares positions each time it runs, so a request for one that has passed is
    /// answered by the next callback.
    fn wake_at(&self, position: u64) {
        self.state.wake_at.fetch_min(position, Ordering::AcqRel);
        // The caller reads the position next. Either it sees what was played, or the reader sees the request.
        fence(Ordering::SeqCst);
    }
}

impl RingReader {
    /// Samples that are waiting to be played.
    pub(super) fn queued(&self) -> usize {
        self.ring.slots()
    }

    /// Whether a requested position was reached since the last call. Waiters whose position was not reached must request it again.
    pub(super) fn take_wake_up(&self) -> bool {
        fence(Ordering::SeqCst);
        self.consumed >= self.state.wake_at.load(Ordering::Acquire)
            && self.state.wake_at.swap(NO_WAITER, Ordering::AcqRel) != NO_WAITER
    }

    /// Calls `put` once for each of the device's next frames, with a queued sample or with silence.
    pub(super) fn fill(&mut self, frames: usize, mut put: impl FnMut(usize, f32)) {
        let mut at = 0;
        while at < frames {
            let drop_to = self.state.drop_to.load(Ordering::Acquire);
            let dropping = drop_to.saturating_sub(self.consumed);
            if dropping > 0 && self.gain <= 0.0 {
                self.skip(dropping);
                continue;
            }
            // Samples that are to be dropped are still played while they fade out.
            let wanted = if dropping > 0 { (frames - at).min(dropping as usize) } else { frames - at };
            let count = wanted.min(self.ring.slots());
            let Ok(chunk) = self.ring.read_chunk(count) else { break };
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
            self.consumed += used as u64;
            if used > 0 {
                self.state.played.store(self.consumed, Ordering::Release);
            }
            if self.consumed >= drop_to {
                self.gain = 1.0;
            }
            if count == 0 {
                break;
            }
        }
        self.state.consumed.store(self.consumed, Ordering::Release);
        for frame in at..frames {
            put(frame, 0.0);
        }
    }

    /// Drops samples without playing them.
    fn skip(&mut self, count: u64) {
        let count = self.ring.slots().min(usize::try_from(count).unwrap_or(usize::MAX));
        if let Ok(chunk) = self.ring.read_chunk(count) {
            chunk.commit_all();
        }
        self.consumed += count as u64;
        self.gain = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn read(reader: &mut RingReader, frames: usize) -> Vec<f32> {
        let mut heard = vec![f32::NAN; frames];
        reader.fill(frames, |frame, sample| heard[frame] = sample);
        heard
    }

    fn push_all(writer: &RingWriter, mut samples: &[f32]) {
        let utterance = writer.utterance().unwrap();
        while !samples.is_empty() {
            samples = &samples[writer.push(utterance, samples).unwrap()..];
        }
    }

    #[test]
    fn plays_samples_in_order_and_then_silence() {
        let (writer, mut reader) = ring(5000, RATE);
        writer.begin();
        let samples: Vec<f32> = (1..=3000).map(|n| n as f32 / 3000.0).collect();
        push_all(&writer, &samples);
        assert!(!writer.is_empty());
        let mut heard = read(&mut reader, 480);
        assert_eq!(writer.played(), 480);
        heard.extend(read(&mut reader, 4000));
        assert_eq!(heard[..3000], samples);
        assert!(heard[3000..].iter().all(|sample| *sample == 0.0));
        assert_eq!(writer.played(), 3000);
        assert!(writer.is_empty());
    }

    #[test]
    fn a_stop_fades_out_without_a_click() {
        let (writer, mut reader) = ring(48_000, RATE);
        writer.begin();
        push_all(&writer, &[1.0; 20_000]);
        read(&mut reader, 480);
        let utterance = writer.utterance().unwrap();
        writer.stop();
        assert_eq!(writer.push(utterance, &[1.0]), None);
        let heard = read(&mut reader, 480);
        assert!(heard.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] < 0.01), "a click");
        assert!(heard[241..].iter().all(|sample| *sample == 0.0));
        assert!(writer.is_empty());
        // Neither dropped samples nor silence count as played.
        let played = writer.played();
        assert!((480..=720).contains(&played), "{played}");
        read(&mut reader, 480);
        assert_eq!(writer.played(), played);
    }

    #[test]
    fn an_utterance_right_after_a_stop_is_played_whole() {
        let (writer, mut reader) = ring(48_000, RATE);
        writer.begin();
        push_all(&writer, &[1.0; 5000]);
        let old = writer.utterance().unwrap();
        writer.stop();
        writer.begin();
        assert_eq!(writer.push(old, &[1.0]), None, "the last utterance can write into the new one");
        push_all(&writer, &[0.25; 1000]);
        let heard = read(&mut reader, 2000);
        assert_eq!(heard.iter().filter(|sample| **sample == 0.25).count(), 1000);
        assert_eq!(writer.played(), 1000);
        assert!(writer.is_empty());
    }

    #[test]
    fn a_new_utterance_starts_at_position_zero() {
        let (writer, mut reader) = ring(48_000, RATE);
        writer.begin();
        push_all(&writer, &[1.0; 600]);
        read(&mut reader, 1000);
        assert_eq!(writer.played(), 600);
        writer.begin();
        assert_eq!(writer.played(), 0);
        assert!(writer.is_empty());
    }

    #[test]
    fn a_push_takes_only_what_fits() {
        let (writer, mut reader) = ring(100, RATE);
        writer.begin();
        let utterance = writer.utterance().unwrap();
        assert_eq!(writer.push(utterance, &[1.0; 150]), Some(100));
        assert_eq!(writer.push(utterance, &[1.0; 150]), Some(0));
        read(&mut reader, 30);
        assert_eq!(writer.push(utterance, &[1.0; 150]), Some(30));
    }

    #[test]
    fn a_wake_up_comes_once_when_its_position_is_reached() {
        let (writer, mut reader) = ring(1000, RATE);
        writer.begin();
        push_all(&writer, &[1.0; 500]);
        assert!(!reader.take_wake_up(), "nothing was requested");
        writer.wake_when_played(300);
        writer.wake_when_played(100);
        read(&mut reader, 99);
        assert!(!reader.take_wake_up());
        read(&mut reader, 1);
        assert!(reader.take_wake_up());
        assert!(!reader.take_wake_up(), "it comes twice");
        writer.wake_when_left(100);
        read(&mut reader, 300);
        assert!(reader.take_wake_up());
    }
}
