//! Providers that speak the real wire formats on loopback, with faults to order: for tests, benchmarks and trying
//! AURA with no account.
//!
//! ```no_run
//! use aura_sandbox::{Fault, Provider, Sandbox, SandboxConfig, Script, Service};
//!
//! # async fn example() -> Result<(), aura_sandbox::SandboxError> {
//! let sandbox = Sandbox::start(SandboxConfig::default()).await?;
//! sandbox.set_script(Script::always("It is raining."));
//! sandbox.add_fault(Fault::status(429).provider(Provider::Groq).service(Service::Llm).times(1));
//! println!("{}", sandbox.groq_base_url());
//! let received = sandbox.requests().await;
//! # Ok(())
//! # }
//! ```

mod call;
mod chat;
mod compose;
mod config;
mod control;
mod faults;
mod gemini;
mod groq;
mod hearing;
mod kinds;
mod log;
mod openai;
mod refusal;
mod reply;
mod script;
mod server;
mod socket;
mod speaking;
mod speech;
mod state;
mod vision;
mod wav;

pub use config::{DEFAULT_KEY, Delays, Fixed, FixedAudio, SandboxConfig, Sound};
pub use faults::{ErrorBody, Fault, FaultKind, FilterForm, GoneForm, StreamErrorForm};
pub use kinds::{Provider, Service};
pub use log::{FileRecord, ImageRecord, RequestRecord};
pub use script::{Reply, Rule, Script, ToolCall, Usage, When};
pub use server::{Sandbox, SandboxError};
