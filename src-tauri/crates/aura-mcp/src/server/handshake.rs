//! Opens a connection: starts the program or finds the address, and agrees on a version of the protocol.
#![expect(deprecated, reason = "AURA refuses what the next version of the protocol drops")]

use std::sync::Arc;

use rmcp::RoleClient;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationCreateRequestMethod, ErrorData,
    Implementation, ListRootsRequestMethod, ListRootsResult, ProtocolVersion,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, RequestContext, RunningService, serve_client_with_lifecycle,
};
use rmcp::transport::streamable_http_client::StreamableHttpError;
use rmcp::transport::{DynamicTransportError, Transport as Carrier};
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::config::{ServerConfig, Transport};
use crate::error::Failure;
use crate::limits::Limits;
use crate::secrets::{Redactor, SecretName, SecretResolver};
use crate::tools::clean;
use crate::transport::{End, Guarded, Process, Program, Stdio, http, http_failure};

/// An open connection.
pub(super) struct Opened {
    pub(super) service: RunningService<RoleClient, Refusing>,
    pub(super) end: End,
    pub(super) tools_changed: Arc<Notify>,
    pub(super) redactor: Redactor,
}

/// What AURA offers a server: nothing. It gets no model, no questions to the user and no folders.
pub(super) struct Refusing;

impl ClientHandler for Refusing {
    fn get_info(&self) -> ClientConfig {
        let about = Implementation::new("aura", env!("CARGO_PKG_VERSION"));
        let mut config = ClientConfig::new(ClientCapabilities::default(), about);
        config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
        config
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListRootsRequestMethod>())
    }

    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Err(ErrorData::method_not_found::<ElicitationCreateRequestMethod>())
    }
}

/// The ways to begin: that of the versions until 2025, which most servers speak, then that of the later ones.
fn lifecycles() -> [ClientLifecycleMode; 2] {
    [
        ClientLifecycleMode::Initialize,
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
    ]
}

/// Opens a connection. Dropping the future ends the program.
pub(super) async fn open(
    config: &ServerConfig,
    secrets: &dyn SecretResolver,
    limits: &Limits,
) -> Result<Opened, Failure> {
    let names = config.secrets();
    let values = resolve(&names, secrets).await?;
    let named = names.iter().zip(&values).map(|(name, (_, value))| (name.kind, name.name.as_str(), value));
    let redactor = Redactor::new(named);
    let mut failure = None;
    for lifecycle in lifecycles() {
        let attempt = Attempt { config, limits, values: values.clone(), redactor: redactor.clone(), lifecycle };
        match Box::pin(attempt.open()).await {
            Err(Refusal::Version(refused)) => failure = failure.or(Some(refused)),
            Err(Refusal::Final(failure)) => return Err(failure),
            Ok(opened) => return Ok(opened),
        }
    }
    Err(failure.unwrap_or_else(|| Failure::Handshake { cause: "no common version of the protocol".into() }))
}

async fn resolve(names: &[SecretName], secrets: &dyn SecretResolver) -> Result<Vec<(String, SecretString)>, Failure> {
    let mut values = Vec::new();
    for name in names {
        let value = secrets.resolve(name).await.map_err(|error| Failure::Secrets { cause: error.0 })?;
        let value = value.ok_or_else(|| Failure::MissingSecret { name: name.name.clone() })?;
        values.push((name.name.clone(), value));
    }
    Ok(values)
}

/// Why an attempt to begin failed.
enum Refusal {
    /// The server speaks the protocol, but does not begin like this.
    Version(Failure),
    Final(Failure),
}

struct Attempt<'a> {
    config: &'a ServerConfig,
    limits: &'a Limits,
    values: Vec<(String, SecretString)>,
    redactor: Redactor,
    lifecycle: ClientLifecycleMode,
}

impl Attempt<'_> {
    async fn open(self) -> Result<Opened, Refusal> {
        let (end, redactor) = (End::default(), self.redactor.clone());
        match &self.config.transport {
            Transport::Stdio { command, args, cwd, .. } => {
                let program = Program { command, args, env: self.values.clone(), cwd: cwd.clone() };
                let (mut process, stdout, stdin) = Process::start(program, redactor).await.map_err(Refusal::Final)?;
                let lines = Stdio::new(stdout, stdin, process.clone(), self.limits, end.clone());
                match self.begin(lines, end.clone()).await {
                    Err(Refusal::Final(_)) if end.get().is_none() => {
                        // The connection is gone, so its status says more than that.
                        Err(Refusal::Final(Failure::Ended { status: process.stop().await }))
                    }
                    begun => begun,
                }
            }
            Transport::Http { url, .. } => {
                let connection = http(url, self.values.clone(), self.limits).map_err(Refusal::Final)?;
                self.begin(connection, end).await
            }
        }
    }

    async fn begin<T: Carrier<RoleClient> + 'static>(self, carrier: T, end: End) -> Result<Opened, Refusal> {
        let tools_changed = Arc::new(Notify::new());
        let mut carrier = Guarded::new(carrier, self.limits.messages_per_second, tools_changed.clone(), end.clone());
        if matches!(self.config.transport, Transport::Http { .. }) {
            carrier = carrier.with_sessions();
        }
        match serve_client_with_lifecycle(Refusing, carrier, self.lifecycle).await {
            Ok(service) => Ok(Opened { service, end, tools_changed, redactor: self.redactor }),
            Err(error) => Err(match end.get() {
                Some(failure) => Refusal::Final(failure),
                None => refusal(&error, &self.redactor),
            }),
        }
    }
}

fn refusal(error: &ClientInitializeError, redactor: &Redactor) -> Refusal {
    let cause = match error {
        ClientInitializeError::JsonRpcError(error) => clean(&error.message, redactor),
        ClientInitializeError::NoCompatibleProtocolVersion { .. } => "no common version of the protocol".to_owned(),
        ClientInitializeError::TransportError { error, .. } => return Refusal::Final(broken(error)),
        ClientInitializeError::ConnectionClosed(_) => return Refusal::Final(closed()),
        _ => return Refusal::Final(Failure::Handshake { cause: "its first answer is not what it should be".into() }),
    };
    Refusal::Version(Failure::Handshake { cause })
}

/// What an error below the protocol means.
pub(super) fn broken(error: &DynamicTransportError) -> Failure {
    match error.error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
        Some(error) => http_failure(error),
        None => closed(),
    }
}

pub(super) fn closed() -> Failure {
    Failure::Unreachable { cause: "the connection ended".into() }
}
