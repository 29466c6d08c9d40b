//! Reads the list of servers of another program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use super::jsonc::without_comments;
use super::{ServerConfig, Transport};
use crate::secrets::{SecretKind, SecretName};

/// The longest list, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The most servers of a list, and arguments, variables or headers of a server.
const MAX_SERVERS: usize = 64;
const MAX_ENTRIES: usize = 256;
/// The longest name, in characters.
const MAX_NAME: usize = 64;
/// Where programs keep the list: Claude Desktop, Cursor and most others; VS Code; Zed.
const LISTS: &[&str] = &["mcpServers", "servers", "context_servers"];
/// The fields of a server that are understood. The value of any other one is not used.
const KNOWN: &[&str] = &[
    "type",
    "transport",
    "command",
    "args",
    "env",
    "cwd",
    "url",
    "serverUrl",
    "httpUrl",
    "headers",
    "disabled",
    "enabled",
];

/// A server of the list.
#[derive(Debug)]
pub struct Imported {
    /// Its configuration.
    pub config: ServerConfig,
    /// The values that the list has, to be kept in the keyring.
    pub values: Vec<(SecretName, SecretString)>,
    /// The values that the list leaves to be asked for, such as `${input:token}`.
    pub missing: Vec<SecretName>,
    /// Fields that AURA does not know. Each is a path, such as `mcpServers.github.envFile`.
    pub ignored: Vec<String>,
}

/// A field that cannot be used. It never contains a value of the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}")]
pub struct ConfigError {
    /// The path of the field, such as `mcpServers.github.args[1]`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The text is no JSON.
    NotJson {
        /// The line of the first mistake, from 1.
        line: usize,
        /// Its column, from 1.
        column: usize,
    },
    /// There is no list of servers.
    NoServers,
    /// The field is missing.
    Missing,
    /// The value is of another kind than the one that is named here.
    MustBe(&'static str),
    /// More of them, or more characters, than this number.
    TooMany(usize),
    /// The name contains what a name cannot contain, or nothing.
    BadName,
    /// The address is no http or https URL, or contains a password.
    BadAddress,
    /// AURA does not speak this transport.
    UnknownTransport,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => write!(f, "this is not JSON (line {line}, column {column})"),
            Self::NoServers => write!(f, "there is no list `mcpServers` or `servers`"),
            Self::Missing => write!(f, "this is missing"),
            Self::MustBe(kind) => write!(f, "this must be {kind}"),
            Self::TooMany(max) => write!(f, "this is more than {max}"),
            Self::BadName => write!(f, "this name cannot be used"),
            Self::BadAddress => write!(f, "this must be an http or https address without a password"),
            Self::UnknownTransport => write!(f, "AURA connects over `stdio` and `http` only"),
        }
    }
}

fn error(field: impl Into<String>, problem: Problem) -> ConfigError {
    ConfigError { field: field.into(), problem }
}

/// Reads the `mcpServers` JSON of Claude Desktop, Cursor and others, or the `servers` of VS Code. Comments and unknown fields are
/// skipped. One bad server does not affect the others. The result is in the order of the names.
///
/// # Errors
/// When the text as a whole is no such list.
pub fn import(text: &str) -> Result<Vec<Result<Imported, ConfigError>>, ConfigError> {
    if text.len() > MAX_BYTES {
        return Err(error("", Problem::TooMany(MAX_BYTES)));
    }
    let root: Value = serde_json::from_str(&without_comments(text))
        .map_err(|cause| error("", Problem::NotJson { line: cause.line(), column: cause.column() }))?;
    // VS Code's settings have the list within `mcp`; a list that was copied without its name has servers only.
    let holder = if root["mcp"].is_object() { &root["mcp"] } else { &root };
    let named = LISTS.iter().find_map(|name| Some((*name, holder.get(*name)?)));
    let (path, list) = match named {
        Some((path, Value::Object(list))) => (path, list),
        Some((path, _)) => return Err(error(path, Problem::MustBe("an object"))),
        None => match holder {
            Value::Object(list) if !list.is_empty() && list.values().all(is_server) => ("", list),
            _ => return Err(error("", Problem::NoServers)),
        },
    };
    if list.len() > MAX_SERVERS {
        return Err(error(path, Problem::TooMany(MAX_SERVERS)));
    }
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    // Whether the list is in the order of the file depends on a feature that another crate may turn on.
    let sorted: BTreeMap<&String, &Value> = list.iter().collect();
    Ok(sorted.into_iter().map(|(name, value)| server(name, value, &at(name))).collect())
}

fn is_server(value: &Value) -> bool {
    ["command", "url", "serverUrl", "httpUrl"].iter().any(|field| value[field].is_string())
}

fn server(name: &str, value: &Value, path: &str) -> Result<Imported, ConfigError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(error(path, Problem::BadName));
    }
    let Value::Object(fields) = value else { return Err(error(path, Problem::MustBe("an object"))) };
    let server = Fields { fields, path };
    let kind = server.text("type")?.or(server.text("transport")?);
    let url = match server.text("url")? {
        Some(url) => Some(("url", url)),
        None => match server.text("serverUrl")? {
            Some(url) => Some(("serverUrl", url)),
            None => server.text("httpUrl")?.map(|url| ("httpUrl", url)),
        },
    };
    let (transport, values) = match (kind, url) {
        (None | Some("stdio"), None) | (Some("stdio"), Some(_)) => server.stdio()?,
        (None | Some("http" | "streamable-http" | "streamableHttp" | "streamable_http"), Some((field, url))) => {
            server.http(field, url)?
        }
        (Some("http" | "streamable-http" | "streamableHttp" | "streamable_http"), None) => {
            return Err(server.error("url", Problem::Missing));
        }
        (Some(_), _) => return Err(server.error("type", Problem::UnknownTransport)),
    };
    let enabled = match (server.flag("disabled")?, server.flag("enabled")?) {
        (Some(disabled), _) => !disabled,
        (None, enabled) => enabled.unwrap_or(true),
    };
    let config = ServerConfig { name: name.to_owned(), enabled, transport, timeout_seconds: None };
    let (mut known, mut missing) = (Vec::new(), Vec::new());
    for (secret, value) in config.secrets().into_iter().zip(values) {
        match value {
            Some(value) => known.push((secret, value)),
            None => missing.push(secret),
        }
    }
    let unknown = fields.keys().filter(|field| !KNOWN.contains(&field.as_str()));
    let ignored = unknown.map(|field| format!("{path}.{field}")).collect();
    Ok(Imported { config, values: known, missing, ignored })
}

/// The values of the variables or headers, sorted by their names.
type Values = Vec<Option<SecretString>>;

struct Fields<'a> {
    fields: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Fields<'a> {
    fn error(&self, field: &str, problem: Problem) -> ConfigError {
        error(format!("{}.{field}", self.path), problem)
    }

    /// `null` is as good as absent.
    fn get(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn text(&self, field: &str) -> Result<Option<&'a str>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.error(field, Problem::MustBe("a text"))),
        }
    }

    fn flag(&self, field: &str) -> Result<Option<bool>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.error(field, Problem::MustBe("true or false"))),
        }
    }

    fn stdio(&self) -> Result<(Transport, Values), ConfigError> {
        let command = self.text("command")?.map(str::trim).filter(|command| !command.is_empty());
        let command = command.ok_or_else(|| self.error("command", Problem::Missing))?.to_owned();
        let mut args = Vec::new();
        match self.get("args") {
            None => {}
            Some(Value::Array(list)) if list.len() > MAX_ENTRIES => {
                return Err(self.error("args", Problem::TooMany(MAX_ENTRIES)));
            }
            Some(Value::Array(list)) => {
                for (index, argument) in list.iter().enumerate() {
                    let wrong = || self.error(&format!("args[{index}]"), Problem::MustBe("a text"));
                    args.push(scalar(argument).ok_or_else(wrong)?);
                }
            }
            Some(_) => return Err(self.error("args", Problem::MustBe("a list"))),
        }
        let (env, values) = self.values("env", SecretKind::Env)?;
        let cwd = self.text("cwd")?.filter(|cwd| !cwd.contains("${")).map(Into::into);
        Ok((Transport::Stdio { command, args, env, cwd }, values))
    }

    fn http(&self, field: &str, url: &str) -> Result<(Transport, Values), ConfigError> {
        let parsed = Url::parse(url.trim()).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
        });
        let url = parsed.ok_or_else(|| self.error(field, Problem::BadAddress))?;
        let (headers, values) = self.values("headers", SecretKind::Header)?;
        Ok((Transport::Http { url: url.into(), headers }, values))
    }

    fn values(&self, field: &str, kind: SecretKind) -> Result<(BTreeSet<String>, Values), ConfigError> {
        let list = match self.get(field) {
            None => return Ok(Default::default()),
            Some(Value::Object(list)) if list.len() > MAX_ENTRIES => {
                return Err(self.error(field, Problem::TooMany(MAX_ENTRIES)));
            }
            Some(Value::Object(list)) => list,
            Some(_) => return Err(self.error(field, Problem::MustBe("an object"))),
        };
        let mut entries = std::collections::BTreeMap::new();
        for (name, value) in list {
            let at = format!("{field}.{name}");
            if !is_name(name, kind) {
                return Err(self.error(&at, Problem::BadName));
            }
            let value = match value {
                Value::Null => None,
                value => Some(scalar(value).ok_or_else(|| self.error(&at, Problem::MustBe("a text")))?),
            };
            // A reference to something of the other program: an input, a variable.
            let value = value.filter(|value| !value.is_empty() && !value.contains("${"));
            entries.insert(name.clone(), value.map(SecretString::from));
        }
        Ok(entries.into_iter().unzip())
    }
}

/// The text of a text, number or switch.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether a variable or header may have this name.
fn is_name(name: &str, kind: SecretKind) -> bool {
    let allowed = |letter: char| match kind {
        SecretKind::Env => letter != '=' && !letter.is_control() && !letter.is_whitespace(),
        SecretKind::Header => letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter),
    };
    !name.is_empty() && name.chars().all(allowed)
}
