//! Tools of other programs over the [Model Context Protocol](https://modelcontextprotocol.io) (MCP).
//!
//! [`Servers`] holds the configured servers, starts and restarts them, lists their tools and carries out calls:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use aura_mcp::{Call, Limits, NoSecrets, ServerConfig, Servers, import};
//! # use tokio_util::sync::CancellationToken;
//! # async fn example(json: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let configs: Vec<ServerConfig> = import(json)?.into_iter().flatten().map(|server| server.config).collect();
//! let servers = Servers::new(Arc::new(NoSecrets), Limits::default());
//! servers.configure(configs);
//! servers.start();
//! servers.settled(std::time::Duration::from_secs(30)).await;
//! for tool in servers.tools() {
//!     println!("{}: {}", tool.model_name, tool.description);
//! }
//! let output = servers.call(Call::new("time", "get_current_time"), &CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A server is a program of someone else, and so is everything that it says. Its names, descriptions, schemas and hints are checked and cut;
//! its output is data; it gets no model, no questions to the user and no folders. A server that hangs, dies, floods or lies costs
//! a typed error and no memory. Nothing here decides whether a tool may run: the caller asks the user.
//!
//! [`host`] is the other direction: AURA as a server for other programs.
#![forbid(unsafe_code)]

mod config;
mod error;
pub mod host;
mod limits;
mod secrets;
mod server;
mod servers;
mod tools;
mod transport;

pub use config::{ConfigError, Imported, Problem, ServerConfig, Transport, export, import};
pub use error::{Error, Failure};
pub use limits::Limits;
pub use secrets::{NoSecrets, SecretError, SecretKind, SecretName, SecretResolver};
pub use servers::{Call, ServerState, ServerStatus, Servers};
pub use tools::{Fingerprint, Hints, Picture, RejectedTool, ToolInfo, ToolOutput, model_name};
