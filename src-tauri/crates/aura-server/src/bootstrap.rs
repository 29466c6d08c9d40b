//! Composes the assistant on this computer: folders, environment, ports and, on request, the sandbox.

use std::path::PathBuf;

use aura_core::error::{Error, Result};
use aura_core::{Assistant, Setup};
#[cfg(feature = "sandbox")]
use aura_core::{config::Environment, error::ErrorCode};
use aura_platform::Paths;

use crate::environment::{env_file_notes, environment};

/// An assistant, and what must live as long as it does.
pub struct Bootstrap {
    /// The assistant.
    pub assistant: Assistant,
    /// The data folder: history, recordings, the token of the local API.
    pub data: PathBuf,
    /// The sandbox server, when it replaces the real providers.
    #[cfg(feature = "sandbox")]
    _sandbox: Option<aura_sandbox::Sandbox>,
}

/// The configuration and data folders of this user.
///
/// # Errors
/// When the home folder is unknown, or a folder cannot be created.
pub fn paths() -> Result<Paths> {
    Paths::find(environment())
}

/// Composes the assistant on the current runtime. Saved keys are read later, by [`Assistant::start_background`].
///
/// # Errors
/// When a folder cannot be created, the sandbox is requested but missing or cannot start, or the assistant cannot start.
pub async fn bootstrap(sandbox: bool) -> Result<Bootstrap> {
    let paths = paths()?;
    for note in env_file_notes() {
        // Also where the log is filtered or goes to a file: a file in the working directory decides about keys.
        eprintln!("{note}");
        tracing::info!("{note}");
    }
    #[cfg_attr(not(feature = "sandbox"), expect(unused_mut, reason = "only the sandbox changes it"))]
    let mut environment = environment().clone();
    #[cfg(feature = "sandbox")]
    let running = if sandbox { Some(start_sandbox(&mut environment).await?) } else { None };
    #[cfg(not(feature = "sandbox"))]
    if sandbox {
        return Err(Error::invalid("This build of AURA has no sandbox. Leave out --sandbox."));
    }
    let data = paths.data.clone();
    let newer =
        tokio::task::spawn_blocking(move || aura_platform::newer_catalogs(&data)).await.map_err(Error::internal)?;
    let catalog = newer.as_ref().map(|newer| newer.providers.clone());
    let ports = aura_platform::ports(&paths, newer)?;
    let setup = Setup {
        settings_file: Some(paths.config.join("config.toml")),
        data: paths.data.clone(),
        exports: aura_platform::documents(),
        environment,
        sandbox,
        catalog,
        consent_timeout: None,
    };
    let assistant = Assistant::start(ports, setup).await?;
    Ok(Bootstrap {
        assistant,
        data: paths.data,
        #[cfg(feature = "sandbox")]
        _sandbox: running,
    })
}

/// Starts the sandbox and points Groq and Gemini at it, with keys that only the sandbox accepts.
#[cfg(feature = "sandbox")]
async fn start_sandbox(environment: &mut Environment) -> Result<aura_sandbox::Sandbox> {
    let sandbox = aura_sandbox::Sandbox::start(aura_sandbox::SandboxConfig::default()).await.map_err(|cause| {
        Error::new(ErrorCode::Internal, "The sandbox could not start on the loopback interface.").because(cause)
    })?;
    for (name, value) in [
        ("GROQ_BASE_URL", sandbox.groq_base_url()),
        ("GEMINI_BASE_URL", sandbox.gemini_base_url()),
        ("GROQ_API_KEY", sandbox.key().to_owned()),
        ("GEMINI_API_KEY", sandbox.key().to_owned()),
    ] {
        environment.set(name, value);
    }
    Ok(sandbox)
}
