//! Sandbox providers for tests that are not asynchronous.

use aura_sandbox::{DEFAULT_KEY, Fault, FixedAnswers, RequestRecord, Sandbox, SandboxConfig, Script, Service};
use tokio::runtime::Runtime;

/// The variables by which AURA uses a sandbox as Groq.
pub(crate) fn groq_variables(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    [("GROQ_API_KEY", DEFAULT_KEY.to_owned()), ("GROQ_BASE_URL", sandbox.groq_base_url())].to_vec()
}

/// The variables by which AURA uses a sandbox as Gemini.
pub(crate) fn gemini_variables(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    [("GEMINI_API_KEY", DEFAULT_KEY.to_owned()), ("GEMINI_BASE_URL", sandbox.gemini_base_url())].to_vec()
}

/// A running sandbox; dropping it ends the sandbox.
#[derive(Debug)]
pub struct Providers {
    sandbox: Sandbox,
    runtime: Runtime,
}

impl Providers {
    /// Starts providers whose models answer every question with this text.
    pub fn answering(text: &str) -> Self {
        Self::of(SandboxConfig { script: Script::always(text), ..SandboxConfig::default() })
    }

    /// Starts providers with a configuration.
    pub fn of(config: SandboxConfig) -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let sandbox = runtime.block_on(Sandbox::start(config)).expect("the sandbox can listen on loopback");
        Self { sandbox, runtime }
    }

    /// The variables by which AURA uses Groq.
    pub fn groq(&self) -> Vec<(&'static str, String)> {
        groq_variables(&self.sandbox)
    }

    /// The variables by which AURA uses Gemini.
    pub fn gemini(&self) -> Vec<(&'static str, String)> {
        gemini_variables(&self.sandbox)
    }

    /// The address of Groq, without an API key.
    pub fn groq_address(&self) -> Vec<(&'static str, String)> {
        [("GROQ_BASE_URL", self.sandbox.groq_base_url())].to_vec()
    }

    /// The address of Gemini, without an API key.
    pub fn gemini_address(&self) -> Vec<(&'static str, String)> {
        [("GEMINI_BASE_URL", self.sandbox.gemini_base_url())].to_vec()
    }

    /// The settings by which AURA uses an OpenAI-compatible server named `local` for every service.
    pub fn server(&self) -> String {
        let routes = ["stt", "llm", "vlm", "tts"].map(|service| format!("[routes.{service}]\nprovider = \"local\"\n"));
        // The server lists its models, but not its voices.
        format!(
            "[providers.local]\nbase_url = \"{}\"\n{}voice = \"alloy\"\n",
            self.sandbox.openai_base_url(),
            routes.concat()
        )
    }

    /// Replaces the answer of all models.
    pub fn answer(&self, text: &str) {
        self.sandbox.set_script(Script::always(text));
    }

    /// Replaces what all models do.
    pub fn script(&self, script: Script) {
        self.sandbox.set_script(script);
    }

    /// Replaces the transcripts and sounds that are always the same.
    pub fn fixed(&self, fixed: FixedAnswers) {
        self.sandbox.set_fixed(fixed);
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.sandbox.add_fault(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.sandbox.clear_faults();
    }

    /// The requests received for a service.
    pub fn requests(&self, service: Service) -> Vec<RequestRecord> {
        let all = self.runtime.block_on(self.sandbox.requests());
        all.into_iter().filter(|request| request.service == service).collect()
    }
}
