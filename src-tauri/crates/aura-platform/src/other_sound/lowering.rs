//! Which volumes to set, so that every stream of other programs is lowered once and gets its own volume back.

use serde::{Deserialize, Serialize};

/// How much of its volume a stream keeps, in percent of PulseAudio's scale: about a tenth of its loudness, -20 dB.
const KEPT_PERCENT: u64 = 46;

/// How far a volume may be from the one that was set. PipeWire keeps volumes as fractions.
const MAX_ROUNDING: u32 = 2;

/// Streams that ended while they were lowered, at most. What they left is corrected when their programs play again.
const MAX_ENDED: usize = 50;

/// A stream of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    /// The server's number of it.
    pub(super) index: u32,
    /// The name under which the server remembers its volume for the program's next stream.
    pub(super) program: Option<String>,
    /// The volume of each channel.
    pub(super) volume: Vec<u32>,
}

/// The volume of a stream before and after it was lowered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    /// The cookie of the server.
    server: u32,
    index: u32,
    program: Option<String>,
    before: Vec<u32>,
    after: Vec<u32>,
}

/// A volume to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) index: u32,
    pub(super) channels: Vec<u32>,
}

/// What was lowered and is not restored yet. Saved, so that it can be restored after a crash.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lowering {
    changes: Vec<Change>,
}

impl Lowering {
    /// Whether nothing is left to restore.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Lowers the streams that were not seen before.
    pub(super) fn lower(&mut self, server: u32, streams: &[Stream]) -> Vec<Volume> {
        let mut volumes = Vec::new();
        for stream in streams {
            if self.changes.iter().any(|change| change.is_of(server, stream)) {
                continue;
            }
            // The server gives a new stream of a lowered program the low volume.
            let inherited = self.changes.iter().find(|change| change.left_its_volume_to(stream));
            let (before, after) = match inherited {
                Some(change) => (change.before.clone(), stream.volume.clone()),
                None => {
                    let lowered = |raw: &u32| (u64::from(*raw) * KEPT_PERCENT / 100) as u32;
                    (stream.volume.clone(), stream.volume.iter().map(lowered).collect())
                }
            };
            if stream.volume != after {
                volumes.push(Volume { index: stream.index, channels: after.clone() });
            }
            let program = stream.program.clone();
            self.changes.push(Change { server, index: stream.index, program, before, after });
        }
        volumes
    }

    /// Restores the streams that are there, except those whose volume somebody changed. What has ended is kept.
    pub(super) fn restore(&mut self, server: u32, streams: &[Stream]) -> Vec<Volume> {
        let mut volumes = Vec::new();
        for stream in streams {
            let own = self.changes.iter().find(|change| change.is_of(server, stream));
            let change = own.or_else(|| self.changes.iter().find(|change| change.left_its_volume_to(stream)));
            if let Some(change) = change.filter(|change| is_near(&change.after, &stream.volume)) {
                volumes.push(Volume { index: stream.index, channels: change.before.clone() });
            }
        }
        let is_restored = |program: &Option<String>| {
            streams
                .iter()
                .any(|stream| stream.program == *program && volumes.iter().any(|set| set.index == stream.index))
        };
        self.changes.retain(|change| {
            let has_ended = !streams.iter().any(|stream| change.is_of(server, stream));
            has_ended && change.program.is_some() && !is_restored(&change.program)
        });
        self.changes.drain(..self.changes.len().saturating_sub(MAX_ENDED));
        volumes
    }

    /// Corrects what the server remembers of programs whose streams have ended: the volume to remember in the place of the one that it has for
    /// this program.
    pub(super) fn correct(&mut self, program: &str, remembered: &[u32]) -> Option<Vec<u32>> {
        let at = self.changes.iter().rposition(|change| change.program.as_deref() == Some(program))?;
        let change = self.changes[at].clone();
        self.changes.retain(|other| other.program != change.program);
        is_near(&change.after, remembered).then_some(change.before)
    }
}

impl Change {
    fn is_of(&self, server: u32, stream: &Stream) -> bool {
        self.server == server && self.index == stream.index
    }

    fn left_its_volume_to(&self, stream: &Stream) -> bool {
        self.program.is_some() && self.program == stream.program && is_near(&self.after, &stream.volume)
    }
}

fn is_near(one: &[u32], other: &[u32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= MAX_ROUNDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: u32 = 7;

    fn stream(index: u32, program: &str, volume: u32) -> Stream {
        Stream { index, program: Some(program.to_owned()), volume: vec![volume, volume / 2] }
    }

    fn set(index: u32, volume: u32) -> Volume {
        Volume { index, channels: vec![volume, volume / 2] }
    }

    #[test]
    fn each_stream_is_lowered_once_and_gets_its_volume_back() {
        let mut lowering = Lowering::default();
        assert_eq!(lowering.lower(SERVER, &[stream(1, "music", 60_000)]), [set(1, 27_600)]);
        // Another one begins, and the first has rounded its volume.
        let both = [stream(1, "music", 27_600), stream(2, "film", 40_000)];
        assert_eq!(lowering.lower(SERVER, &both), [set(2, 18_400)]);
        let both = [Stream { volume: vec![27_601, 13_799], ..stream(1, "music", 0) }, stream(2, "film", 18_400)];
        assert_eq!(lowering.restore(SERVER, &both), [set(1, 60_000), set(2, 40_000)]);
        assert!(lowering.is_empty());
    }

    #[test]
    fn a_volume_that_somebody_changed_is_left_alone() {
        let mut lowering = Lowering::default();
        lowering.lower(SERVER, &[stream(1, "music", 60_000)]);
        let changed = [stream(1, "music", 50_000)];
        assert_eq!(lowering.lower(SERVER, &changed), []);
        assert_eq!(lowering.restore(SERVER, &changed), []);
        assert!(lowering.is_empty());
    }

    #[test]
    fn what_a_stream_that_ended_left_is_corrected() {
        let mut lowering = Lowering::default();
        lowering.lower(SERVER, &[stream(1, "music", 60_000), stream(2, "film", 40_000), stream(3, "game", 20_000)]);
        // The program's next stream begins with the low volume. It is not lowered again, and gets back that of the first.
        let next = [stream(4, "music", 27_600)];
        assert_eq!(lowering.lower(SERVER, &next), []);
        assert_eq!(lowering.restore(SERVER, &next), [set(4, 60_000)]);
        // The server remembers the low volume of one of the others, the person set that of the other.
        assert_eq!(lowering.correct("film", &[18_400, 9_200]), Some(vec![40_000, 20_000]));
        assert_eq!(lowering.correct("game", &[65_536, 65_536]), None);
        assert_eq!(lowering.correct("music", &[27_600, 13_800]), None);
        assert!(lowering.is_empty());
    }

    #[test]
    fn after_a_restart_of_the_server_only_the_name_of_a_program_counts() {
        let mut lowering = Lowering::default();
        lowering.lower(SERVER, &[stream(1, "music", 60_000)]);
        let later = [stream(1, "film", 27_600), stream(9, "music", 27_600)];
        assert_eq!(lowering.restore(SERVER + 1, &later), [set(9, 60_000)]);
    }
}
