//! Runs operations by name: in the running app, so that its window shows them and its health data counts, else in this process.

use aura_core::api;
use aura_core::error::{Error, ErrorCode, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bootstrap::{Bootstrap, bootstrap, paths};
use crate::instance_socket;

/// Where operations run.
pub(super) enum Operations {
    /// In the running app, reached through the socket in this data folder.
    Running(std::path::PathBuf),
    /// In this process.
    InProcess(Box<Bootstrap>),
}

impl Operations {
    /// Connects to the running app, or starts an assistant in this process. The sandbox always runs in this process, because the app may
    /// use real providers.
    ///
    /// # Errors
    /// The app does not respond, or the assistant cannot be started.
    pub(super) async fn open(sandbox: bool) -> Result<Self> {
        if !sandbox {
            let data = paths()?.data;
            match instance_socket::call(&data, "snapshot", json!({})).await {
                Ok(_) => return Ok(Self::Running(data)),
                Err(error) if error.code == ErrorCode::NotRunning => {}
                Err(error) => return Err(error),
            }
        }
        let bootstrap = bootstrap(sandbox).await?;
        bootstrap.assistant.start_background().await;
        Ok(Self::InProcess(Box::new(bootstrap)))
    }

    /// Runs one operation.
    pub(super) async fn call(&self, name: &str, request: Value) -> Result<Value> {
        match self {
            Self::Running(data) => instance_socket::call(data, name, request).await,
            Self::InProcess(bootstrap) => api::call(&bootstrap.assistant, name, request).await,
        }
    }

    /// Runs an operation and parses its result.
    pub(super) async fn request<T: DeserializeOwned>(&self, name: &str, request: Value) -> Result<T> {
        serde_json::from_value(self.call(name, request).await?).map_err(Error::internal)
    }

    /// Loads the model list of each provider. The running app has done so already.
    pub(super) async fn refresh_model_lists(&self) {
        if let Self::InProcess(bootstrap) = self {
            bootstrap.assistant.refresh_model_lists().await;
        }
    }

    /// Closes the assistant of this process.
    pub(super) async fn close(&self) {
        if let Self::InProcess(bootstrap) = self {
            bootstrap.assistant.close().await;
        }
    }
}
