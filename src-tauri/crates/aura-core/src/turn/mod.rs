//! Turns: from a question to a spoken answer, and the one task that starts and stops them.
//!
//! A turn goes listen → transcribe → look → think → speak, each step in its own file. While it thinks, the model may call tools.
//! [`Turns`] starts and stops turns: at most one runs on the stage, a press always wins, and one cancellation token stops a whole turn.

mod acting;
mod announce;
mod answer_sink;
mod at_cursor;
mod call;
mod cue;
mod current_session;
mod detached;
mod earlier_picture;
mod foreign;
mod hands_free;
mod hear_answer;
mod interrupt;
mod language;
mod last_picture;
mod last_voice;
mod level_reports;
mod listen;
mod live_words;
mod look;
mod memory;
mod opening_output;
mod owner;
mod permit;
mod prepare;
mod push_to_talk;
mod recorded_speech;
mod recorder;
mod recovery;
mod request;
mod saving;
mod say_only;
mod sentences;
mod speak;
mod speech_file;
mod spoken_command;
mod spoken_sound;
mod summary;
mod summary_slot;
mod think;
mod tool_loop;
mod tools;
mod transcribe;
#[expect(clippy::module_inception, reason = "the file of `struct Turn`")]
mod turn;
mod undo;
mod unsaved;
mod voice;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use acting::asking_tools;
use cue::Cue;
pub(crate) use current_session::CurrentSession;
pub(crate) use detached::run as run_detached;
pub use detached::{ANSWER_RATE, DetachedTurn, TurnOutcome};
pub(crate) use hands_free::HandsFree;
pub(crate) use last_picture::LastPicture;
pub(crate) use last_voice::LastVoice;
use live_words::LiveWords;
pub(crate) use owner::Owner;
use prepare::Prepared;
use push_to_talk::{OnPress, OnRelease};
pub(crate) use recorded_speech::{holds_words, speech_duration};
pub(crate) use recovery::{add_unknown_recordings, end_unfinished};
pub use request::Speech;
pub(crate) use request::{Attachment, Question, SpokenText, TurnContext, TurnRequest};
pub(crate) use sentences::split_to;
pub(crate) use speech_file::decode_to_speech_rate;
pub(crate) use spoken_sound::SpokenSound;
pub(crate) use summary_slot::SummarySlot;
use turn::{Phase, Turn};
pub(crate) use unsaved::UnsavedTurns;
pub(crate) use voice::Voice;

use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::purpose::Purpose;
use crate::record::{NoticeKind, Stage, TurnRecord};

/// Commands that may be queued for the owner of the stage.
const COMMANDS: usize = 64;
/// Sentences that may be queued to be spoken. The longest answer has fewer, so that writing never waits for speaking.
const SENTENCES: usize = think::MAX_ANSWER_TOKENS as usize;

/// Starts and stops turns. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    commands: mpsc::Sender<Command>,
    stage: watch::Receiver<Stage>,
    context: TurnContext,
}

enum Command {
    Press(TurnRequest),
    Release,
    Finish,
    Cancel,
    Run(TurnRequest, oneshot::Sender<TurnRecord>),
}

impl Turns {
    /// Starts the task that owns the stage. It ends when the last clone is dropped.
    pub(crate) fn start(context: TurnContext) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (show, stage) = watch::channel(Stage::Idle);
        tokio::spawn(TurnOwner { context: context.clone(), stage: Arc::new(show), current: None }.run(inbox));
        Self { commands, stage, context }
    }

    /// The context of the turns on the stage.
    pub(crate) fn context(&self) -> &TurnContext {
        &self.context
    }

    /// Stops every turn, begins no further one, and waits until all are written down.
    pub(crate) async fn close(&self) {
        self.context.closing.cancel();
        self.context.last_picture.forget();
        self.context.last_voice.forget();
        self.cancel();
        self.context.running.close();
        self.context.running.wait().await;
    }

    /// Handles a press of the push-to-talk key.
    pub(crate) fn press(&self, request: TurnRequest) {
        self.send(Command::Press(request));
    }

    /// Handles a release of the push-to-talk key.
    pub(crate) fn release(&self) {
        self.send(Command::Release);
    }

    /// Ends the recording, whatever the push-to-talk mode.
    pub(crate) fn finish(&self) {
        self.send(Command::Finish);
    }

    /// Stops the current turn.
    pub(crate) fn cancel(&self) {
        self.send(Command::Cancel);
    }

    /// Queues a command without waiting. The owner never blocks, so the queue is full only when commands arrive faster than
    /// they can be read.
    fn send(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::warn!("dropped a push-to-talk command: too many at once");
        }
    }

    /// Runs a turn and waits for its end. The record of a failed turn holds its error. Dropping the future stops the turn.
    ///
    /// # Errors
    /// When the program ends before the turn does.
    pub(crate) async fn run(&self, request: TurnRequest) -> Result<TurnRecord> {
        let (done, record) = oneshot::channel();
        let _ = self.commands.send(Command::Run(request, done)).await;
        record.await.map_err(|_| Error::cancelled())
    }

    /// Waits until no turn is on the stage.
    pub(crate) async fn idle(&self) {
        // An error means that AURA ends.
        let _ = self.stage.clone().wait_for(|stage| *stage == Stage::Idle).await;
    }

    /// The stage of the current turn.
    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }
}

/// The one task that owns the stage.
struct TurnOwner {
    context: TurnContext,
    stage: Arc<watch::Sender<Stage>>,
    current: Option<RunningTurn>,
}

struct RunningTurn {
    turn: Arc<Turn>,
    task: JoinHandle<()>,
    pressed: Instant,
}

impl TurnOwner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        while let Some(command) = inbox.recv().await {
            if self.current.as_ref().is_some_and(|running| running.task.is_finished()) {
                self.current = None;
            }
            match command {
                Command::Press(request) => match push_to_talk::on_press(self.phase()) {
                    OnPress::Start => self.begin(request, None),
                    OnPress::Finish => self.finish_listening(),
                    OnPress::Answer => self.begin_answer(),
                },
                Command::Release => self.release(),
                Command::Finish => self.finish_listening(),
                Command::Cancel => self.stop(),
                Command::Run(request, done) => self.begin(request, Some(done)),
            }
        }
        self.stop();
    }

    fn phase(&self) -> Option<Phase> {
        self.current.as_ref().map(|running| running.turn.phase())
    }

    fn release(&mut self) {
        let Some(running) = self.current.as_ref().filter(|running| running.turn.phase().records()) else {
            return;
        };
        let mode = running.turn.config.settings.listening.mode;
        match push_to_talk::on_release(mode, running.pressed.elapsed()) {
            OnRelease::Finish => self.finish_listening(),
            // Of an answer that was hardly begun, nothing is heard, and the question still waits.
            OnRelease::Discard if running.turn.phase() == Phase::Hearing => self.finish_listening(),
            OnRelease::Keep => running.turn.context.events.send(Event::Latched { turn: running.turn.id.clone() }),
            OnRelease::Discard => {
                running.turn.discard.cancel();
                self.stop();
            }
        }
    }

    fn finish_listening(&self) {
        if let Some(running) = self.current.as_ref().filter(|running| running.turn.phase().records()) {
            running.turn.finish_listening();
        }
    }

    /// Records the answer to the question that the current turn asks.
    fn begin_answer(&mut self) {
        if let Some(running) = &mut self.current {
            running.pressed = Instant::now();
            // A question that is over meanwhile needs no answer.
            let _ = running.turn.begin_answer(None);
        }
    }

    /// Stops the current turn, playback at once. Its task still saves the record; until then it stays the current turn, so that
    /// the next one can take the stage from it.
    fn stop(&mut self) {
        if let Some(running) = &self.current {
            running.turn.stop();
        }
    }

    fn begin(&mut self, request: TurnRequest, done: Option<oneshot::Sender<TurnRecord>>) {
        if let Some(running) = self.current.take() {
            running.turn.supersede();
        }
        if self.context.closing.is_cancelled() {
            return;
        }
        let config: Arc<Config> = self.context.store.get();
        let cancel = self.context.closing.child_token();
        let turn = Arc::new(Turn::new(self.context.clone(), config, request, self.stage.clone(), cancel));
        let task = self.context.running.spawn({
            let turn = turn.clone();
            async move {
                let Some(done) = done else { return drop(turn.run().await) };
                run_for_caller(&turn, done).await;
            }
        });
        self.current = Some(RunningTurn { turn, task, pressed: Instant::now() });
    }
}

/// Runs a turn whose caller waits for the record. A caller that leaves stops it.
async fn run_for_caller(turn: &Turn, mut done: oneshot::Sender<TurnRecord>) {
    let mut run = Box::pin(turn.run());
    let record = tokio::select! {
        biased;
        record = run.as_mut() => record,
        () = done.closed() => {
            turn.stop();
            run.await
        }
    };
    let _ = done.send(record);
}

impl Turn {
    /// Runs the turn until its record is saved. Cancelling drops the work at its current await point. A panic ends this turn alone.
    async fn run(&self) -> TurnRecord {
        self.context.summary_slot.give_way();
        let mut dropped = self.save_when_dropped();
        let result = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(self.stop_reason()),
            result = AssertUnwindSafe(self.work()).catch_unwind() => result.unwrap_or_else(|panic| Err(defect(&*panic))),
            never = self.keep_saved() => match never {},
        };
        // The playback of an answer that is stopped ends like that of one that was heard, and the work may notice it first.
        let is_stopped = result.is_ok() && self.phase() == Phase::Stopping;
        let result = if is_stopped { Err(self.stop_reason()) } else { result };
        self.check_budget();
        let record = self.close(result);
        if self.discard.is_cancelled() {
            dropped.disarm();
            self.files_written().await;
            self.forget().await;
            self.show(Stage::Idle);
            return record;
        }
        dropped.ended(&record);
        self.files_written().await;
        let record = self.save(record).await;
        dropped.disarm();
        self.show(Stage::Idle);
        self.context.events.send(Event::Done { record: Box::new(record.clone()) });
        self.summarise_later(&record);
        record
    }

    async fn work(&self) -> Result<()> {
        let result = self.steps().await;
        if let Err(error) = &result
            && error.code != ErrorCode::Cancelled
        {
            self.cue_failure().await;
            self.say_failure(error).await;
        }
        result
    }

    async fn steps(&self) -> Result<()> {
        let prepared = self.prepare();
        if let Question::SayOnly(text) = &self.request.question {
            return self.say_only(text, prepared).await;
        }
        // The microphone opens meanwhile. A detached turn shows nothing that the history should know first.
        if !matches!(self.request.question, Question::Microphone) && !self.is_detached() {
            self.begun().await;
        }
        let place = self.find_place();
        let (recorded, live) = match &self.request.question {
            Question::Microphone => self.listen().await.map(|(recorded, live)| (Some(recorded), live))?,
            Question::File(path) => (Some(self.open_recording(path).await?), LiveWords::Off),
            Question::Audio(file) => (Some(self.decode_recording(file.clone()).await?), LiveWords::Off),
            Question::Text(_) | Question::SayOnly(_) => (None, LiveWords::Off),
        };
        let question = match (recorded, &self.request.question) {
            (Some(recorded), _) => self.transcribe(recorded, live).await?,
            (None, Question::Text(text)) => text.clone(),
            (None, _) => String::new(),
        };
        if self.is_end_of_hands_free(&question) {
            return Ok(());
        }
        self.set_transcript(&question);
        if !matches!(self.request.question, Question::Text(_)) {
            self.cue(Cue::Heard);
        }
        if let Some(place) = place {
            return self.write_at_cursor(place, &question).await;
        }
        if self.request.purpose == Purpose::Transcribe {
            return Ok(());
        }
        if let Some(command) = self.spoken_command(&question) {
            return self.obey(command, prepared).await;
        }
        let picture = self.look(&prepared, &question).await?;
        self.answer(prepared, &question, picture).await
    }

    /// Writes and speaks the answer. A failure to speak is only a notice: the answer can still be read.
    ///
    /// # Errors
    /// When the answer could not be written.
    async fn answer(&self, prepared: Prepared, question: &str, picture: Option<Bytes>) -> Result<()> {
        let (sentences, to_speak) = mpsc::channel(SENTENCES);
        let answer =
            async { tokio::join!(self.think(question, picture, sentences), self.speak(prepared.output(), to_speak)) };
        let (written, spoken) = tokio::select! {
            answered = answer => answered,
            () = self.stop_when_interrupted() => return Err(Error::cancelled()),
        };
        if let Err(error) = spoken {
            self.notify_error(NoticeKind::NotSpoken, &error);
        }
        written
    }
}

/// The error of a turn that panicked.
fn defect(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(text.unwrap_or("a panic"))
}
