//! Consent: what the model wants to do outside AURA, and what the person says to it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::action::Action;
use crate::error::{Error, ErrorCode, Result};
use crate::timers::Timer;

/// How long a question waits for its answer. No answer is a no.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Actions that can be undone at the same time. Older ones no longer can.
const MAX_UNDO: usize = 20;

/// What may be done with a tool without a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Nothing: each call is asked for.
    #[default]
    Ask,
    /// The first call of a conversation is asked for. A yes holds until its end.
    Conversation,
    /// Everything, unless text that AURA read may have led to the call.
    Always,
    /// The tool is not offered to the model.
    Never,
}

/// A question to the person: whether an action may be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ConsentRequest {
    /// The question's ID, which the answer names.
    pub id: String,
    /// ID of the turn whose model wants to act.
    pub turn: String,
    /// The name of the tool.
    pub tool: String,
    /// What would be done, exactly.
    pub action: Action,
    /// The question in a sentence, in English.
    pub sentence: String,
    /// Whether the answer may be remembered. Not while the turn holds text that AURA read: it may have led to the call.
    pub may_remember: bool,
    /// When the question ends without an answer, which is a no.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub expires_at: jiff::Timestamp,
}

/// The answer to a [`ConsentRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ConsentAnswer {
    /// Yes, this once.
    Yes,
    /// Not now.
    No,
    /// Yes, and without a question until the conversation ends.
    Conversation,
    /// Yes, and without a question from now on.
    Always,
    /// No, and the tool is no longer offered.
    Never,
}

impl ConsentAnswer {
    /// Whether the action may be done.
    pub fn allows(self) -> bool {
        matches!(self, Self::Yes | Self::Conversation | Self::Always)
    }

    /// Whether the answer holds for later calls, too.
    fn is_remembered(self) -> bool {
        !matches!(self, Self::Yes | Self::No)
    }
}

/// Who answered a [`ConsentRequest`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// A key or a click in the window.
    Window,
    /// The person's voice.
    Voice,
    /// The command line.
    CommandLine,
    /// A program, over the local API.
    #[default]
    Api,
    /// The shortcut that the person pressed for it.
    Shortcut,
    /// An earlier answer, or the settings.
    Remembered,
    /// Nobody, in time.
    Nobody,
    /// One that a later version of AURA wrote.
    #[serde(other)]
    Unknown,
}

/// How a call was allowed or declined, in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ConsentTrace {
    /// Whether it was allowed.
    pub allowed: bool,
    /// Who said so.
    pub by: AnsweredBy,
}

/// How an action can be undone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Undo {
    /// Puts the earlier text back on the clipboard.
    SetClipboard(String),
    /// Sets the earlier volume, in percent.
    SetVolume(u32),
    /// Cancels the timer with this ID.
    CancelTimer(u32),
    /// Sets the timer again.
    SetTimer(Timer),
}

/// The pending question, what was allowed for a conversation, and what can be undone. In memory alone: it ends with AURA. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Consents(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Whether somebody is there to answer: the desktop app runs.
    has_person: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pending: Option<Pending>,
    /// The tools that a conversation may use without a question, by session.
    allowed: HashMap<String, HashSet<String>>,
    /// What can be undone, by turn and index of the call; the oldest first.
    undo: VecDeque<(String, u32, Undo)>,
    /// The last call that was to change something, by its turn and its index there.
    last_change: Option<(String, u32)>,
}

struct Pending {
    request: ConsentRequest,
    answer: oneshot::Sender<(ConsentAnswer, AnsweredBy)>,
}

impl Consents {
    /// Somebody is there to answer from now on.
    pub(crate) fn set_person(&self) {
        self.0.has_person.store(true, Ordering::Release);
    }

    /// Whether somebody is there to answer. Without, nothing is done outside AURA.
    pub(crate) fn has_person(&self) -> bool {
        self.0.has_person.load(Ordering::Acquire)
    }

    /// The question that waits for an answer.
    pub(crate) fn pending(&self) -> Option<ConsentRequest> {
        self.0.state.lock().pending.as_ref().map(|pending| pending.request.clone())
    }

    /// Asks a question, in the place of one that waits. It is withdrawn when the returned one is dropped.
    pub(crate) fn ask(&self, request: ConsentRequest) -> AskedConsent {
        let (answer, answered) = oneshot::channel();
        let id = request.id.clone();
        self.0.state.lock().pending = Some(Pending { request, answer });
        AskedConsent { consents: self.clone(), id, answered }
    }

    /// Takes the question with this ID, so that it can be answered once.
    ///
    /// # Errors
    /// With [`ErrorCode::NotFound`] when it does not wait, and when the answer must not be remembered.
    pub(crate) fn take(&self, id: &str, answer: ConsentAnswer) -> Result<TakenConsent> {
        let mut state = self.0.state.lock();
        let is_it = |pending: &mut Pending| pending.request.id == id;
        let Some(pending) = state.pending.take_if(is_it) else {
            let message = "This question was answered already, or its time is over. Nothing was changed.";
            return Err(Error::new(ErrorCode::NotFound, message));
        };
        if answer.is_remembered() && !pending.request.may_remember {
            state.pending = Some(pending);
            let message = "AURA has read text that is not yours, so this answer cannot be remembered. Say yes or no.";
            return Err(Error::invalid(message));
        }
        Ok(TakenConsent(pending))
    }

    /// Remembers that a conversation may use a tool without a question.
    pub(crate) fn allow_for(&self, session: &str, tool: &str) {
        self.0.state.lock().allowed.entry(session.to_owned()).or_default().insert(tool.to_owned());
    }

    /// Whether a conversation may use a tool without a question.
    pub(crate) fn is_allowed_for(&self, session: &str, tool: &str) -> bool {
        self.0.state.lock().allowed.get(session).is_some_and(|tools| tools.contains(tool))
    }

    /// Forgets what was allowed for conversations.
    pub(crate) fn forget_allowed(&self) {
        self.0.state.lock().allowed.clear();
    }

    /// Remembers how a call can be undone.
    pub(crate) fn keep_undo(&self, turn: &str, index: u32, undo: Undo) {
        let list = &mut self.0.state.lock().undo;
        if list.len() >= MAX_UNDO {
            list.pop_front();
        }
        list.push_back((turn.to_owned(), index, undo));
    }

    /// Notes that a call is about to change something, whether that can be undone or not.
    pub(crate) fn note_change(&self, turn: &str, index: u32) {
        self.0.state.lock().last_change = Some((turn.to_owned(), index));
    }

    /// The last call that was to change something; `None` when it cannot be undone.
    pub(crate) fn last_to_undo(&self) -> Option<(String, u32)> {
        let state = self.0.state.lock();
        let (turn, index) = state.last_change.clone()?;
        state.undo.iter().any(|(of, call, _)| *of == turn && *call == index).then_some((turn, index))
    }

    /// Takes how a call can be undone; `None` when it no longer can.
    pub(crate) fn take_undo(&self, turn: &str, index: u32) -> Option<Undo> {
        let list = &mut self.0.state.lock().undo;
        let at = list.iter().position(|(of, call, _)| of == turn && *call == index)?;
        list.remove(at).map(|(_, _, undo)| undo)
    }
}

/// A question that was asked. Dropping it withdraws it.
pub(crate) struct AskedConsent {
    consents: Consents,
    id: String,
    answered: oneshot::Receiver<(ConsentAnswer, AnsweredBy)>,
}

impl AskedConsent {
    /// Waits for the answer. One that another question replaced is answered with no.
    pub(crate) async fn answer(&mut self) -> (ConsentAnswer, AnsweredBy) {
        (&mut self.answered).await.unwrap_or((ConsentAnswer::No, AnsweredBy::Nobody))
    }
}

impl Drop for AskedConsent {
    fn drop(&mut self) {
        self.consents.0.state.lock().pending.take_if(|pending| pending.request.id == self.id);
    }
}

/// A question that is being answered.
pub(crate) struct TakenConsent(Pending);

impl TakenConsent {
    /// The question.
    pub(crate) fn request(&self) -> &ConsentRequest {
        &self.0.request
    }

    /// Gives the answer. False when the turn has ended meanwhile.
    pub(crate) fn answer(self, answer: ConsentAnswer, by: AnsweredBy) -> bool {
        self.0.answer.send((answer, by)).is_ok()
    }
}
