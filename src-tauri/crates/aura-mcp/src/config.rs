//! Which servers there are, and the `mcpServers` JSON of other programs.

mod export;
mod import;
mod jsonc;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::secrets::{SecretKind, SecretName};

pub use export::export;
pub use import::{ConfigError, Imported, Problem, import};

/// A server. It holds no secrets: the values of variables and headers come from a [`SecretResolver`](crate::SecretResolver).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerConfig {
    /// The name, which the user sees: 1 to 64 characters, no control characters.
    pub name: String,
    /// Whether it is used.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// How it is reached.
    #[serde(flatten)]
    pub transport: Transport,
    /// The longest call, in seconds; absent for that of [`Limits::call`](crate::Limits::call).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

fn enabled() -> bool {
    true
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Transport {
    /// A program that AURA starts and talks to over its standard input and output.
    Stdio {
        /// The program: a path, or a name on the search path.
        command: String,
        /// Its arguments.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "ts", ts(as = "Option<Vec<String>>", optional))]
        args: Vec<String>,
        /// The variables that it gets beside the few that every program gets, such as `PATH` and `HOME`.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        #[cfg_attr(feature = "ts", ts(as = "Option<Vec<String>>", optional))]
        env: BTreeSet<String>,
        /// Its working folder; absent for the user's home.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(type = "string", optional))]
        cwd: Option<PathBuf>,
    },
    /// A server at an address, over streamable HTTP.
    Http {
        /// The address.
        url: String,
        /// The headers that it gets beside those of the protocol.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        #[cfg_attr(feature = "ts", ts(as = "Option<Vec<String>>", optional))]
        headers: BTreeSet<String>,
    },
}

impl ServerConfig {
    /// A server that AURA starts, without arguments and variables.
    pub fn stdio(name: impl Into<String>, command: impl Into<String>) -> Self {
        let transport = Transport::Stdio { command: command.into(), args: Vec::new(), env: BTreeSet::new(), cwd: None };
        Self { name: name.into(), enabled: true, transport, timeout_seconds: None }
    }

    /// A server at an address, without headers.
    pub fn http(name: impl Into<String>, url: impl Into<String>) -> Self {
        let transport = Transport::Http { url: url.into(), headers: BTreeSet::new() };
        Self { name: name.into(), enabled: true, transport, timeout_seconds: None }
    }

    /// Checks what the types do not express, by the rules of [`import`]: the name, the program or address, the names of the values.
    ///
    /// # Errors
    /// With the first field that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        import(&export([self]).to_string())?.into_iter().try_for_each(|server| server.map(drop))
    }

    /// The values that it needs.
    pub fn secrets(&self) -> Vec<SecretName> {
        let (kind, names) = match &self.transport {
            Transport::Stdio { env, .. } => (SecretKind::Env, env),
            Transport::Http { headers, .. } => (SecretKind::Header, headers),
        };
        names.iter().map(|name| SecretName { server: self.name.clone(), kind, name: name.clone() }).collect()
    }
}
