//! A call of a tool, from the model's request to its result: planned, consented to, saved, carried out and recorded.

use aura_providers::ToolCall;
use aura_router::Sink;
use serde_json::Value;

use super::answer_sink::AnswerSink;
use super::permit::Permitted;
use super::tools::{Call, ToolResult, Toolbox};
use super::turn::Turn;
use crate::action::{Action, Effect};
use crate::consent::{AnsweredBy, ConsentTrace};
use crate::desktop::TargetWindow;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::record::{ToolOutcome, ToolTrace};

/// The longest name of a tool in the record, in characters.
const MAX_NAME: usize = 64;
/// The longest arguments in the record, in characters.
const MAX_ARGUMENTS: usize = 300;

impl Turn {
    /// Carries out a call of the model, if it may be. It is in the record before it begins, and in the history before it changes anything.
    pub(super) async fn call_tool(&self, tools: &Toolbox, call: &ToolCall, sink: &mut AnswerSink<'_>) -> ToolResult {
        let mut running = RunningTool::begin(self, &call.name, &call.arguments);
        let Some(tool) = tools.find(&call.name) else {
            return running
                .refuse(format!("There is no tool named {}. Answer without it.", shortened(&call.name, MAX_NAME)));
        };
        let Ok(Value::Object(arguments)) = serde_json::from_str(&call.arguments) else {
            return running.refuse("The arguments are not a JSON object. Nothing was done.".into());
        };
        let action = match tool.plan(self, &arguments).await {
            Ok(action) => action,
            Err(error) if error.code == ErrorCode::InvalidRequest => return running.refuse(error.message),
            Err(error) => return running.fail(&error),
        };
        if let Some(action) = &action {
            running.edit(|trace| trace.action = Some(action.clone()));
            match self.permit(&**tool, action, sink).await {
                Permitted::Unasked => {}
                Permitted::Allowed(consent) => running.edit(|trace| trace.consent = Some(consent)),
                Permitted::Declined(consent, text) => {
                    running.edit(|trace| trace.consent = Some(consent));
                    return running.decline(text);
                }
            }
        }
        if matches!(tool.effect(), Effect::Changes | Effect::ChangesAura)
            && let Err(error) = running.begin_change().await
        {
            return running.fail(&error);
        }
        match tool.run(self, Call { action, index: running.index() }).await {
            Ok(mut result) => {
                if let Some(said) = result.said.take() {
                    sink.send(said).await;
                    sink.pause().await;
                }
                running.finish(result)
            }
            Err(error) => running.fail(&error),
        }
    }
}

impl Turn {
    /// Types a text that the person asked for with a shortcut, which is the consent. It is in the history before it is typed.
    ///
    /// # Errors
    /// When it cannot be saved, or the desktop does not let AURA type.
    pub(super) async fn type_at_cursor(&self, text: String, window: TargetWindow) -> Result<()> {
        let mut running = RunningTool::begin(self, "type_text", "{}");
        let foreign = self.has_foreign();
        running.edit(|trace| {
            trace.action = Some(Action::TypeText { text: text.clone(), window: window.clone() });
            trace.consent = Some(ConsentTrace { allowed: true, by: AnsweredBy::Shortcut });
            trace.foreign = foreign;
        });
        let desktop = &self.context.ports.desktop;
        let typed = async {
            running.begin_change().await?;
            // Pasted as a whole: a line break that is typed sends many a message.
            desktop.paste_text(&text, &window).await
        };
        match typed.await {
            Ok(()) => drop(running.finish(ToolResult::default())),
            Err(error) => {
                running.fail(&error);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Records a call of a tool until it is dropped, whether it succeeds, fails or is stopped.
struct RunningTool<'a> {
    turn: &'a Turn,
    /// Its index in the record.
    index: usize,
    start_ms: u32,
    outcome: ToolOutcome,
}

impl<'a> RunningTool<'a> {
    fn begin(turn: &'a Turn, name: &str, arguments: &str) -> Self {
        let start_ms = turn.ms_since_begun();
        let mut index = 0;
        turn.edit(|record| {
            index = record.tools.len();
            record.tools.push(ToolTrace {
                name: shortened(name, MAX_NAME),
                arguments: shortened(arguments, MAX_ARGUMENTS),
                start_ms,
                ms: 0,
                outcome: ToolOutcome::Running,
                action: None,
                consent: None,
                foreign: false,
                undone: None,
            });
        });
        turn.save_soon();
        Self { turn, index, start_ms, outcome: ToolOutcome::Stopped }
    }

    /// Saves the record before the call changes anything, and notes the call as the last change.
    ///
    /// # Errors
    /// When the record cannot be saved.
    async fn begin_change(&self) -> Result<()> {
        self.turn.saved().await?;
        self.turn.context.consents.note_change(&self.turn.id, self.index());
        Ok(())
    }

    fn index(&self) -> u32 {
        u32::try_from(self.index).unwrap_or(u32::MAX)
    }

    fn edit(&self, change: impl FnOnce(&mut ToolTrace)) {
        self.turn.edit_tool(self.index(), change);
    }

    fn finish(&mut self, mut result: ToolResult) -> ToolResult {
        self.outcome = if result.has_failed { ToolOutcome::Failed } else { ToolOutcome::Done };
        if result.is_foreign || !result.pictures.is_empty() {
            self.turn.note_foreign();
            self.edit(|trace| trace.foreign = true);
        }
        if result.is_foreign {
            result.text = self.turn.fenced(&result.text);
        }
        result
    }

    fn refuse(&mut self, text: String) -> ToolResult {
        self.outcome = ToolOutcome::Refused;
        ToolResult::said(text)
    }

    fn decline(&mut self, text: &str) -> ToolResult {
        self.outcome = ToolOutcome::Declined;
        ToolResult::said(text)
    }

    fn fail(&mut self, error: &Error) -> ToolResult {
        self.outcome = ToolOutcome::Failed;
        ToolResult::said(format!("This failed: {}", error.message))
    }
}

impl Drop for RunningTool<'_> {
    fn drop(&mut self) {
        let ms = self.turn.ms_since_begun().saturating_sub(self.start_ms);
        self.edit(|trace| (trace.ms, trace.outcome) = (ms, self.outcome));
    }
}

impl Turn {
    /// Changes what is recorded of a call, and reports it.
    pub(super) fn edit_tool(&self, index: u32, change: impl FnOnce(&mut ToolTrace)) {
        let mut changed = None;
        self.edit(|record| {
            if let Some(trace) = record.tools.get_mut(index as usize) {
                change(trace);
                changed = Some(Box::new(trace.clone()));
            }
        });
        if let Some(tool) = changed {
            self.context.events.send(Event::Tool { turn: self.id.clone(), index, tool });
        }
        self.save_soon();
    }
}

/// A text, cut after `max` characters.
fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
