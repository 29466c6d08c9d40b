//! `aura mcp`: AURA as a server of the Model Context Protocol, for the program that started it.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use aura_core::api::{Ask, Heard, Nothing, Preview, Speech};
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::record::TurnRecord;
use aura_mcp::Picture;
use aura_mcp::host::{Allowed, Host, HostError, serve};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::operations::Operations;

/// Serves on standard input and output until the other program closes them. Operations run in the app, if it runs.
pub(super) async fn run(sandbox: bool, allowed: Allowed) -> Result<ExitCode> {
    let operations = Operations::open(sandbox).await?;
    // Every question belongs to one conversation of its own, not to that of the person.
    let session = format!("mcp-{}", uuid::Uuid::new_v4());
    let host = Arc::new(Assistant { operations, allowed, session });
    let serving = serve(host.clone(), tokio::io::stdin(), tokio::io::stdout(), CancellationToken::new());
    let served = tokio::select! {
        served = serving => served,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    host.operations.close().await;
    served.map_err(|cause| Error::new(ErrorCode::McpServer, cause.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// What stands behind the tools.
struct Assistant {
    operations: Operations,
    allowed: Allowed,
    session: String,
}

impl Assistant {
    /// Calls an operation. One that is dropped is stopped with the turn that it began.
    async fn call(&self, name: &str, request: Value) -> Result<Value, HostError> {
        self.operations.call(name, request).await.map_err(failed)
    }
}

fn failed(error: Error) -> HostError {
    HostError(error.message)
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, HostError> {
    serde_json::from_value(value).map_err(|cause| failed(Error::internal(cause)))
}

#[async_trait]
impl Host for Assistant {
    fn allowed(&self) -> Allowed {
        self.allowed
    }

    async fn ask(&self, question: String) -> Result<String, HostError> {
        let request = Ask {
            text: question,
            session: Some(self.session.clone()),
            // The other program may not see the screen, nor its question show it to a provider.
            screen: Some(false),
            speech: Speech::None,
            ..Ask::default()
        };
        let request = serde_json::to_value(request).map_err(|cause| failed(Error::internal(cause)))?;
        let record: TurnRecord = parsed(self.call("ask", request).await?)?;
        match record.error {
            None => Ok(record.answer),
            Some(error) => Err(failed(error)),
        }
    }

    async fn listen(&self) -> Result<String, HostError> {
        let heard: Heard = parsed(self.call("hear", json!(Nothing {})).await?)?;
        Ok(heard.text)
    }

    async fn speak(&self, text: String) -> Result<(), HostError> {
        self.call("say", json!({ "text": text })).await.map(drop)
    }

    async fn look_at_screen(&self) -> Result<Picture, HostError> {
        let preview: Preview = parsed(self.call("look", json!({})).await?)?;
        let data = BASE64.decode(preview.jpeg).map_err(|cause| failed(Error::internal(cause)))?;
        Ok(Picture { media_type: "image/jpeg", data: data.into() })
    }
}
