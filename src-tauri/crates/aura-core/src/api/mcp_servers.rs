//! MCP servers: taking them over from other programs, their values, starting them again, and removing them. Switches and permissions are
//! settings.

use aura_mcp::{Imported, SecretKind, SecretName, import};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::types::Nothing;
use crate::assistant::Assistant;
use crate::config::McpServer;
use crate::error::{Error, ErrorCode, Result};
pub use crate::mcp::{McpServerState, McpServerView, McpToolView, McpValueView};

/// The longest value, in bytes.
const MAX_VALUE: usize = 16 << 10;

/// Request of `import_mcp_servers`: the list of another program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ImportMcpServers {
    /// The JSON of Claude Desktop, Cursor, VS Code, Zed or another program: an object with `mcpServers` or `servers`.
    pub json: String,
}

/// What was taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ImportedMcpServers {
    /// The names of the servers that are now in the settings. One that was there with the same name is replaced.
    pub servers: Vec<String>,
    /// Servers that could not be taken over, and fields that AURA does not know: one sentence each.
    pub problems: Vec<String>,
    /// Whether the values of variables and headers are in the keyring. If not, AURA forgets them when it ends.
    pub values_are_kept: bool,
}

/// Request of `save_mcp_value`: the value of a variable or header.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SaveMcpValue {
    /// The name of the server.
    pub server: String,
    /// What the value is for.
    pub kind: SecretKind,
    /// The name of the variable or header.
    pub name: String,
    /// The value: at most 16 KiB, in one line.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub value: SecretString,
}

/// Request of an operation on one MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct McpServerName {
    /// The name of the server.
    pub server: String,
}

/// Lists the MCP servers of the settings, with their tools and problems.
pub async fn mcp_servers(assistant: &Assistant, _: Nothing) -> Result<Vec<McpServerView>> {
    Ok(assistant.mcp_servers().await)
}

/// Takes over the servers of another program's list. Their values go into the keyring, and those that only a replaced server of the same name
/// needed leave it.
///
/// # Errors
/// With [`ErrorCode::InvalidRequest`] when the text holds no server that can be used; with [`ErrorCode::Storage`] when the settings cannot
/// be saved. The settings are unchanged then; values may have been saved.
pub async fn import_mcp_servers(assistant: &Assistant, request: ImportMcpServers) -> Result<ImportedMcpServers> {
    let unusable =
        |cause: aura_mcp::ConfigError| Error::invalid(format!("This list of servers cannot be used: {cause}."));
    let mut imported = ImportedMcpServers::default();
    let (mut changes, mut values) = (Map::new(), Vec::new());
    for server in import(&request.json).map_err(unusable)? {
        match server {
            Ok(Imported { config, values: own, ignored, .. }) => {
                imported.problems.extend(ignored.iter().map(|field| format!("AURA does not know `{field}`.")));
                let server = McpServer {
                    enabled: config.enabled,
                    transport: config.transport,
                    timeout_seconds: config.timeout_seconds,
                    tools: Default::default(),
                };
                changes.insert(config.name.clone(), replacing(&server));
                imported.servers.push(config.name);
                values.extend(own);
            }
            Err(wrong) => imported.problems.push(format!("{wrong}.")),
        }
    }
    if imported.servers.is_empty() {
        let why = imported.problems.first().map_or("it is empty.", String::as_str);
        return Err(Error::invalid(format!("This list has no server that AURA can use: {why}")));
    }
    let secrets_of_all = || {
        imported.servers.iter().flat_map(|server| secrets(assistant, server).unwrap_or_default()).collect::<Vec<_>>()
    };
    let before = secrets_of_all();
    let mcp = &assistant.turns().context().mcp;
    // The values first: a server that starts finds them.
    let mut values_are_kept = true;
    for (name, value) in values {
        values_are_kept &= mcp.save_value(name, value).await;
    }
    assistant.change(json!({ "mcp_servers": changes })).await?;
    // Values that only the replaced servers needed.
    let needed = secrets_of_all();
    mcp.forget_values(before.into_iter().filter(|name| !needed.contains(name)).collect()).await;
    imported.values_are_kept = values_are_kept;
    Ok(imported)
}

/// The change of settings that puts a server in the place of one with the same name. Its permissions stay: they are for a fingerprint.
fn replacing(server: &McpServer) -> Value {
    let fields = ["command", "args", "env", "cwd", "url", "headers", "timeout_seconds"];
    let mut change: Map<String, Value> = fields.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    if let Ok(Value::Object(server)) = serde_json::to_value(server) {
        change.extend(server);
    }
    change.into()
}

/// Saves the value of a variable or header in the keyring, or until AURA ends where there is none, and starts the server with it.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when no server needs this value; with [`ErrorCode::InvalidRequest`] when it cannot be one.
pub async fn save_mcp_value(assistant: &Assistant, request: SaveMcpValue) -> Result<Vec<McpServerView>> {
    use secrecy::ExposeSecret;
    let SaveMcpValue { server, kind, name, value } = request;
    let name = SecretName { server, kind, name };
    if !secrets(assistant, &name.server)?.contains(&name) {
        return Err(Error::new(
            ErrorCode::NotFound,
            format!("The MCP server `{}` needs no `{}`.", name.server, name.name),
        ));
    }
    let trimmed = value.expose_secret().trim();
    if trimmed.is_empty() || trimmed.len() > MAX_VALUE || trimmed.chars().any(char::is_control) {
        return Err(Error::invalid("The value must be one line of text, at most 16 KiB long. Nothing was saved."));
    }
    assistant.turns().context().mcp.save_value(name, trimmed.into()).await;
    Ok(assistant.mcp_servers().await)
}

/// Stops an MCP server and starts it again.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when there is none, or it is switched off.
pub async fn restart_mcp_server(assistant: &Assistant, request: McpServerName) -> Result<Vec<McpServerView>> {
    assistant.turns().context().mcp.restart(&request.server)?;
    Ok(assistant.mcp_servers().await)
}

/// Removes an MCP server from the settings, and its values from the keyring.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when there is none; with [`ErrorCode::Storage`] when the settings cannot be saved.
pub async fn remove_mcp_server(assistant: &Assistant, request: McpServerName) -> Result<Nothing> {
    let names = secrets(assistant, &request.server)?;
    let removed = Map::from_iter([(request.server, Value::Null)]);
    assistant.change(json!({ "mcp_servers": removed })).await?;
    assistant.turns().context().mcp.forget_values(names).await;
    Ok(Nothing {})
}

/// The values that a server needs.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when the settings have no such server.
fn secrets(assistant: &Assistant, server: &str) -> Result<Vec<SecretName>> {
    let config = assistant.config();
    let found = config.settings.mcp_servers.get(server).map(|settings| settings.config(server).secrets());
    found.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("There is no MCP server named `{server}`.")))
}
