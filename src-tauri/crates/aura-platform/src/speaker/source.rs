//! The ring as a sound of rodio's mixer.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use rodio::Source;

use super::ring::RingReader;
use super::status::StreamStatus;

/// Frames that are taken from the ring at once: a third of a millisecond at 48 kHz, by which a sample may be late.
const BLOCK: usize = 16;

/// The samples of a ring, and silence while it is empty. It never ends.
///
/// Nothing in it locks or allocates: the mixer asks for samples in the device's callback.
pub(super) struct RingSource {
    reader: RingReader,
    status: Arc<StreamStatus>,
    channels: NonZero<u16>,
    rate: NonZero<u32>,
    block: [f32; BLOCK],
    /// The frame of the block that is played.
    frame: usize,
    /// The channel of this frame that comes next.
    channel: u16,
}

impl RingSource {
    pub(super) fn new(
        reader: RingReader,
        status: Arc<StreamStatus>,
        channels: NonZero<u16>,
        rate: NonZero<u32>,
    ) -> Self {
        Self { reader, status, channels, rate, block: [0.0; BLOCK], frame: BLOCK, channel: 0 }
    }

    fn next_block(&mut self) {
        self.status.note_callback(self.reader.queued() > 0);
        let block = &mut self.block;
        self.reader.fill(BLOCK, |frame, sample| block[frame] = sample.clamp(-1.0, 1.0));
        self.frame = 0;
        if self.reader.take_wake_up() {
            self.status.wake();
        }
    }
}

impl Iterator for RingSource {
    type Item = f32;

    /// The next sample of the next channel. Mono goes to the two front channels; the others stay silent.
    fn next(&mut self) -> Option<f32> {
        if self.frame == BLOCK {
            self.next_block();
        }
        let sample = if self.channel < 2 { self.block[self.frame] } else { 0.0 };
        self.channel += 1;
        if self.channel == self.channels.get() {
            self.channel = 0;
            self.frame += 1;
        }
        Some(sample)
    }
}

impl Source for RingSource {
    fn current_span_len(&self) -> Option<usize> {
        None
    }

    fn channels(&self) -> NonZero<u16> {
        self.channels
    }

    fn sample_rate(&self) -> NonZero<u32> {
        self.rate
    }

    fn total_duration(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring::ring;
    use super::*;

    #[test]
    fn mono_goes_to_the_front_channels() {
        let (writer, reader) = ring(100, 48_000);
        writer.begin();
        writer.push(writer.utterance().unwrap(), &[0.5, -2.0]).unwrap();
        let (channels, rate) = (NonZero::new(4).unwrap(), NonZero::new(48_000).unwrap());
        let source = RingSource::new(reader, Arc::new(StreamStatus::new(480, rate)), channels, rate);
        let heard: Vec<f32> = source.take(4 * 3).collect();
        assert_eq!(heard, [0.5, 0.5, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
