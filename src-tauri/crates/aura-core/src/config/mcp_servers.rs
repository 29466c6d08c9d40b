//! Settings of the MCP servers whose tools the model may call.

use std::collections::BTreeMap;

use aura_mcp::{ServerConfig, ToolInfo, Transport};
use serde::{Deserialize, Serialize};

use crate::consent::Permission;
use crate::error::{Error, Result};

/// The most servers.
const MAX_SERVERS: usize = 32;
/// The most tools of a server with a permission of their own.
const MAX_TOOLS: usize = 256;
/// The longest name of a tool on its server, in bytes.
const MAX_TOOL_NAME: usize = 256;
/// The shortest and the longest limit of a call, in seconds.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u32> = 1..=600;

/// A server of the Model Context Protocol (MCP), whose tools the model may call. The values of its variables and headers are in the
/// operating system's keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct McpServer {
    /// Whether it is used.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// How it is reached.
    #[serde(flatten)]
    pub transport: Transport,
    /// The longest call, in seconds from 1 to 600; absent: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub timeout_seconds: Option<u32>,
    /// What may be done with its tools without a question, by the name of the tool. A tool that is not listed asks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "ts", ts(as = "Option<BTreeMap<String, Option<ToolPermission>>>", optional))]
    pub tools: BTreeMap<String, ToolPermission>,
}

/// What may be done with a tool of a server without a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ToolPermission {
    /// The permission.
    pub permission: Permission,
    /// The fingerprint of the tool that the person saw: a server that changes the tool loses the permission.
    pub fingerprint: String,
}

fn enabled() -> bool {
    true
}

impl McpServer {
    /// The server with its name.
    pub(crate) fn config(&self, name: &str) -> ServerConfig {
        ServerConfig {
            name: name.to_owned(),
            enabled: self.enabled,
            transport: self.transport.clone(),
            timeout_seconds: self.timeout_seconds,
        }
    }

    /// What may be done with one of its tools without a question.
    pub(crate) fn permission(&self, tool: &ToolInfo) -> Permission {
        match self.tools.get(&tool.name) {
            // Whatever becomes of a tool that the person does not want, it is not offered.
            Some(kept) if kept.permission == Permission::Never => Permission::Never,
            Some(kept) if kept.fingerprint == tool.fingerprint.to_string() => kept.permission,
            _ => Permission::Ask,
        }
    }
}

/// Checks what the types do not express.
///
/// # Errors
/// With the first thing that is wrong.
pub(super) fn check(servers: &BTreeMap<String, McpServer>) -> Result<()> {
    if servers.len() > MAX_SERVERS {
        return Err(Error::invalid(format!("There can be at most {MAX_SERVERS} MCP servers.")));
    }
    for (name, server) in servers {
        server.config(name).check().map_err(|wrong| Error::invalid(format!("The MCP server `{name}`: {wrong}.")))?;
        if server.timeout_seconds.is_some_and(|seconds| !TIMEOUT_SECONDS.contains(&seconds)) {
            return Err(Error::invalid(format!("The limit for calls of `{name}` must be between 1 and 600 seconds.")));
        }
        if server.tools.len() > MAX_TOOLS || server.tools.keys().any(|tool| tool.len() > MAX_TOOL_NAME) {
            return Err(Error::invalid(format!(
                "`{name}` has too many tools with permissions, or too long a name of one."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn servers(json: serde_json::Value) -> BTreeMap<String, McpServer> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_server_is_written_as_other_programs_write_it() {
        let servers = servers(json!({
            "files": {"type": "stdio", "command": "npx", "args": ["-y", "files"], "env": ["TOKEN"]},
            "far": {"type": "http", "url": "https://example.org/mcp", "headers": ["Authorization"], "enabled": false},
        }));
        check(&servers).unwrap();
        assert!(servers["files"].enabled && !servers["far"].enabled);
        let again: BTreeMap<String, McpServer> = toml::from_str(&toml::to_string(&servers).unwrap()).unwrap();
        assert_eq!(again, servers);
    }

    #[test]
    fn a_server_that_cannot_be_started_or_reached_is_refused() {
        for (wrong, says) in [
            (json!({"a": {"type": "stdio", "command": " "}}), "command"),
            (json!({"a": {"type": "http", "url": "ftp://example.org"}}), "url"),
            (json!({"": {"type": "stdio", "command": "a"}}), "name"),
            (json!({"a": {"type": "stdio", "command": "a", "env": ["A=B"]}}), "A=B"),
            (json!({"a": {"type": "stdio", "command": "a", "timeout_seconds": 0}}), "600 seconds"),
        ] {
            let error = check(&servers(wrong.clone())).unwrap_err();
            assert!(error.message.contains(says), "{wrong}: {}", error.message);
        }
    }
}
