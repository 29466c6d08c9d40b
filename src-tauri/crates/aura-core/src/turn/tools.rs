//! Tools: what the model may have AURA do while it answers. A further tool is one type that implements [`Tool`], and one line in
//! [`Turn::offered_tools`].
//!
//! A tool that acts says first what it would do, as an [`Action`]. Whether it may is decided in [`super::permit`] before it runs, by what
//! the tool's [`Effect`] is, what the person has allowed, and whether the turn holds foreign text.

use std::sync::Arc;

use async_trait::async_trait;
use aura_providers::Tool as ToolDefinition;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::turn::Turn;
use crate::action::{Action, Effect};
use crate::config::Settings;
use crate::consent::Permission;
use crate::error::Result;

/// Something that the model may have AURA do during a turn.
#[async_trait]
pub(super) trait Tool: Send + Sync {
    /// The name for the model: letters, digits and `_`, at most 64.
    fn name(&self) -> &str;

    /// What the tool does and when to call it, for the model.
    fn description(&self) -> String;

    /// The JSON schema of the arguments: an object. By default one without properties.
    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {}})
    }

    /// How much the tool can do.
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    /// What may be done with it without a question.
    fn permission(&self, settings: &Settings) -> Permission {
        settings.actions.permission(self.name())
    }

    /// What a yes for the conversation is remembered by.
    fn identity(&self) -> String {
        self.name().to_owned()
    }

    /// What a call would do, exactly: the person is asked about this value, and [`Tool::run`] is given it. Nothing is done yet.
    ///
    /// # Errors
    /// With [`ErrorCode::InvalidRequest`] when the arguments are wrong, else when it cannot be done here. The model is told the message.
    async fn plan(&self, _turn: &Turn, _arguments: &Map<String, Value>) -> Result<Option<Action>> {
        Ok(None)
    }

    /// Carries out a call. Dropping the future stops it.
    ///
    /// # Errors
    /// When the tool could not do its work. The model is told the message, and answers without.
    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult>;
}

/// A call that may be carried out.
#[derive(Debug)]
pub(super) struct Call {
    /// What [`Tool::plan`] returned.
    pub(super) action: Option<Action>,
    /// The index of the call among those of the turn.
    pub(super) index: u32,
}

/// What a tool gives the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ToolResult {
    /// The result in words, or as JSON.
    pub(super) text: String,
    /// Pictures that the model is shown: JPEG or PNG files.
    pub(super) pictures: Vec<Bytes>,
    /// Whether the text is not AURA's and not the person's own. A picture never is.
    pub(super) is_foreign: bool,
    /// Whether the tool says that it failed. The text says why.
    pub(super) has_failed: bool,
    /// What AURA says about it by itself, whatever the model makes of it.
    pub(super) said: Option<String>,
}

impl ToolResult {
    /// A result in AURA's own words.
    pub(super) fn said(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A result in words that AURA only read.
    pub(super) fn foreign(text: String) -> Self {
        Self { text, is_foreign: true, ..Self::default() }
    }
}

/// The tools that the model is offered in a turn.
#[derive(Clone, Default)]
pub(super) struct Toolbox(Vec<Arc<dyn Tool>>);

impl Toolbox {
    /// A box with these tools.
    pub(super) fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self(tools)
    }

    /// Whether it has no tool.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tools as a request offers them.
    pub(super) fn definitions(&self) -> impl Iterator<Item = ToolDefinition> {
        self.0.iter().map(|tool| {
            ToolDefinition::new(tool.name()).with_description(tool.description()).with_parameters(tool.parameters())
        })
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|tool| tool.name().to_owned()).collect()
    }

    /// The tools as text, to estimate how much of a model's context they take.
    pub(super) fn text(&self) -> String {
        let one = |tool: &Arc<dyn Tool>| format!("{} {} {}", tool.name(), tool.description(), tool.parameters());
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// The tool with this name.
    pub(super) fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.iter().find(|tool| tool.name() == name)
    }

    /// Whether it has a tool that changes something.
    pub(super) fn acts(&self) -> bool {
        self.0.iter().any(|tool| matches!(tool.effect(), Effect::Changes))
    }
}
