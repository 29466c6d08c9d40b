//! Local stand-ins for Groq, Gemini and OpenAI: they use the providers' wire formats on loopback, with real speech,
//! scripted replies and fault injection. For tests, for benchmarks and for a trial of AURA without an account.
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

mod chat_request;
mod completion;
mod config;
mod control;
mod data_url;
mod dialect;
mod embedding;
mod error_reply;
mod faults;
mod gemini;
mod groq;
mod headers;
mod http_reply;
mod ids;
mod listener;
mod live;
mod openai;
mod programs;
mod request;
mod request_image;
mod request_log;
mod script;
mod server;
mod speech;
mod state;
mod synthesis;
mod text;
mod transcription;
mod wav;

pub use config::{DEFAULT_KEY, Delays, FixedAnswers, FixedAudio, SandboxConfig, TestSignal};
pub use faults::{ErrorBody, Fault, FaultKind, FilterForm, GoneForm, StreamErrorForm};
pub use ids::{Provider, Service};
pub use request_log::{FileRecord, ImageRecord, RequestRecord};
pub use script::{Rule, RuleCondition, Script, ScriptedReply, ToolCall, Usage};
pub use server::{Sandbox, SandboxError};
