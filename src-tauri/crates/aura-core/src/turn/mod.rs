//! One push-to-talk turn, and the one task that owns the stage.
//!
//! A turn goes listen → transcribe → look → think → speak, each in its file. [`Turns`] starts and stops them: there is at most one,
//! a press always wins, and one cancellation token goes through all of a turn.

mod answer;
mod aside;
mod listen;
mod look;
mod sentences;
mod speak;
mod talk_key;
mod think;
mod trace;
mod transcribe;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{Speech, Wishes};
use crate::config::{Config, Store};
use crate::error::{Error, Result};
use crate::event::{Audience, Event};
use crate::ports::Ports;
use crate::record::{Stage, TurnRecord};
use crate::router::Router;
pub(crate) use aside::take as take_aside;
pub use aside::{Aside, Outcome, SOUND_RATE};
pub(crate) use listen::{unpacked, voiced};
pub(crate) use sentences::split_to;
use talk_key::{Doing, OnPress, OnRelease};
pub(crate) use trace::{Turn, lock};

/// What turns need, made once.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) ports: Ports,
    pub(crate) router: Router,
    pub(crate) store: Arc<Store>,
    pub(crate) events: Audience,
    /// Where recordings are kept; `None`: the turn is taken aside and leaves no file behind.
    pub(crate) recordings: Option<PathBuf>,
}

/// How a question comes in.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// From the microphone, until the key is released.
    Microphone,
    /// From a sound file.
    File(PathBuf),
    /// From a sound file that is in memory already.
    Sound(Bytes),
    /// As text.
    Text(String),
}

/// A picture that goes with a question.
#[derive(Debug, Clone)]
pub(crate) enum Attached {
    /// A file on this computer.
    File(PathBuf),
    /// A file that is in memory already.
    Bytes(Bytes),
}

/// A turn to be taken.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) question: Question,
    pub(crate) session: String,
    /// Whether the screen goes with it; `None`: as the settings say.
    pub(crate) screen: Option<bool>,
    /// A picture that goes with it.
    pub(crate) image: Option<Attached>,
    /// What else the model should know of where the question was asked.
    pub(crate) context: Option<String>,
    /// Whether the model is asked what the person wants done on the computer.
    pub(crate) plans: bool,
    pub(crate) speech: Speech,
    pub(crate) wishes: Wishes,
}

/// Starts and stops turns. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    commands: mpsc::UnboundedSender<Command>,
    stage: watch::Receiver<Stage>,
}

enum Command {
    Press(Request),
    Release,
    Finish,
    Cancel,
    Take(Request, oneshot::Sender<TurnRecord>),
}

impl Turns {
    /// Starts the task that owns the stage. It ends when the last clone is dropped.
    pub(crate) fn start(room: Room) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (show, stage) = watch::channel(Stage::Idle);
        tokio::spawn(Owner { room, show: Arc::new(show), current: None }.run(inbox));
        Self { commands, stage }
    }

    /// The key went down.
    pub(crate) fn press(&self, request: Request) {
        let _ = self.commands.send(Command::Press(request));
    }

    /// The key went up.
    pub(crate) fn release(&self) {
        let _ = self.commands.send(Command::Release);
    }

    /// The recording is complete, whatever the talk key's mode is.
    pub(crate) fn finish(&self) {
        let _ = self.commands.send(Command::Finish);
    }

    /// Everything in flight stops.
    pub(crate) fn cancel(&self) {
        let _ = self.commands.send(Command::Cancel);
    }

    /// Takes a turn and waits for its end. A turn that failed has its error in the record; it is an error only when there is no record.
    pub(crate) async fn take(&self, request: Request) -> Result<TurnRecord> {
        let (done, record) = oneshot::channel();
        let _ = self.commands.send(Command::Take(request, done));
        record.await.map_err(|_| Error::cancelled())
    }

    /// Where the turn is now.
    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }
}

struct Owner {
    room: Room,
    show: Arc<watch::Sender<Stage>>,
    current: Option<Running>,
}

struct Running {
    turn: Arc<Turn>,
    task: JoinHandle<()>,
    pressed: Instant,
    /// It was stopped, and has the stage only until it has saved what there is.
    stopped: bool,
}

impl Owner {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = inbox.recv().await {
            if self.current.as_ref().is_some_and(|running| running.task.is_finished()) {
                self.current = None;
            }
            match command {
                Command::Press(request) => match talk_key::press(self.doing()) {
                    OnPress::Start => self.begin(request, None),
                    OnPress::Finish => self.finish_listening(),
                },
                Command::Release => self.release(),
                Command::Finish => self.finish_listening(),
                Command::Cancel => self.stop(),
                Command::Take(request, done) => self.begin(request, Some(done)),
            }
        }
        self.stop();
    }

    fn doing(&self) -> Doing {
        match &self.current {
            None => Doing::Nothing,
            Some(running) if running.stopped => Doing::Nothing,
            Some(running) if running.turn.is_listening() => Doing::Listening,
            Some(_) => Doing::Answering,
        }
    }

    fn release(&mut self) {
        let Doing::Listening = self.doing() else { return };
        let Some(running) = &self.current else { return };
        let mode = running.turn.config.settings.listening.mode;
        match talk_key::release(mode, running.pressed.elapsed()) {
            OnRelease::Finish => self.finish_listening(),
            OnRelease::Keep => {}
            OnRelease::Drop => {
                running.turn.dismiss();
                self.stop();
            }
        }
    }

    fn finish_listening(&self) {
        if let (Doing::Listening, Some(running)) = (self.doing(), &self.current) {
            running.turn.released();
        }
    }

    /// Stops what is under way. The sound ends at once; the turn's own task saves what there is, and until it has, it is known here:
    /// the next one takes the stage from it.
    fn stop(&mut self) {
        if let Some(running) = &mut self.current {
            running.stopped = true;
            running.turn.stop();
        }
    }

    fn begin(&mut self, request: Request, done: Option<oneshot::Sender<TurnRecord>>) {
        if let Some(running) = self.current.take() {
            running.turn.supersede();
        }
        let config: Arc<Config> = self.room.store.get();
        let turn = Arc::new(Turn::new(self.room.clone(), config, request, self.show.clone(), CancellationToken::new()));
        let task = tokio::spawn({
            let turn = turn.clone();
            async move {
                let record = turn.run().await;
                if let Some(done) = done {
                    let _ = done.send(record);
                }
            }
        });
        self.current = Some(Running { turn, task, pressed: Instant::now(), stopped: false });
    }
}

impl Turn {
    /// The whole turn, to its saved record. Cancelling drops the work wherever it waits.
    async fn run(&self) -> TurnRecord {
        let result = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            result = self.work() => result,
        };
        let record = self.close(result);
        if self.is_dismissed() {
            self.idle();
            return record;
        }
        if let Err(error) = self.room.ports.history.save(&record).await {
            tracing::warn!(%error, "the turn was not saved");
        }
        self.idle();
        self.room.events.send(Event::Done { record: Box::new(record.clone()) });
        record
    }

    async fn work(&self) -> Result<()> {
        let prepared = self.prepare();
        let question = match &self.request.question {
            Question::Microphone => {
                let heard = self.listen(&prepared).await?;
                self.transcribe(heard).await?
            }
            Question::File(path) => {
                let heard = self.open_recording(path).await?;
                self.transcribe(heard).await?
            }
            Question::Sound(file) => {
                let heard = self.take_recording(file.clone()).await?;
                self.transcribe(heard).await?
            }
            Question::Text(text) => text.clone(),
        };
        self.understood(&question);
        let picture = self.look(&prepared, &question).await?;
        self.answer(prepared, &question, picture).await
    }
}
