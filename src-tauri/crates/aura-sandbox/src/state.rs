//! What the handlers of one sandbox share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{Delays, Fixed, SandboxConfig};
use crate::faults::{Fault, FaultQueue};
use crate::log::RequestLog;
use crate::script::{Running, Script};
use crate::speech::Programs;

/// What the handlers of one sandbox share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: SandboxConfig,
    pub(crate) programs: Programs,
    pub(crate) log: Arc<RequestLog>,
    script: Mutex<Running>,
    faults: Mutex<FaultQueue>,
    delays: Mutex<Delays>,
    fixed: Mutex<Fixed>,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(crate) fn new(config: SandboxConfig) -> Arc<Self> {
        Arc::new(Self {
            programs: Programs::find(config.whisper_model.clone()),
            log: RequestLog::new(),
            script: Mutex::new(Running::new(config.script.clone())),
            faults: Mutex::default(),
            delays: Mutex::new(config.delays.clone()),
            fixed: Mutex::new(config.fixed.clone()),
            config,
        })
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Running> {
        open(&self.script)
    }

    pub(crate) fn set_script(&self, script: Script) {
        *open(&self.script) = Running::new(script);
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultQueue> {
        open(&self.faults)
    }

    pub(crate) fn set_faults(&self, faults: Vec<Fault>) {
        let mut queue = self.faults();
        queue.clear();
        for fault in faults {
            queue.push(fault);
        }
    }

    pub(crate) fn delays(&self) -> Delays {
        open(&self.delays).clone()
    }

    pub(crate) fn set_delays(&self, delays: Delays) {
        *open(&self.delays) = delays;
    }

    pub(crate) fn fixed(&self) -> Fixed {
        open(&self.fixed).clone()
    }

    pub(crate) fn set_fixed(&self, fixed: Fixed) {
        *open(&self.fixed) = fixed;
    }

    /// Back to what the sandbox was started with, with an empty log.
    pub(crate) fn reset(&self) {
        self.set_script(self.config.script.clone());
        self.set_faults(Vec::new());
        self.set_delays(self.config.delays.clone());
        self.set_fixed(self.config.fixed.clone());
        self.log.clear();
    }
}
