//! The sandbox's providers, for tests that are no asynchronous programs.

use aura_sandbox::{DEFAULT_KEY, Fault, RequestRecord, Sandbox, SandboxConfig, Script, Service};
use tokio::runtime::Runtime;

/// The key that they all accept.
pub const KEY: &str = DEFAULT_KEY;

/// A running sandbox; it ends with this value.
#[derive(Debug)]
pub struct Providers {
    sandbox: Sandbox,
    runtime: Runtime,
}

impl Providers {
    /// Starts them; their models answer this to everything.
    pub fn answering(text: &str) -> Self {
        Self::of(SandboxConfig { script: Script::always(text), ..SandboxConfig::default() })
    }

    /// Starts them with a configuration of one's own.
    pub fn of(config: SandboxConfig) -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let sandbox = runtime.block_on(Sandbox::start(config)).expect("the sandbox can listen on loopback");
        Self { sandbox, runtime }
    }

    /// The variables by which AURA uses Groq, and it alone for every service.
    pub fn groq(&self) -> Vec<(&'static str, String)> {
        [("GROQ_API_KEY", DEFAULT_KEY.to_owned()), ("GROQ_BASE_URL", self.sandbox.groq_base_url())].to_vec()
    }

    /// The variables by which AURA uses Gemini.
    pub fn gemini(&self) -> Vec<(&'static str, String)> {
        [("GEMINI_API_KEY", DEFAULT_KEY.to_owned()), ("GEMINI_BASE_URL", self.sandbox.gemini_base_url())].to_vec()
    }

    /// Where AURA finds Groq; its key is the person's to give.
    pub fn groq_address(&self) -> Vec<(&'static str, String)> {
        [("GROQ_BASE_URL", self.sandbox.groq_base_url())].to_vec()
    }

    /// Where AURA finds Gemini; its key is the person's to give.
    pub fn gemini_address(&self) -> Vec<(&'static str, String)> {
        [("GEMINI_BASE_URL", self.sandbox.gemini_base_url())].to_vec()
    }

    /// The settings by which AURA uses an OpenAI-compatible server by the name of `local` for every service.
    pub fn server(&self) -> String {
        let routes = ["stt", "llm", "vlm", "tts"].map(|service| format!("[routes.{service}]\nprovider = \"local\"\n"));
        // Its models are asked for; voices no such server tells.
        format!(
            "[providers.local]\nbase_url = \"{}\"\n{}voice = \"alloy\"\n",
            self.sandbox.openai_base_url(),
            routes.concat()
        )
    }

    /// Replaces what the models answer.
    pub fn answer(&self, text: &str) {
        self.sandbox.set_script(Script::always(text));
    }

    /// Orders a fault.
    pub fn fault(&self, fault: Fault) {
        self.sandbox.add_fault(fault);
    }

    /// Ends all faults.
    pub fn mend(&self) {
        self.sandbox.clear_faults();
    }

    /// What was received for a service.
    pub fn requests(&self, service: Service) -> Vec<RequestRecord> {
        let all = self.runtime.block_on(self.sandbox.requests());
        all.into_iter().filter(|request| request.service == service).collect()
    }
}
