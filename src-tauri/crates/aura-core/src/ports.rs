//! Ports: the traits through which the assistant reaches the computer. Adapters for real devices are in `aura-platform`.
//!
//! The message of every error tells the user what to do. No method may block the runtime: an adapter that must block does so on a
//! thread of its own.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use aura_providers::Service;
pub use aura_providers::{Job, JobOutput, LocalModel, LocalModels, ProgramError, Programs};
pub use aura_router::{DailyUsage, Ledger, LedgerEntry, LedgerError};
use bytes::Bytes;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use crate::desktop::{Desktop, NoDesktop};
pub use crate::diagnostic::{Diagnostic, DiagnosticArea, Finding, ProgramTask};
use crate::error::{Error, ErrorCode, Result};
use crate::history_problem::HistoryProblem;
use crate::local_models::LocalModelsView;
pub use crate::other_sound::{Lowered, NoOtherSound, OtherSound};
use crate::record::TurnRecord;
pub use crate::recording::{Recording, Replacement};
use crate::session::{SessionSummary, SessionView};
use crate::updates::UpdatesView;

/// A microphone or loudspeaker that can be chosen in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Device {
    /// A stable ID, saved in the settings.
    pub id: String,
    /// The name to show to the user.
    pub label: String,
    /// Whether this is the operating system's default device.
    pub default: bool,
}

/// When the microphone is open, apart from recordings. A microphone that is open already records from the first moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Standby {
    /// Never.
    Off,
    /// For half a minute after each recording.
    #[default]
    AfterUse,
    /// Always. The last half second is kept in memory, and a recording begins with it: with what was said just before the press.
    Always,
}

/// The microphones of the computer.
#[async_trait]
pub trait Microphone: Send + Sync {
    /// Starts recording from the first of the devices with these IDs that can be used, else from the default one. Returns before the device
    /// delivers sound; the first block shows that it does.
    ///
    /// # Errors
    /// That of the first device, when none can be used, or access to it is denied.
    async fn record(&self, order: &[String]) -> Result<Recording>;

    /// Sets when the microphone is open apart from recordings, from now on: the first of these that can be used, else the default one. Returns
    /// at once. A microphone that cannot be opened is tried again at the next recording.
    fn stand_by(&self, _order: &[String], _standby: Standby) {}

    /// Lists the microphones.
    ///
    /// # Errors
    /// When the devices cannot be listed.
    async fn devices(&self) -> Result<Vec<Device>>;
}

/// The loudspeakers of the computer.
#[async_trait]
pub trait Speaker: Send + Sync {
    /// Opens the output with this ID, or the default one. Returns the open output when it is open already. Called at press, so
    /// that a device in standby is ready at release.
    ///
    /// # Errors
    /// When there is no such device, or it cannot be opened.
    async fn open(&self, device: Option<&str>) -> Result<Arc<dyn Output>>;

    /// Opens the output with this ID or, when that cannot be used, the default one. Returns whether the default one replaced it.
    ///
    /// # Errors
    /// That of the chosen output, when the default one cannot be used either.
    async fn open_or_default(&self, device: Option<&str>) -> Result<(Arc<dyn Output>, bool)> {
        match self.open(device).await {
            Err(error) if device.is_some() && error.code == ErrorCode::NoSpeaker => {
                Ok((self.open(None).await.map_err(|_| error)?, true))
            }
            opened => opened.map(|output| (output, false)),
        }
    }

    /// Lists the outputs.
    ///
    /// # Errors
    /// When the devices cannot be listed.
    async fn devices(&self) -> Result<Vec<Device>>;
}

/// An open output stream. It plays mono samples at [`Output::rate`] from a ring buffer, one utterance at a time.
#[async_trait]
pub trait Output: Send + Sync {
    /// Sample rate in Hz.
    fn rate(&self) -> u32;

    /// Starts a new utterance: drops the rest of the last one, unmutes, and resets [`Output::played`] to zero.
    fn begin(&self);

    /// Queues samples in -1..=1 and waits while the ring is full. Returns at once when the utterance was stopped.
    ///
    /// # Errors
    /// When the device was disconnected.
    async fn write(&self, samples: &[f32]) -> Result<()>;

    /// The number of samples of this utterance that were handed to the device.
    fn played(&self) -> u64;

    /// Waits until at least `position` samples of the utterance were handed to the device. Also returns when the utterance was stopped or
    /// replaced, or the device was lost.
    async fn reached(&self, position: u64);

    /// Waits until every queued sample was played, or the utterance was stopped.
    ///
    /// # Errors
    /// When the device was disconnected.
    async fn drained(&self) -> Result<()>;

    /// Stops the utterance at once; at most one device buffer is still audible. Never blocks.
    fn stop(&self);
}

/// The part of the desktop that a screenshot shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CaptureTarget {
    /// A whole monitor. Without a name: the monitor under the pointer, else the primary one.
    Monitor {
        /// The monitor's name in the operating system.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        name: Option<String>,
    },
    /// One window. Without a title: the focused window.
    Window {
        /// A part of the window's title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        title: Option<String>,
    },
    /// A rectangle of the desktop, in desktop pixels.
    Region {
        /// The left edge, in pixels; negative on a monitor left of the primary one.
        x: i32,
        /// The upper edge, in pixels; negative on a monitor above the primary one.
        y: i32,
        /// Width in pixels, at least 1.
        width: u32,
        /// Height in pixels, at least 1.
        height: u32,
    },
}

impl Default for CaptureTarget {
    fn default() -> Self {
        Self::Monitor { name: None }
    }
}

/// A rectangle of the desktop, in desktop pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Area {
    /// The left edge, in pixels.
    pub x: i32,
    /// The upper edge, in pixels.
    pub y: i32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A screenshot, ready to be sent.
#[derive(Debug, Clone)]
pub struct Screenshot {
    /// The JPEG file.
    pub jpeg: Bytes,
    /// Width in pixels after scaling, at most 1568.
    pub width: u32,
    /// Height in pixels after scaling, at most 1568.
    pub height: u32,
    /// The rectangle of the desktop that the screenshot shows.
    pub area: Area,
}

/// The screen of the computer.
#[async_trait]
pub trait Screen: Send + Sync {
    /// Takes a screenshot, scales it to at most 1568 pixels on the long edge, and encodes it as JPEG, on another thread.
    ///
    /// # Errors
    /// When the target does not exist, or capturing it is denied.
    async fn capture(&self, target: &CaptureTarget) -> Result<Screenshot>;

    /// Lists the monitors and windows that can be captured.
    ///
    /// # Errors
    /// When they cannot be listed.
    async fn targets(&self) -> Result<Vec<CaptureTarget>>;
}

/// The operating system's keyring, for API keys.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Checks that the keyring can be used.
    ///
    /// # Errors
    /// When it is missing, locked or denied.
    async fn check(&self) -> Result<()>;
    /// Reads the secret with this name; `None` when there is none.
    ///
    /// # Errors
    /// When the keyring fails.
    async fn get(&self, name: &str) -> Result<Option<SecretString>>;
    /// Saves or replaces the secret with this name.
    ///
    /// # Errors
    /// When the keyring fails.
    async fn set(&self, name: &str, secret: SecretString) -> Result<()>;
    /// Deletes the secret with this name. Succeeds when there is none.
    ///
    /// # Errors
    /// When the keyring fails.
    async fn delete(&self, name: &str) -> Result<()>;
}

/// The database of turns.
#[async_trait]
pub trait History: Send + Sync {
    /// Saves or replaces a turn.
    ///
    /// # Errors
    /// When the database fails.
    async fn save(&self, turn: &TurnRecord) -> Result<()>;
    /// Finds the turns that match the filter and have ended, newest first.
    ///
    /// # Errors
    /// When the database fails.
    async fn find(&self, filter: &TurnFilter) -> Result<Vec<TurnRecord>>;
    /// Finds the sessions that match the filter and have a turn that has ended, the one with the latest turn first.
    ///
    /// # Errors
    /// When the database fails.
    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionView>>;
    /// Gives a session a title; an empty one takes it away. Returns false when no turn belongs to the session.
    ///
    /// # Errors
    /// When the database fails.
    async fn rename_session(&self, id: &str, title: &str) -> Result<bool>;
    /// Reads the summary of one session, or those of all.
    ///
    /// # Errors
    /// When the database fails.
    async fn summaries(&self, session: Option<&str>) -> Result<Vec<SessionSummary>>;
    /// Saves a summary in the place of `replaced`, the last turn that the session's present summary covers. Returns false and saves
    /// nothing when that is no longer so, or when a turn of `of` is gone: what is deleted meanwhile must not come back in other words.
    /// A summary is deleted with any turn of its session.
    ///
    /// # Errors
    /// When the database fails.
    async fn save_summary(&self, summary: &SessionSummary, replaced: Option<&str>, of: &[String]) -> Result<bool>;
    /// Reads the turn with this ID; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    async fn get(&self, id: &str) -> Result<Option<TurnRecord>>;
    /// Reads all turns that have not ended, of every process that uses this database.
    ///
    /// # Errors
    /// When the database fails.
    async fn unfinished(&self) -> Result<Vec<TurnRecord>>;
    /// Returns those of the IDs that no turn has.
    ///
    /// # Errors
    /// When the database fails.
    async fn unknown(&self, ids: Vec<String>) -> Result<Vec<String>>;
    /// Removes the row of a turn that was not intended and has no words yet. Succeeds when there is none.
    ///
    /// # Errors
    /// When the database fails.
    async fn discard(&self, id: &str) -> Result<()>;
    /// Deletes the selected turns and AURA's own recordings of them. Neither the database nor a backup holds their words
    /// afterwards. Succeeds when nothing is selected. Recordings that could not be removed are remembered and removed later.
    ///
    /// # Errors
    /// When the database fails. No turn is deleted then.
    async fn delete(&self, selection: &Selection) -> Result<Deleted>;
    /// Changes the turn with this ID. Returns false when there is none; it is never added. Nothing can change or delete the turn between
    /// reading and saving it.
    ///
    /// # Errors
    /// When the database fails.
    async fn edit(&self, id: &str, change: TurnChange) -> Result<bool>;
    /// What is wrong with the history now, or was repaired lately. Adapters that cannot fail keep the default, which reports nothing.
    fn problem(&self) -> watch::Receiver<Option<HistoryProblem>> {
        watch::channel(None).1
    }
    /// Waits until the stored turns were checked for damage once since the start, and damage was repaired.
    async fn checked(&self) {}
    /// Writes everything to the disk and ends background work. Must be the last call.
    async fn close(&self) {}
}

/// Which turns [`History::delete`] deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The turn with this ID.
    Turn(String),
    /// The turns of the session with this ID.
    Session(String),
    /// Turns that began before this time.
    Before(jiff::Timestamp),
    /// Turns that began at or after the first time and before the second.
    Between(jiff::Timestamp, jiff::Timestamp),
    /// Every turn.
    All,
}

/// What [`History::delete`] deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deleted {
    /// IDs of the deleted turns.
    pub ids: Vec<String>,
    /// Recordings that were removed.
    pub files: Vec<PathBuf>,
    /// Recordings that could not be removed now. They are removed at the next deletion or start.
    pub files_left: Vec<PathBuf>,
}

/// A change of a turn, for [`History::edit`]. It may run more than once, each time on the turn as it was saved.
pub type TurnChange = Box<dyn Fn(&mut TurnRecord) + Send>;

/// A filter for [`History::find`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TurnFilter {
    /// Only turns of the session with this ID.
    pub session: Option<String>,
    /// Only turns whose question or answer contains words that begin with each of these words.
    pub words: Option<String>,
    /// Only turns that began before the turn with this ID.
    pub before: Option<String>,
    /// The largest number of turns to return.
    pub limit: u32,
}

/// A filter for [`History::sessions`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only sessions whose title contains this text, or with a turn that contains words that begin with each of its words.
    pub words: Option<String>,
    /// Only sessions that come after the session with this ID in the list.
    pub before: Option<String>,
    /// The largest number of sessions to return.
    pub limit: u32,
}

/// The store of the models that run on this computer.
///
/// A download goes on in the background. Each change of it, at most four per second, is told through [`LocalModelStore::changes`].
#[async_trait]
pub trait LocalModelStore: Send + Sync {
    /// The models. `language` is the ISO 639-1 code of the user's language, for the suggestions; `None`: that of the operating system.
    async fn view(&self, language: Option<&str>) -> LocalModelsView;
    /// A counter that grows with each change.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Starts to download a model, or goes on with a download that stopped. Succeeds when it runs or is installed already.
    ///
    /// # Errors
    /// When the model is unknown, this computer cannot run it, or the disk has no room for it.
    async fn download(&self, id: &str) -> Result<()>;
    /// Pauses a download. What has arrived is kept.
    ///
    /// # Errors
    /// When the model is unknown or is not being downloaded.
    async fn pause(&self, id: &str) -> Result<()>;
    /// Stops a download and removes what has arrived.
    ///
    /// # Errors
    /// When the model is unknown or is installed.
    async fn cancel(&self, id: &str) -> Result<()>;
    /// Removes an installed model from the disk.
    ///
    /// # Errors
    /// When the model is unknown, is not installed, or its files cannot be removed.
    async fn delete(&self, id: &str) -> Result<()>;
    /// Prefers an installed model for a service; `None`: none, so that the store's own order decides.
    ///
    /// # Errors
    /// When the model is not installed or does not provide the service, or the choice cannot be saved.
    async fn choose(&self, service: Service, id: Option<&str>) -> Result<()>;
}

/// A host without a store of models: the catalog is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLocalModelStore;

fn no_store<T>() -> Result<T> {
    Err(Error::new(ErrorCode::NotFound, "This program cannot install models."))
}

#[async_trait]
impl LocalModelStore for NoLocalModelStore {
    async fn view(&self, _language: Option<&str>) -> LocalModelsView {
        LocalModelsView::default()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    async fn download(&self, _id: &str) -> Result<()> {
        no_store()
    }

    async fn pause(&self, _id: &str) -> Result<()> {
        no_store()
    }

    async fn cancel(&self, _id: &str) -> Result<()> {
        no_store()
    }

    async fn delete(&self, _id: &str) -> Result<()> {
        no_store()
    }

    async fn choose(&self, _service: Service, _id: Option<&str>) -> Result<()> {
        no_store()
    }
}

/// The system check of the computer.
#[async_trait]
pub trait Doctor: Send + Sync {
    /// Checks everything that can be checked without a billed call, with the first of these microphones that can be used, and this speaker;
    /// without an ID, with the default one.
    async fn examine(&self, microphones: &[String], speaker: Option<&str>) -> Vec<Diagnostic>;
}

/// New versions of AURA, and newer lists of models and prices. Everything is signed by AURA's maintainers, and nothing is used unless its
/// signature is right.
#[async_trait]
pub trait Updates: Send + Sync {
    /// What is known, without asking anybody.
    fn view(&self) -> UpdatesView;
    /// A counter that grows with each change.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Asks for the newest version, and fetches newer lists.
    ///
    /// # Errors
    /// When this build knows no server, the server cannot be reached, or a signature is wrong.
    async fn check(&self) -> Result<()>;
    /// Starts to download the package of the newest version, or goes on with a download that stopped. Succeeds when it runs, or is
    /// done.
    ///
    /// # Errors
    /// When there is no newer version, or no package of it for this computer.
    fn download(&self) -> Result<()>;
    /// Stops a download. What has arrived is kept.
    fn stop(&self);
    /// Opens the downloaded package in the program that installs it.
    ///
    /// # Errors
    /// When it is not downloaded, was changed since, or no program opens it.
    async fn install(&self) -> Result<()>;
}

/// A host without updates.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUpdates;

fn no_updates<T>() -> Result<T> {
    Err(Error::new(ErrorCode::NotFound, "This program does not look for updates."))
}

#[async_trait]
impl Updates for NoUpdates {
    fn view(&self) -> UpdatesView {
        UpdatesView::default()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    async fn check(&self) -> Result<()> {
        no_updates()
    }

    fn download(&self) -> Result<()> {
        no_updates()
    }

    fn stop(&self) {}

    async fn install(&self) -> Result<()> {
        no_updates()
    }
}

/// All ports of the assistant.
#[derive(Clone)]
pub struct Ports {
    /// Records questions.
    pub microphone: Arc<dyn Microphone>,
    /// Plays answers.
    pub speaker: Arc<dyn Speaker>,
    /// Lowers what other programs play.
    pub other_sound: Arc<dyn OtherSound>,
    /// Takes screenshots.
    pub screen: Arc<dyn Screen>,
    /// Stores API keys.
    pub secrets: Arc<dyn Secrets>,
    /// Stores turns.
    pub history: Arc<dyn History>,
    /// Stores usage and cost.
    pub ledger: Arc<dyn Ledger>,
    /// Runs local programs.
    pub programs: Arc<dyn Programs>,
    /// Runs models on this computer.
    pub local_models: Arc<dyn LocalModels>,
    /// Stores the models that run on this computer.
    pub local_model_store: Arc<dyn LocalModelStore>,
    /// Looks for new versions.
    pub updates: Arc<dyn Updates>,
    /// Checks the computer.
    pub doctor: Arc<dyn Doctor>,
    /// Acts in other programs.
    pub desktop: Arc<dyn Desktop>,
}
