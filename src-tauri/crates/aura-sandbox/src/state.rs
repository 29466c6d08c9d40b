//! State that the handlers of one sandbox share.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::config::{Delays, FixedAnswers, SandboxConfig};
use crate::faults::{Fault, FaultQueue};
use crate::programs::Programs;
use crate::request_log::RequestLog;
use crate::script::{Script, ScriptState};

/// State that the handlers of one sandbox share.
#[derive(Debug)]
pub(crate) struct SandboxState {
    pub(crate) config: SandboxConfig,
    pub(crate) programs: Programs,
    pub(crate) log: Arc<RequestLog>,
    script: Mutex<ScriptState>,
    faults: Mutex<FaultQueue>,
    delays: Mutex<Delays>,
    fixed: Mutex<FixedAnswers>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

impl SandboxState {
    pub(crate) fn new(config: SandboxConfig) -> Arc<Self> {
        Arc::new(Self {
            programs: Programs::find(config.whisper_model.clone()),
            log: RequestLog::new(),
            script: Mutex::new(ScriptState::new(config.script.clone())),
            faults: Mutex::default(),
            delays: Mutex::new(config.delays.clone()),
            fixed: Mutex::new(config.fixed.clone()),
            config,
        })
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, ScriptState> {
        lock(&self.script)
    }

    pub(crate) fn set_script(&self, script: Script) {
        *lock(&self.script) = ScriptState::new(script);
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultQueue> {
        lock(&self.faults)
    }

    pub(crate) fn set_faults(&self, faults: Vec<Fault>) {
        let mut queue = self.faults();
        queue.clear();
        for fault in faults {
            queue.push(fault);
        }
    }

    pub(crate) fn delays(&self) -> Delays {
        lock(&self.delays).clone()
    }

    pub(crate) fn set_delays(&self, delays: Delays) {
        *lock(&self.delays) = delays;
    }

    pub(crate) fn fixed(&self) -> FixedAnswers {
        lock(&self.fixed).clone()
    }

    pub(crate) fn set_fixed(&self, fixed: FixedAnswers) {
        *lock(&self.fixed) = fixed;
    }

    /// Restores the start configuration, removes all faults and clears the log.
    pub(crate) fn reset(&self) {
        self.set_script(self.config.script.clone());
        self.set_faults(Vec::new());
        self.set_delays(self.config.delays.clone());
        self.set_fixed(self.config.fixed.clone());
        self.log.clear();
    }
}
