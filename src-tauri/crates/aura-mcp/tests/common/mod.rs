//! What the tests share.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_mcp::{
    Call, Error, Limits, SecretError, SecretName, SecretResolver, ServerConfig, ServerState, ServerStatus, Servers,
    ToolOutput, Transport,
};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The longest wait for something that should happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Values of variables and headers, by their names.
pub(crate) struct Values(pub(crate) BTreeMap<String, String>);

#[async_trait]
impl SecretResolver for Values {
    async fn resolve(&self, name: &SecretName) -> Result<Option<SecretString>, SecretError> {
        Ok(self.0.get(&name.name).map(|value| value.as_str().into()))
    }
}

/// The scripted server under the name `s`, in a mode, with values for its variables.
pub(crate) fn scripted(mode: &str, values: &[(&str, &str)], limits: Limits) -> Servers {
    let mut config = ServerConfig::stdio("s", env!("CARGO_BIN_EXE_scripted-mcp-server"));
    if let Transport::Stdio { args, env, .. } = &mut config.transport {
        *args = vec![mode.to_owned()];
        *env = values.iter().map(|(name, _)| (*name).to_owned()).collect();
    }
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let servers = Servers::new(Arc::new(Values(values)), limits);
    servers.configure([config]);
    servers
}

/// Limits for tests: short waits where a test waits for their end, and long ones elsewhere.
pub(crate) fn short() -> Limits {
    Limits {
        start: Duration::from_secs(20),
        call: Duration::from_secs(20),
        hang: Duration::from_secs(3),
        // A busy computer may take a second for the usual number.
        messages_per_second: 300,
        first_restart: Duration::from_millis(50),
        last_restart: Duration::from_millis(200),
        ..Limits::default()
    }
}

pub(crate) async fn call(servers: &Servers, tool: &str, arguments: Value) -> Result<ToolOutput, Error> {
    let mut call = Call::new("s", tool);
    if let Value::Object(arguments) = arguments {
        call.arguments = arguments;
    }
    servers.call(call, &CancellationToken::new()).await
}

/// The status of the only server.
pub(crate) fn status(servers: &Servers) -> ServerStatus {
    servers.status().into_iter().next().expect("a server is configured")
}

/// Starts the server and waits until it is ready or failed.
pub(crate) async fn started(servers: &Servers) -> ServerState {
    servers.start();
    servers.settled(SOON).await;
    status(servers).state
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "it did not happen that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
