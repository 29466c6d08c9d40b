//! What a machine must offer for a turn to happen. The core is handed these; it never names a sound card, a screen or a keyring.
//!
//! Every adapter returns errors whose message tells the person what to do. Nothing here blocks the runtime:
//! an adapter that must wait for the machine does so on a thread of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use ts_rs::TS;

use crate::audio::Pcm;
use crate::error::Result;
use crate::record::TurnRecord;
use crate::usage::{DaySum, Entry};

/// A microphone or a loudspeaker as it can be picked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Device {
    /// Stable name, kept in the settings.
    pub id: String,
    /// Name for the person.
    pub label: String,
    /// Whether it is the operating system's default.
    pub default: bool,
}

/// Records speech.
#[async_trait]
pub trait Microphone: Send + Sync {
    /// Starts recording from the named device, or the default one. Returns as soon as the device was asked;
    /// the first block tells that sound really flows.
    async fn record(&self, device: Option<&str>) -> Result<Recording>;

    /// The microphones that can be picked.
    async fn devices(&self) -> Result<Vec<Device>>;
}

/// A recording in progress: mono 16-bit samples at [`crate::audio::SPEECH_RATE`].
///
/// Blocks of about 10 to 40 ms arrive until the recording was told to stop; then the adapter flushes what it still holds and
/// closes the channel. A device that goes away sends one error and closes the channel. Dropping it stops the device.
#[derive(Debug)]
pub struct Recording {
    blocks: mpsc::Receiver<Result<Vec<i16>>>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Recording {
    /// A recording whose adapter sends into the other end of `blocks` and ends when `stop` is cancelled.
    pub fn new(blocks: mpsc::Receiver<Result<Vec<i16>>>, stop: CancellationToken) -> Self {
        let _stop_on_drop = stop.clone().drop_guard();
        Self { blocks, stop, _stop_on_drop }
    }

    /// The next block; `None` when the recording has ended.
    pub async fn next(&mut self) -> Option<Result<Vec<i16>>> {
        self.blocks.recv().await
    }

    /// Asks the device to stop. What it still holds arrives through [`Recording::next`].
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// Plays speech.
#[async_trait]
pub trait Speaker: Send + Sync {
    /// Opens the named output, or the default one, or gives back the one that is open already. Called at press, so that a sleeping
    /// device is awake at release.
    async fn open(&self, device: Option<&str>) -> Result<Arc<dyn Output>>;

    /// The outputs that can be picked.
    async fn devices(&self) -> Result<Vec<Device>>;

    /// Decodes a whole file of MP3, OGG, FLAC or WAV; refuses one that holds more than [`LONGEST_SOUND`](crate::audio::LONGEST_SOUND).
    /// Called on a thread that may block.
    fn decode(&self, file: Bytes) -> Result<Pcm>;
}

/// One persistent output stream, fed from a ring with mono samples at [`Output::rate`].
#[async_trait]
pub trait Output: Send + Sync {
    /// Samples per second that the ring takes.
    fn rate(&self) -> u32;

    /// Starts a new utterance: drops what is left of the last one, unmutes and sets [`Output::played`] to zero.
    fn begin(&self);

    /// Queues samples in -1..=1, waiting while the ring is full. Fails when the device is gone;
    /// returns at once when the utterance was stopped.
    async fn write(&self, samples: &[f32]) -> Result<()>;

    /// Samples of this utterance that were handed to the device.
    fn played(&self) -> u64;

    /// Waits until every queued sample was played, or the utterance was stopped.
    async fn drained(&self) -> Result<()>;

    /// Silence now: at most one device buffer is still heard. Never blocks.
    fn stop(&self);
}

/// What of the screen is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[ts(export)]
pub enum CaptureTarget {
    /// A whole monitor; without a name the one under the pointer, else the primary one.
    Monitor {
        /// The monitor's name as the operating system gives it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        name: Option<String>,
    },
    /// One window; without a title the one that has the focus.
    Window {
        /// A part of the window's title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        title: Option<String>,
    },
    /// A rectangle in desktop pixels.
    Region {
        /// Left edge.
        x: i32,
        /// Upper edge.
        y: i32,
        /// Width, at least 1.
        width: u32,
        /// Height, at least 1.
        height: u32,
    },
}

impl Default for CaptureTarget {
    fn default() -> Self {
        Self::Monitor { name: None }
    }
}

/// A rectangle of the desktop, in its pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Area {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A picture of the screen, ready to be sent.
#[derive(Debug, Clone)]
pub struct Screenshot {
    /// The JPEG file.
    pub jpeg: Bytes,
    /// Width in pixels after scaling, at most 1568.
    pub width: u32,
    /// Height in pixels after scaling, at most 1568.
    pub height: u32,
    /// What of the desktop it shows.
    pub area: Area,
}

/// Takes pictures of the screen.
#[async_trait]
pub trait Screen: Send + Sync {
    /// Captures, scales to at most 1568 px on the long edge and encodes as JPEG, off the calling task.
    async fn capture(&self, target: &CaptureTarget) -> Result<Screenshot>;

    /// Names of the monitors and titles of the windows that can be captured.
    async fn targets(&self) -> Result<Vec<CaptureTarget>>;
}

/// Keeps keys in the operating system's key store.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Whether the store can be used; the error says why not.
    async fn check(&self) -> Result<()>;
    /// The secret of that name, if there is one.
    async fn get(&self, name: &str) -> Result<Option<SecretString>>;
    /// Saves or replaces a secret.
    async fn set(&self, name: &str, secret: SecretString) -> Result<()>;
    /// Removes a secret; no error when there was none.
    async fn delete(&self, name: &str) -> Result<()>;
}

/// Keeps the turns.
#[async_trait]
pub trait History: Send + Sync {
    /// Saves or replaces a turn.
    async fn save(&self, turn: &TurnRecord) -> Result<()>;
    /// The turns that fit, newest first.
    async fn find(&self, filter: &TurnFilter) -> Result<Vec<TurnRecord>>;
    /// One turn.
    async fn get(&self, id: &str) -> Result<Option<TurnRecord>>;
    /// Removes a turn; no error when there was none.
    async fn delete(&self, id: &str) -> Result<()>;
}

/// Which turns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TurnFilter {
    /// Only of this session.
    pub session: Option<String>,
    /// Only those whose question or answer hold every one of these words, each by its beginning.
    pub words: Option<String>,
    /// Only those that began before this turn.
    pub before: Option<String>,
    /// How many at most.
    pub limit: u32,
}

/// Keeps what attempts used and cost.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Adds attempts, in one write.
    async fn add(&self, entries: &[Entry]) -> Result<()>;
    /// What was used since the beginning of a day of this computer's time zone, per day, provider and service.
    async fn sums(&self, from: jiff::civil::Date) -> Result<Vec<DaySum>>;
}

/// A local program to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where it is, from [`Programs::find`].
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What it reads on standard input.
    pub stdin: Bytes,
    /// After this long it is ended and the job fails.
    pub limit: Duration,
}

/// What a program wrote and how it ended.
#[derive(Debug, Clone)]
pub struct JobOutput {
    /// Whether it ended with status 0.
    pub success: bool,
    /// Standard output.
    pub stdout: Bytes,
    /// Standard error, at most its last 2 KiB.
    pub stderr: String,
}

/// Finds and runs programs on this computer, for the `offline` provider.
#[async_trait]
pub trait Programs: Send + Sync {
    /// Where a program is, by its name on `PATH`.
    fn find(&self, name: &str) -> Option<PathBuf>;
    /// Runs it to its end. Dropping the future ends the program.
    async fn run(&self, job: Job) -> Result<JobOutput>;
}

/// What works on this machine, or does not, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Finding {
    /// What was looked at: `microphone`, `speaker`, `screen`, `keyring`, `shortcut`, a program or a provider.
    pub area: String,
    /// Whether it works.
    pub ok: bool,
    /// What is.
    pub message: String,
    /// What to do about it, when it does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub remedy: Option<String>,
}

/// Looks over the machine.
#[async_trait]
pub trait Doctor: Send + Sync {
    /// Everything that can be checked at no cost.
    async fn examine(&self) -> Vec<Finding>;
}

/// Everything a machine offers, handed to the core once.
#[derive(Clone)]
pub struct Ports {
    /// Records.
    pub microphone: Arc<dyn Microphone>,
    /// Plays.
    pub speaker: Arc<dyn Speaker>,
    /// Sees.
    pub screen: Arc<dyn Screen>,
    /// Keeps keys.
    pub secrets: Arc<dyn Secrets>,
    /// Remembers.
    pub history: Arc<dyn History>,
    /// Keeps accounts.
    pub ledger: Arc<dyn Ledger>,
    /// Runs local programs.
    pub programs: Arc<dyn Programs>,
    /// Looks over all of them.
    pub doctor: Arc<dyn Doctor>,
}
