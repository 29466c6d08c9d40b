//! Events: the progress of turns and the changes of the assistant's state. The interface listens to every event.

use aura_audio::Pcm;
use aura_providers::Service;
use aura_router::health::Status;
use aura_router::{Attempt, Availability};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

use crate::consent::ConsentRequest;
use crate::local_models::LocalModelsView;
use crate::mcp::McpServerView;
use crate::record::{Notice, Playback, SentPicture, Stage, ToolTrace, TurnRecord};
use crate::updates::UpdatesView;
use crate::views::Snapshot;

/// Something that changed in the assistant or in a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A turn entered a stage.
    Stage {
        /// ID of the turn.
        turn: String,
        /// The new stage.
        stage: Stage,
    },
    /// The microphone delivered its first samples: the user can speak now.
    Recording {
        /// ID of the turn.
        turn: String,
    },
    /// A tap left the recording running: the next press ends it.
    Latched {
        /// ID of the turn.
        turn: String,
    },
    /// The level of the microphone, at most 30 times per second while it records.
    Level {
        /// Level from 0 (-60 dB full scale or less) to 1 (0 dB).
        level: f32,
        /// Duration of the recording so far, in milliseconds.
        elapsed_ms: u32,
    },
    /// Words were recognised while the question is still recorded; at most 20 times per second. The [transcript](Event::Transcript) that
    /// follows may differ.
    Partial {
        /// ID of the turn.
        turn: String,
        /// Words that will not change before the transcript.
        committed: String,
        /// What follows them and may still change, with the space before it.
        tentative: String,
    },
    /// The question is known.
    Transcript {
        /// ID of the turn.
        turn: String,
        /// The question as text.
        text: String,
    },
    /// A picture is sent with the question.
    Seen {
        /// ID of the turn.
        turn: String,
        /// The picture.
        seen: SentPicture,
    },
    /// More of the answer was written.
    Text {
        /// ID of the turn.
        turn: String,
        /// Text to append to the answer.
        delta: String,
    },
    /// A tool was called, or something of its call changed.
    Tool {
        /// ID of the turn.
        turn: String,
        /// The index of the call among those of the turn.
        index: u32,
        /// The call so far.
        tool: Box<ToolTrace>,
    },
    /// The person is asked whether something may be done, or the question is over.
    Consent {
        /// ID of the turn.
        turn: String,
        /// The question; absent when it is over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        consent: Option<Box<ConsentRequest>>,
    },
    /// Playback of a sentence began.
    Speaking {
        /// ID of the turn.
        turn: String,
        /// The sentence.
        sentence: String,
    },
    /// Playback of an answer began, was paused or went on, or ended. It ends with its turn, too.
    Playback {
        /// Whether an answer is being played.
        playback: Playback,
    },
    /// A call to a provider ended, with or without success.
    Attempt {
        /// ID of the turn.
        turn: String,
        /// The call and its outcome.
        attempt: Box<Attempt>,
    },
    /// A notice to show to the user.
    Notice {
        /// ID of the turn.
        turn: String,
        /// The notice.
        notice: Notice,
    },
    /// A turn ended, with or without success.
    Done {
        /// The complete record.
        record: Box<TurnRecord>,
    },
    /// A provider became unavailable for a service, or available again.
    Availability {
        /// ID of the provider.
        provider: String,
        /// The service.
        service: Service,
        /// The new status.
        status: Status,
        /// Why the provider is unavailable, in a sentence; absent when it is available.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        reason: Option<String>,
        /// When the provider will be called again; absent when it is available.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional, type = "string"))]
        until: Option<jiff::Timestamp>,
    },
    /// Routes, settings, API keys, the session, or a problem in the snapshot changed.
    Changed {
        /// The new state of the assistant.
        snapshot: Box<Snapshot>,
    },
    /// Turns were added to the history, or removed from it, other than by a turn that ended.
    History,
    /// The models on this computer changed: a download went on or ended, or a model was chosen or deleted. At most four per second.
    LocalModels {
        /// The models.
        view: Box<LocalModelsView>,
    },
    /// An MCP server started, failed or changed its tools, or a setting of one changed. At most four per second.
    McpServers {
        /// The servers of the settings.
        servers: Vec<McpServerView>,
    },
    /// A newer version was found, or its download went on. At most four per second.
    Updates {
        /// What is known about it.
        view: Box<UpdatesView>,
    },
}

/// Broadcasts events to all subscribers. A slow subscriber misses the oldest events; sending never waits.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    /// A queue of 1024 events: about half a minute of level and text events at their fastest rate.
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl Events {
    /// Sends an event to all subscribers.
    pub fn send(&self, event: Event) {
        // An error only means that there are no subscribers.
        let _ = self.0.send(event);
    }

    /// Subscribes to all events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

/// An update to the caller of a [detached turn](crate::DetachedTurn).
#[derive(Debug, Clone, PartialEq)]
pub enum TurnUpdate {
    /// An event of the turn.
    Event(Event),
    /// The next part of the spoken answer, at [`ANSWER_RATE`](crate::ANSWER_RATE).
    Sound(Pcm),
}

/// Capacity of the queue of updates.
const QUEUE: usize = 256;
/// Content waits until this many places are free. It leaves room for the small events between two parts of content.
const RESERVED: usize = 64;

/// Sends the updates of a detached turn to its caller.
#[derive(Debug, Clone)]
pub(crate) struct TurnUpdates(mpsc::Sender<TurnUpdate>);

impl TurnUpdates {
    /// Makes a bounded queue. A caller that does not read slows its turn down.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<TurnUpdate>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Sends text or sound, and waits while the caller is behind. Does nothing once the caller has dropped its end.
    pub(crate) async fn send_content(&self, update: TurnUpdate) {
        if let Ok(places) = self.0.reserve_many(RESERVED).await {
            drop(places);
            self.send(update);
        }
    }

    /// Sends a small event without waiting.
    fn send(&self, update: TurnUpdate) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.try_send(update) {
            tracing::warn!("the caller of a detached turn is too far behind; an event was dropped");
        }
    }
}

/// The destination of a turn's events.
#[derive(Debug, Clone)]
pub(crate) enum EventSink {
    /// All subscribers: the turn runs on the stage.
    Everyone(Events),
    /// Only the caller of a detached turn.
    One(TurnUpdates),
}

impl EventSink {
    /// Sends a small event without waiting.
    pub(crate) fn send(&self, event: Event) {
        match self {
            Self::Everyone(events) => events.send(event),
            Self::One(updates) => updates.send(TurnUpdate::Event(event)),
        }
    }

    /// Sends a part of the answer, and waits while the caller of a detached turn is behind.
    pub(crate) async fn send_content(&self, event: Event) {
        match self {
            Self::Everyone(events) => events.send(event),
            Self::One(updates) => updates.send_content(TurnUpdate::Event(event)).await,
        }
    }
}

impl From<Availability> for Event {
    fn from(change: Availability) -> Self {
        let Availability { provider, service, status, reason, until } = change;
        Self::Availability { provider, service, status, reason, until }
    }
}
