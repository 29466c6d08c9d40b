//! A turn while it runs: its record as it grows, its clock, and what listeners are told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::speak::Voice;
use super::{Attached, Question, Request, Room};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::event::Event;
use crate::providers::{Service, ToolCall};
use crate::record::{Attempt, Notice, Route, Seen, Stage, StageTrace, TurnRecord};
use crate::router::{Moment, Observer, Plan};

/// One turn under way.
pub(crate) struct Turn {
    pub(crate) room: Room,
    /// The settings when it began; a switch meanwhile is for the next turn.
    pub(crate) config: Arc<Config>,
    pub(crate) request: Request,
    pub(crate) id: String,
    pub(crate) began: Instant,
    pub(crate) cancel: CancellationToken,
    /// Cancelled when the key is released.
    pub(crate) release: CancellationToken,
    pub(crate) voice: Mutex<Option<Arc<Voice>>>,
    listening: AtomicBool,
    /// It was a mistake and leaves nothing behind; known to whoever writes files for it.
    dismissed: Arc<AtomicBool>,
    /// Whether the stage is this turn's; held while it is shown, so that nothing is shown of a turn after the next one began.
    on_stage: Mutex<bool>,
    asked_at: Mutex<Instant>,
    record: Mutex<TurnRecord>,
    /// What its routes are chosen from, from its first call on.
    moment: OnceLock<Moment>,
    /// The tools that the model wanted called.
    calls: Mutex<Vec<ToolCall>>,
    show: Arc<watch::Sender<Stage>>,
}

/// Locks that are held for a moment and never across an await; a panic elsewhere must not take the turn with it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn {
    pub(crate) fn new(
        room: Room,
        config: Arc<Config>,
        request: Request,
        show: Arc<watch::Sender<Stage>>,
        cancel: CancellationToken,
    ) -> Self {
        let id = uuid::Uuid::now_v7().to_string();
        let record = TurnRecord {
            id: id.clone(),
            session: request.session.clone(),
            started_at: jiff::Timestamp::now(),
            transcript: String::new(),
            answer: String::new(),
            spoken: String::new(),
            interrupted: false,
            error: None,
            stages: Vec::new(),
            notices: Vec::new(),
            question_audio: None,
            answer_audio: None,
            seen: None,
            picture: match &request.image {
                Some(Attached::File(path)) => Some(path.clone()),
                _ => None,
            },
            first_sound_ms: None,
        };
        let now = Instant::now();
        Self {
            listening: AtomicBool::new(matches!(request.question, Question::Microphone)),
            room,
            config,
            request,
            id,
            began: now,
            release: cancel.child_token(),
            cancel,
            voice: Mutex::new(None),
            dismissed: Arc::default(),
            on_stage: Mutex::new(true),
            asked_at: Mutex::new(now),
            record: Mutex::new(record),
            moment: OnceLock::new(),
            calls: Mutex::default(),
            show,
        }
    }

    /// Changes the record.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut TurnRecord)) {
        change(&mut lock(&self.record));
    }

    /// The routes for a service. All services of a turn are planned from one moment: a switch meanwhile is for the next turn.
    pub(crate) fn plan(&self, service: Service) -> Result<Plan> {
        let moment = self.moment.get_or_init(|| self.room.router.moment());
        self.room.router.plan_at(moment, service, &self.request.wishes)
    }

    /// Keeps what the model wanted called.
    pub(crate) fn wants(&self, calls: Vec<ToolCall>) {
        *lock(&self.calls) = calls;
    }

    /// What the model wanted called.
    pub(crate) fn wanted(&self) -> Vec<ToolCall> {
        std::mem::take(&mut *lock(&self.calls))
    }

    /// Moves to a stage and times it until the guard is dropped.
    pub(crate) fn enter(&self, stage: Stage) -> InStage<'_> {
        self.show(stage);
        self.time(stage)
    }

    /// Times a stage that begins while another one is still shown.
    pub(crate) fn time(&self, stage: Stage) -> InStage<'_> {
        let began = Instant::now();
        let start_ms = ms(began - self.began);
        self.edit(|record| {
            record.stages.push(StageTrace { stage, start_ms, ms: 0, route: None, attempts: Vec::new() })
        });
        InStage { turn: self, stage, began }
    }

    /// Tells listeners where the turn is. One that the next turn interrupted says nothing: the next one has the stage.
    pub(crate) fn show(&self, stage: Stage) {
        let on_stage = lock(&self.on_stage);
        if *on_stage {
            self.show.send_replace(stage);
            self.room.events.send(Event::Stage { turn: self.id.clone(), stage });
        }
    }

    /// The turn is over.
    pub(crate) fn idle(&self) {
        self.show(Stage::Idle);
    }

    /// The next turn takes the stage.
    pub(crate) fn supersede(&self) {
        *lock(&self.on_stage) = false;
        self.stop();
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// The key went up: the clock towards the first sound starts.
    pub(crate) fn released(&self) {
        self.stopped_listening();
        self.release.cancel();
    }

    /// The recording ended, by the key or by its limit.
    pub(crate) fn stopped_listening(&self) {
        if self.listening.swap(false, Ordering::AcqRel) {
            *lock(&self.asked_at) = Instant::now();
        }
    }

    /// Since the key went up, or the question was typed.
    pub(crate) fn since_asked(&self) -> u32 {
        ms(lock(&self.asked_at).elapsed())
    }

    /// The turn was a mistake and leaves nothing behind.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Release);
    }

    pub(crate) fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Acquire)
    }

    /// The same, for a thread that outlives the turn's work.
    pub(crate) fn dismissed(&self) -> Arc<AtomicBool> {
        self.dismissed.clone()
    }

    /// Everything in flight stops; the sound at once.
    pub(crate) fn stop(&self) {
        if let Some(voice) = lock(&self.voice).as_ref() {
            voice.stop();
        }
        self.cancel.cancel();
    }

    /// What was understood, for listeners and the record.
    pub(crate) fn understood(&self, question: &str) {
        self.edit(|record| record.transcript = question.to_owned());
        self.room.events.send(Event::Transcript { turn: self.id.clone(), text: question.to_owned() });
    }

    /// What was sent of the screen.
    pub(crate) fn saw(&self, seen: Seen) {
        self.edit(|record| record.seen = Some(seen.clone()));
        self.room.events.send(Event::Seen { turn: self.id.clone(), seen });
    }

    /// Ends the record: what was heard, and why it failed.
    pub(crate) fn close(&self, result: Result<()>) -> TurnRecord {
        self.stopped_listening();
        let spoken = lock(&self.voice).take().map(|voice| voice.spoken());
        let mut record = lock(&self.record);
        if let Some(spoken) = spoken {
            record.spoken = spoken;
        }
        if let Err(error) = result {
            record.interrupted = error.code == Code::Cancelled;
            // An answer that was cut short by the person is no failure.
            if !record.interrupted || record.answer.is_empty() {
                record.error = Some(error);
            }
        }
        record.clone()
    }

    /// A notice of a kind, in a sentence.
    pub(crate) fn tell(&self, kind: &str, message: impl Into<String>) {
        self.notice(Notice { kind: kind.into(), message: message.into() });
    }

    /// A notice that comes from an error which did not end the turn.
    pub(crate) fn tell_error(&self, kind: &str, error: &Error) {
        tracing::warn!(code = error.code.as_str(), detail = ?error.detail, "{}", error.message);
        self.tell(kind, error.message.clone());
    }
}

impl Observer for Turn {
    fn attempt(&self, attempt: &Attempt) {
        let stage = match attempt.service {
            Service::Stt => Stage::Transcribing,
            Service::Llm | Service::Vlm => Stage::Thinking,
            Service::Tts => Stage::Speaking,
        };
        self.edit(|record| {
            if let Some(trace) = record.stages.iter_mut().rev().find(|trace| trace.stage == stage) {
                trace.attempts.push(attempt.clone());
            }
        });
        self.room.events.send(Event::Attempt { turn: self.id.clone(), attempt: Box::new(attempt.clone()) });
    }

    fn notice(&self, notice: Notice) {
        let mut known = false;
        self.edit(|record| {
            known = record.notices.contains(&notice);
            if !known {
                record.notices.push(notice.clone());
            }
        });
        // Each sentence of an answer is spoken by a call of its own: what they all have to say is said once.
        if !known {
            self.room.events.send(Event::Notice { turn: self.id.clone(), notice });
        }
    }
}

/// Times a stage; dropped when the stage ends, however it does.
pub(crate) struct InStage<'a> {
    turn: &'a Turn,
    stage: Stage,
    began: Instant,
}

impl InStage<'_> {
    /// The route that answered.
    pub(crate) fn by(&self, route: &Route) {
        self.edit(|trace| trace.route = Some(route.clone()));
    }

    fn edit(&self, change: impl FnOnce(&mut StageTrace)) {
        self.turn.edit(|record| {
            if let Some(trace) = record.stages.iter_mut().rev().find(|trace| trace.stage == self.stage) {
                change(trace);
            }
        });
    }
}

impl Drop for InStage<'_> {
    fn drop(&mut self) {
        let taken = ms(self.began.elapsed());
        self.edit(|trace| trace.ms = taken);
    }
}

/// Whole milliseconds.
pub(crate) fn ms(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
