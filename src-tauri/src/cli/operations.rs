//! Operations by their names: of the running app, so that its window shows them and its traffic counts, or else of an assistant of
//! this process.

use aura_core::api;
use aura_core::error::{Code, Result};
use serde_json::{Value, json};

use crate::compose::{Composed, compose, paths};
use crate::door;

/// Where operations are called.
pub(super) enum Operations {
    /// In the app that is running.
    Running(std::path::PathBuf),
    /// Here.
    Own(Box<Composed>),
}

impl Operations {
    /// The running app, if there is one. With the sandbox always this process: the app may have real providers.
    pub(super) async fn open(sandbox: bool) -> Result<Self> {
        if !sandbox {
            let data = paths()?.data;
            match door::call(&data, "snapshot", json!({})).await {
                Ok(_) => return Ok(Self::Running(data)),
                Err(error) if error.code == Code::NotRunning => {}
                Err(error) => return Err(error),
            }
        }
        let composed = compose(sandbox).await?;
        composed.assistant.load_keys().await;
        Ok(Self::Own(Box::new(composed)))
    }

    /// Calls one.
    pub(super) async fn call(&self, name: &str, request: Value) -> Result<Value> {
        match self {
            Self::Running(data) => door::call(data, name, request).await,
            Self::Own(composed) => api::call(&composed.assistant, name, request).await,
        }
    }

    /// Asks each provider for its models, when no app has done so already.
    pub(super) async fn ask_providers(&self) {
        if let Self::Own(composed) = self {
            composed.assistant.ask_providers().await;
        }
    }

    /// Ends what was begun here.
    pub(super) async fn close(&self) {
        if let Self::Own(composed) = self {
            composed.assistant.close().await;
        }
    }
}
