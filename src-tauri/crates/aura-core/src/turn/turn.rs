//! One turn while it runs: its phase, its record as it grows, its timing, and the events it sends.

mod observer;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use aura_providers::{Service, ToolCall};
use aura_router::{RouteOverrides, RoutePlan, RoutingSnapshot};
use parking_lot::Mutex;
use tokio::sync::{Notify, OnceCell, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::observer::StageTimer;
use super::cue::{self, Cue};
use super::hands_free::StartedRecording;
use super::language;
use super::opening_output::OpeningOutput;
use super::request::{Attachment, Question, TurnContext, TurnRequest};
use super::voice::Voice;
use crate::config::{Config, Persona};
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::record::{Notice, NoticeKind, Playback, Running, SentPicture, Stage, StageTrace, TurnRecord};

/// One turn while it runs.
pub(crate) struct Turn {
    pub(crate) context: TurnContext,
    /// The settings when the turn began. A later change applies to the next turn.
    pub(crate) config: Arc<Config>,
    pub(crate) request: TurnRequest,
    /// The persona that answers. Its voice and route are among the overrides of the request.
    pub(super) persona: Option<Persona>,
    pub(crate) id: String,
    /// Cancelled to stop the turn.
    pub(crate) cancel: CancellationToken,
    /// Cancelled to end the recording, when the key is released.
    pub(crate) release: CancellationToken,
    /// Cancelled when the key was held too briefly to be intended: the turn then saves nothing.
    pub(crate) discard: CancellationToken,
    /// The files that are being written.
    pub(crate) files: TaskTracker,
    /// Notified when the record has changed so much that it is saved.
    pub(super) changed: Notify,
    /// Cancelled once the first record is saved, or could not be.
    pub(super) begun: CancellationToken,
    /// Counts the saves that somebody waits for.
    pub(super) save_wanted: AtomicU64,
    /// The last save: the count of those that were wanted when it began, and whether it succeeded.
    pub(super) last_save: watch::Sender<(u64, bool)>,
    /// The earlier turns of the session, once they are read.
    pub(super) earlier: OnceCell<Vec<TurnRecord>>,
    /// The mark around foreign text, which nobody can guess.
    fence: String,
    /// Whether an answer to a question of this turn is recorded or understood.
    answers: watch::Sender<bool>,
    began: Instant,
    stage: Arc<watch::Sender<Stage>>,
    state: Mutex<TurnState>,
}

/// The phase of a turn, as push-to-talk distinguishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The microphone records.
    Listening,
    /// The question is known or being transcribed, and answered.
    Answering,
    /// The person is asked whether something may be done.
    Asking,
    /// The person's answer to that is recorded and understood.
    Hearing,
    /// The turn was stopped or has ended, and is being saved.
    Stopping,
}

impl Phase {
    /// Whether the microphone records for this turn until the key is released.
    pub(crate) fn records(self) -> bool {
        matches!(self, Self::Listening | Self::Hearing)
    }
}

struct TurnState {
    phase: Phase,
    /// Whether this turn shows its stage. False once the next turn superseded it.
    on_stage: bool,
    /// When the key was released, or the question was typed.
    asked_at: Instant,
    record: TurnRecord,
    /// The speaker that is being opened; `None` when nothing is played.
    output: Option<OpeningOutput>,
    voice: Option<Arc<Voice>>,
    /// The ISO 639-1 code of the language that was recognised in the recording.
    recognised: Option<String>,
    /// The routing snapshot of the turn, taken at its first call.
    routing: Option<Arc<RoutingSnapshot>>,
    /// The provider whose call for the question or the answer failed last.
    failed: Option<String>,
    /// Whether another provider took over.
    has_switched: bool,
    /// The tool calls of the answer.
    tool_calls: Vec<ToolCall>,
    /// Whether the model was given text or a picture that is not the person's own.
    has_foreign: bool,
    /// The names of the tools that the model is offered.
    offered: Vec<String>,
    /// The tools that the person has declined in this turn.
    declined: Vec<String>,
    /// Cancelled to end the recording of an answer to a question of this turn.
    answer_release: CancellationToken,
    /// The recording of such an answer that has begun already.
    answer_started: Option<StartedRecording>,
}

impl Turn {
    pub(crate) fn new(
        context: TurnContext,
        config: Arc<Config>,
        mut request: TurnRequest,
        stage: Arc<watch::Sender<Stage>>,
        cancel: CancellationToken,
    ) -> Self {
        let persona = config.settings.find_persona(request.persona.as_deref()).cloned();
        if let Some(persona) = &persona {
            persona.apply(&mut request.overrides, config.settings.fallback, |name| context.has_provider(name));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let mut record = TurnRecord::begun(id.clone(), request.session.clone(), jiff::Timestamp::now());
        record.purpose = request.purpose;
        if let Some(Attachment::File(path)) = &request.image {
            record.picture = Some(path.clone());
        }
        // From the first moment, so that a turn that AURA does not end can be retried.
        match &request.question {
            Question::Text(text) => record.transcript = text.clone(),
            Question::File(path) => record.question_audio = Some(path.clone()),
            Question::Microphone | Question::Audio(_) | Question::SayOnly(_) => {}
        }
        let now = Instant::now();
        let phase = match request.question {
            Question::Microphone => Phase::Listening,
            _ => Phase::Answering,
        };
        let state = TurnState {
            phase,
            on_stage: true,
            asked_at: now,
            record,
            output: None,
            voice: None,
            recognised: None,
            routing: None,
            failed: None,
            has_switched: false,
            tool_calls: Vec::new(),
            has_foreign: false,
            offered: Vec::new(),
            declined: Vec::new(),
            answer_release: CancellationToken::new(),
            answer_started: None,
        };
        Self {
            context,
            config,
            request,
            persona,
            id,
            release: cancel.child_token(),
            discard: CancellationToken::new(),
            cancel,
            files: TaskTracker::new(),
            changed: Notify::new(),
            begun: CancellationToken::new(),
            save_wanted: AtomicU64::new(0),
            last_save: watch::Sender::default(),
            earlier: OnceCell::new(),
            fence: format!("foreign-{}", uuid::Uuid::new_v4().simple()),
            answers: watch::Sender::new(false),
            began: now,
            stage,
            state: Mutex::new(state),
        }
    }

    /// The current phase.
    pub(crate) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// The record so far, of a turn that has not ended.
    pub(super) fn unfinished(&self) -> TurnRecord {
        let mut record = self.state.lock().record.clone();
        let stage = record.stages.last().map_or(Stage::Idle, |trace| trace.stage);
        record.running = Some(Running { stage, owner: self.context.owner.name().to_owned() });
        record
    }

    /// Saves the record soon, for a turn that AURA does not end. A detached turn is short, and there may be many at once: it is saved
    /// at its begin, with its transcript, and at its end.
    pub(super) fn save_soon(&self) {
        if !self.is_detached() {
            self.changed.notify_one();
        }
    }

    /// Changes the record.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut TurnRecord)) {
        change(&mut self.state.lock().record);
    }

    /// Plans the routes for a service. All services of a turn use one routing snapshot, so a settings change applies to the
    /// next turn.
    ///
    /// # Errors
    /// When there is no route for the service.
    pub(crate) fn plan(&self, service: Service) -> Result<RoutePlan> {
        self.plan_with(service, &self.request.overrides)
    }

    /// Like [`Self::plan`], with other overrides than those of the turn.
    pub(super) fn plan_with(&self, service: Service, overrides: &RouteOverrides) -> Result<RoutePlan> {
        let router = &self.context.router;
        let routing = self.state.lock().routing.get_or_insert_with(|| Arc::new(router.snapshot())).clone();
        Ok(router.plan_from(&routing, service, overrides)?)
    }

    /// Stores the language that was recognised in the recording.
    pub(super) fn set_recognised(&self, language: Option<String>) {
        self.state.lock().recognised = language;
    }

    /// The language that was recognised in the recording, where the settings leave it open; an ISO 639-1 code.
    pub(super) fn recognised(&self) -> Option<String> {
        if self.config.settings.listening.language.is_some() { None } else { self.state.lock().recognised.clone() }
    }

    /// The language of the question, as set or recognised; an ISO 639-1 code.
    pub(super) fn language(&self) -> Option<String> {
        let set = self.config.settings.listening.language.as_deref().and_then(language::code);
        set.or_else(|| self.recognised())
    }

    /// The language of what AURA itself says, where no model writes it: that of the question, else that of the windows, else English.
    pub(super) fn own_language(&self) -> String {
        let shown = self.config.settings.appearance.language.code();
        self.language().unwrap_or_else(|| shown.unwrap_or("en").to_owned())
    }

    /// Stores the tool calls of the answer.
    pub(crate) fn set_tool_calls(&self, calls: Vec<ToolCall>) {
        self.state.lock().tool_calls = calls;
    }

    /// Takes the tool calls of the answer.
    pub(crate) fn take_tool_calls(&self) -> Vec<ToolCall> {
        std::mem::take(&mut self.state.lock().tool_calls)
    }

    /// Sets the speaker that is being opened.
    pub(super) fn set_output(&self, output: OpeningOutput) {
        self.state.lock().output = Some(output);
    }

    /// The speaker that is being opened; `None` when nothing is played.
    pub(super) fn output(&self) -> Option<OpeningOutput> {
        self.state.lock().output.clone()
    }

    /// Whether another provider took over.
    pub(super) fn has_switched(&self) -> bool {
        self.state.lock().has_switched
    }

    /// Plays the cue that AURA listens, as soon as the speaker is open, without waiting for it. It is left out once the key is released: from
    /// then on the speaker belongs to the answer.
    pub(super) fn cue_listening(&self) {
        if let Some(output) = self.output().filter(|_| self.wants(Cue::Listening)) {
            tokio::spawn(cue::play(Cue::Listening, output, self.release.clone()));
        }
    }

    /// Plays a cue at once, if the settings want it, the speaker is open and no answer is spoken.
    pub(super) fn cue(&self, cue: Cue) {
        let state = self.state.lock();
        if let Some(output) = state.output.as_ref().filter(|_| state.voice.is_none() && self.wants(cue)) {
            cue::play_now(cue, output);
        }
    }

    /// Plays the cue of a turn that failed, in place of what is left of an answer.
    pub(super) async fn cue_failure(&self) {
        let (output, voice) = {
            let state = self.state.lock();
            (state.output.clone(), state.voice.clone())
        };
        let Some(output) = output.filter(|_| self.wants(Cue::Failed)) else { return };
        if let Some(voice) = voice {
            voice.stop();
        }
        cue::play(Cue::Failed, output, self.cancel.clone()).await;
    }

    /// Whether a cue is played. The sound of a detached turn belongs to its caller.
    fn wants(&self, cue: Cue) -> bool {
        !self.is_detached() && cue.is_wanted(&self.config.settings.speaking.cues)
    }

    /// Sets the voice that speaks the answer, so that [`Turn::stop`] can stop it.
    pub(crate) fn set_voice(&self, voice: Arc<Voice>) {
        if !self.is_detached() {
            self.context.last_voice.set(voice.clone());
        }
        self.state.lock().voice = Some(voice);
    }

    /// The voice that speaks the answer, once it does.
    pub(super) fn voice(&self) -> Option<Arc<Voice>> {
        self.state.lock().voice.clone()
    }

    /// Shows a stage and times it until the guard is dropped.
    pub(crate) fn enter(&self, stage: Stage) -> StageTimer<'_> {
        self.show(stage);
        self.time(stage)
    }

    /// Times a stage until the guard is dropped, without showing it: another stage is still shown.
    pub(crate) fn time(&self, stage: Stage) -> StageTimer<'_> {
        let began = Instant::now();
        let start_ms = self.ms_since_begun();
        self.edit(|record| {
            record.stages.push(StageTrace { stage, start_ms, ms: 0, route: None, attempts: Vec::new() })
        });
        StageTimer { turn: self, stage, began }
    }

    /// Shows that the answer is spoken, after another stage was shown.
    pub(super) fn show_speaking_again(&self) {
        if *self.stage.borrow() != Stage::Speaking {
            self.show(Stage::Speaking);
        }
    }

    /// Shows whether the answer is played. That of a detached turn is not played here.
    pub(super) fn show_playback(&self, playback: Playback) {
        if !self.is_detached() {
            self.context.events.send(Event::Playback { playback });
        }
    }

    /// Shows a stage, unless the next turn superseded this one.
    pub(crate) fn show(&self, stage: Stage) {
        let state = self.state.lock();
        if state.on_stage {
            self.stage.send_replace(stage);
            self.context.events.send(Event::Stage { turn: self.id.clone(), stage });
        }
    }

    /// Stops this turn and leaves the stage to the next one.
    pub(crate) fn supersede(&self) {
        self.state.lock().on_stage = false;
        self.stop();
    }

    /// Ends the recording. The time to the first sound counts from now.
    pub(crate) fn finish_listening(&self) {
        {
            let state = self.state.lock();
            if state.phase == Phase::Hearing {
                return state.answer_release.cancel();
            }
        }
        self.stopped_listening();
        self.release.cancel();
    }

    /// Leaves the listening phase: the recording ended by the key, or at its limit.
    pub(crate) fn stopped_listening(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Listening {
            state.phase = Phase::Answering;
            state.asked_at = Instant::now();
            self.save_soon();
        }
    }

    /// Asks the person from now on: a press of the key, or speech in hands-free use, is an answer.
    pub(super) fn begin_asking(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Answering {
            state.phase = Phase::Asking;
        }
    }

    /// Ends the question.
    pub(super) fn end_asking(&self) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Asking | Phase::Hearing) {
            state.phase = Phase::Answering;
        }
        state.answer_started = None;
        self.answers.send_replace(false);
    }

    /// Begins an answer to the question, with what of it was recorded already. Silences the question.
    ///
    /// # Errors
    /// With the recording, when nothing is asked.
    pub(super) fn begin_answer(&self, started: Option<StartedRecording>) -> Result<(), Option<StartedRecording>> {
        let mut state = self.state.lock();
        if state.phase != Phase::Asking {
            return Err(started);
        }
        state.phase = Phase::Hearing;
        state.answer_release = CancellationToken::new();
        state.answer_started = started;
        if let Some(voice) = &state.voice {
            voice.skip();
        }
        self.answers.send_replace(true);
        Ok(())
    }

    /// Waits until an answer has begun, and takes what of it was recorded already.
    pub(super) async fn answer_begun(&self) -> Option<StartedRecording> {
        // The sender lives as long as this turn.
        let _ = self.answers.subscribe().wait_for(|answers| *answers).await;
        self.state.lock().answer_started.take()
    }

    /// An answer was heard to its end, or could not be heard: the question waits again.
    pub(super) fn answer_heard(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Hearing {
            state.phase = Phase::Asking;
        }
        self.answers.send_replace(false);
    }

    /// Waits until no answer is being heard.
    pub(super) async fn not_hearing(&self) {
        let _ = self.answers.subscribe().wait_for(|answers| !answers).await;
    }

    /// Cancelled to end the recording of the answer.
    pub(super) fn answer_release(&self) -> CancellationToken {
        self.state.lock().answer_release.clone()
    }

    /// Stores the names of the tools that the model is offered.
    pub(super) fn set_offered(&self, names: Vec<String>) {
        self.state.lock().offered = names;
    }

    /// Whether the model is offered a tool.
    pub(super) fn is_offered(&self, tool: &str) -> bool {
        self.state.lock().offered.iter().any(|name| name == tool)
    }

    /// Notes that the person has declined a tool.
    pub(super) fn note_declined(&self, tool: &str) {
        self.state.lock().declined.push(tool.to_owned());
    }

    /// Whether the person has declined a tool in this turn.
    pub(super) fn has_declined(&self, tool: &str) -> bool {
        self.state.lock().declined.iter().any(|name| name == tool)
    }

    /// Notes that the model was given text or a picture that is not the person's own.
    pub(super) fn note_foreign(&self) {
        self.state.lock().has_foreign = true;
    }

    /// Whether the model was given such text, or a picture.
    pub(super) fn has_foreign(&self) -> bool {
        self.state.lock().has_foreign
    }

    /// The mark around foreign text.
    pub(super) fn fence(&self) -> &str {
        &self.fence
    }

    /// Milliseconds since the turn began.
    pub(super) fn ms_since_begun(&self) -> u32 {
        whole_ms(self.began.elapsed())
    }

    /// Milliseconds since the key was released, or the question was typed.
    pub(crate) fn ms_since_asked(&self) -> u32 {
        whole_ms(self.state.lock().asked_at.elapsed())
    }

    /// Stops the turn, playback at once.
    pub(crate) fn stop(&self) {
        let voice = {
            let mut state = self.state.lock();
            state.phase = Phase::Stopping;
            state.voice.clone()
        };
        if let Some(voice) = voice {
            voice.stop();
        }
        self.cancel.cancel();
    }

    /// Records and sends the transcript.
    pub(crate) fn set_transcript(&self, question: &str) {
        self.edit(|record| record.transcript = question.to_owned());
        self.changed.notify_one();
        self.context.events.send(Event::Transcript { turn: self.id.clone(), text: question.to_owned() });
    }

    /// The question as far as it is known.
    pub(super) fn transcript(&self) -> String {
        self.state.lock().record.transcript.clone()
    }

    /// Whether a part of the answer is written.
    pub(super) fn has_answer(&self) -> bool {
        !self.state.lock().record.answer.is_empty()
    }

    /// Whether a picture was sent with the question.
    pub(super) fn has_sent_picture(&self) -> bool {
        self.state.lock().record.seen.is_some()
    }

    /// Records and reports the picture that is sent with the question.
    pub(crate) fn set_sent_picture(&self, picture: SentPicture) {
        self.edit(|record| record.seen = Some(picture.clone()));
        self.context.events.send(Event::Seen { turn: self.id.clone(), seen: picture });
    }

    /// Completes the record with the part of the answer that was played, and with the error of a failed turn.
    pub(crate) fn close(&self, result: Result<()>) -> TurnRecord {
        let mut state = self.state.lock();
        state.phase = Phase::Stopping;
        if let Some(voice) = state.voice.take() {
            state.record.spoken = voice.spoken();
        }
        if let Err(error) = result {
            state.record.interrupted = matches!(error.code, ErrorCode::Cancelled | ErrorCode::Unfinished);
            // An answer that the user interrupted is not a failure.
            if error.code != ErrorCode::Cancelled || state.record.answer.is_empty() {
                state.record.error = Some(error);
            }
        }
        state.record.clone()
    }

    /// Logs an error that does not end the turn, and sends it as a notice.
    pub(crate) fn notify_error(&self, kind: NoticeKind, error: &Error) {
        tracing::warn!(code = error.code.as_str(), detail = ?error.detail, "{}", error.message);
        self.notify(Notice::of_error(kind, error));
    }

    /// Records and sends a notice.
    pub(crate) fn notify(&self, notice: Notice) {
        let mut is_known = false;
        self.edit(|record| {
            is_known = record.notices.contains(&notice);
            if !is_known {
                record.notices.push(notice.clone());
            }
        });
        // Each sentence of an answer is spoken by its own call. A notice that these calls repeat is sent once.
        if !is_known {
            self.context.events.send(Event::Notice { turn: self.id.clone(), notice });
        }
    }
}

fn whole_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
