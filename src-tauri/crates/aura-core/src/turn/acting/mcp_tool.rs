//! A tool of an MCP server. What it says of itself and what it gives back are the words of another program.

use std::sync::Arc;

use async_trait::async_trait;
use aura_mcp::{Call as ServerCall, ToolInfo};
use serde_json::{Map, Value};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use super::perform::cut;
use crate::action::{Action, Effect};
use crate::config::Settings;
use crate::consent::Permission;
use crate::error::{Error, ErrorCode, Result};
use crate::mcp;

/// A tool of a server.
pub(super) struct McpTool(pub(super) Arc<ToolInfo>);

#[async_trait]
impl Tool for McpTool {
    #[expect(clippy::misnamed_getters, reason = "the tool has another name for the model than for its server")]
    fn name(&self) -> &str {
        &self.0.model_name
    }

    fn description(&self) -> String {
        format!("A tool of “{}”, another program, which says of it: {}", self.0.server, self.0.description)
    }

    fn parameters(&self) -> Value {
        self.0.parameters.clone()
    }

    /// A tool that only reads on this computer may be let without a question even after foreign text. That it only reads is the server's
    /// word, so this takes the person's permission, too. One that reaches further could carry away what AURA has read.
    fn effect(&self) -> Effect {
        match (self.0.hints.read_only, self.0.hints.open_world) {
            (Some(true), Some(false)) => Effect::ReadsPrivate,
            _ => Effect::Changes,
        }
    }

    fn permission(&self, settings: &Settings) -> Permission {
        mcp::permission(settings, &self.0)
    }

    fn identity(&self) -> String {
        format!("{} {}", self.0.model_name, self.0.fingerprint)
    }

    async fn plan(&self, _: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        Ok(Some(Action::CallMcpTool {
            server: self.0.server.clone(),
            tool: self.0.name.clone(),
            title: self.0.title.clone(),
            arguments: arguments.clone(),
            fingerprint: self.0.fingerprint.to_string(),
        }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        let Some(Action::CallMcpTool { arguments, .. }) = call.action else {
            return Err(Error::internal("a call of a server without its action"));
        };
        let mut output = turn.context.mcp.call(ServerCall::of(&self.0, arguments)).await.map_err(failed)?;
        let mut text = cut(output.text.trim());
        if output.truncated {
            text.push_str("\n… (the server's output was longer than AURA takes)");
        }
        if !output.pictures.is_empty() && !turn.can_see().await {
            text.push_str("\n[Pictures, which the model that is chosen cannot see.]");
            output.pictures.clear();
        }
        if text.is_empty() {
            text.push_str("[No text.]");
        }
        Ok(ToolResult {
            pictures: output.pictures.into_iter().map(|picture| picture.data).collect(),
            has_failed: output.is_error,
            ..ToolResult::foreign(text)
        })
    }
}

/// What the model is told of a call that failed.
fn failed(error: aura_mcp::Error) -> Error {
    let again = match error.may_have_run() {
        true => " It may have been done, wholly or in part. Do not call it again; say so.",
        false => "",
    };
    Error::new(ErrorCode::McpServer, format!("{error}{again}"))
}
