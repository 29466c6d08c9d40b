//! The assistant on this machine: folders, environment, ports, and the sandbox when it is asked for.

use std::path::PathBuf;

use aura_core::config::Environment;
use aura_core::error::{Code, Error, Result};
use aura_core::{Assistant, Setup};
use aura_platform::Paths;

/// The assistant and what lives as long as it does.
pub struct Composed {
    /// The assistant.
    pub assistant: Assistant,
    /// The folder with what it gathers.
    pub data: PathBuf,
    /// The sandbox's server, if it answers instead of the real providers.
    _sandbox: Option<aura_sandbox::Sandbox>,
}

/// The folders of this person.
pub fn paths() -> Result<Paths> {
    Paths::find()
}

/// Composes the assistant on the current runtime. Keys are not read yet.
pub async fn compose(sandbox: bool) -> Result<Composed> {
    let paths = paths()?;
    let mut environment = environment()?;
    let sandbox = if sandbox { Some(start_sandbox(&mut environment).await?) } else { None };
    let ports = aura_platform::ports(&paths)?;
    let setup = Setup {
        settings_file: Some(paths.config.join("config.toml")),
        data: paths.data.clone(),
        exports: aura_platform::documents(),
        environment,
        sandbox: sandbox.is_some(),
    };
    Ok(Composed { assistant: Assistant::start(ports, setup).await?, data: paths.data, _sandbox: sandbox })
}

/// The process's variables, and those of a `.env` file in the current folder that are not set already.
fn environment() -> Result<Environment> {
    let mut environment = Environment::of_process();
    match dotenvy::from_path_iter(".env") {
        Ok(lines) => {
            for line in lines {
                // The cause may quote the line, and the line may hold a key.
                let (name, value) =
                    line.map_err(|_| Error::invalid("The file .env has a line that is not NAME=value."))?;
                environment.add(name, value);
            }
        }
        Err(error) if error.not_found() => {}
        Err(error) => return Err(Error::new(Code::Storage, "The file .env cannot be read.").because(error)),
    }
    Ok(environment)
}

/// Starts the sandbox and points the providers at it, with keys that only it takes.
async fn start_sandbox(environment: &mut Environment) -> Result<aura_sandbox::Sandbox> {
    let sandbox = aura_sandbox::Sandbox::start(aura_sandbox::SandboxConfig::default()).await.map_err(|cause| {
        Error::new(Code::Internal, "The sandbox could not be started on the loopback.").because(cause)
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
