//! Everything a listener may want to know, as it happens. Each event has a listener in the interface, and the reverse.

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use ts_rs::TS;

use crate::api::Snapshot;
use crate::audio::Pcm;
use crate::health::Status;
use crate::providers::Service;
use crate::record::{Attempt, Notice, Seen, Stage, TurnRecord};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export)]
pub enum Event {
    /// The turn moved on.
    Stage {
        /// The turn.
        turn: String,
        /// Where it is now.
        stage: Stage,
    },
    /// The first real sample arrived: speak now.
    Recording {
        /// The turn.
        turn: String,
    },
    /// How loud it is, at most 30 times a second while listening.
    Level {
        /// 0 is silence, 1 is as loud as it gets.
        level: f32,
        /// Recorded so far, milliseconds.
        elapsed_ms: u32,
    },
    /// What was understood.
    Transcript {
        /// The turn.
        turn: String,
        /// The question.
        text: String,
    },
    /// A picture of the screen goes with the question.
    Seen {
        /// The turn.
        turn: String,
        /// What was sent.
        seen: Seen,
    },
    /// The next piece of the answer.
    Text {
        /// The turn.
        turn: String,
        /// To be appended.
        delta: String,
    },
    /// A sentence begins to be heard.
    Speaking {
        /// The turn.
        turn: String,
        /// The sentence.
        sentence: String,
    },
    /// A call to a provider ended, well or not.
    Attempt {
        /// The turn.
        turn: String,
        /// The call.
        attempt: Box<Attempt>,
    },
    /// Something the person should know.
    Notice {
        /// The turn.
        turn: String,
        /// What.
        notice: Notice,
    },
    /// The turn ended, well or not.
    Done {
        /// All of it.
        record: Box<TurnRecord>,
    },
    /// A provider began to fail at a service, or works again.
    Availability {
        /// The provider.
        provider: String,
        /// The service.
        service: Service,
        /// How it is now.
        status: Status,
        /// Why, in a sentence; absent when it works.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        reason: Option<String>,
        /// Until when it is left alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "string")]
        until: Option<jiff::Timestamp>,
    },
    /// Routes, settings, keys or the shortcut changed.
    Changed {
        /// All that the interface shows.
        snapshot: Box<Snapshot>,
    },
}

/// Where events go: everyone who listens gets each; nobody is waited for.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    /// 1024 events: about half a minute of level and text at their fastest.
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl Events {
    /// Tells everyone who listens.
    pub fn send(&self, event: Event) {
        // An error only says that nobody listens.
        let _ = self.0.send(event);
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

/// What one caller is told of the turn that it asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Something that happened.
    Event(Event),
    /// The next piece of the answer's speech, in order.
    Sound(Pcm),
}

/// Who is told of a turn.
#[derive(Debug, Clone)]
pub(crate) enum Audience {
    /// Everyone who listens to the assistant: it is the turn on the stage.
    Everyone(Events),
    /// Whoever asked for it alone.
    One(mpsc::UnboundedSender<Told>),
}

impl Audience {
    pub(crate) fn send(&self, event: Event) {
        match self {
            Self::Everyone(events) => events.send(event),
            // A caller that went away drops the turn with it.
            Self::One(caller) => drop(caller.send(Told::Event(event))),
        }
    }
}
