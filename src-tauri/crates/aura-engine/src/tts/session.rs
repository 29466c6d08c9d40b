//! One run of an ONNX model that a stop ends.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use aura_local::protocol::{FailedKind, LoadFailedKind};
use ort::session::{RunOptions, Session, SessionInputs, SessionOutputs};

use crate::model::{Failed, LoadFailed, Stop};

/// How often a stop is looked for while the model computes.
const POLL: Duration = Duration::from_millis(20);

/// A failure of ONNX Runtime, for a user.
pub(super) fn engine(error: ort::Error) -> Failed {
    Failed::new(FailedKind::Engine, format!("The voice could not be computed: {error}"))
}

/// Computes, and hands the outputs to `take`.
///
/// # Errors
/// With [`FailedKind::Cancelled`] soon after the request is stopped, and when the model fails.
pub(super) fn run<'i, 'v: 'i, T, const N: usize>(
    session: &mut Session,
    inputs: impl Into<SessionInputs<'i, 'v, N>>,
    stop: &Stop,
    take: impl FnOnce(&SessionOutputs<'_>) -> ort::Result<T>,
) -> Result<T, Failed> {
    stop.check()?;
    let options = RunOptions::new().map_err(engine)?;
    let outcome = std::thread::scope(|scope| {
        let (done, wait) = sync_channel::<()>(0);
        let options = &options;
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(POLL) {
                if stop.check().is_err() {
                    // If it cannot be stopped it ends by itself.
                    let _ = options.terminate();
                    break;
                }
            }
        });
        let outcome = session.run_with_options(inputs, options).and_then(|outputs| take(&outputs));
        drop(done);
        outcome
    });
    stop.check()?;
    outcome.map_err(engine)
}

/// Checks that a model has the inputs of its kind.
///
/// # Errors
/// With [`LoadFailedKind::BadFile`] when it is another kind of model.
pub(super) fn check(session: &Session, inputs: &[&str], outputs: usize) -> Result<(), LoadFailed> {
    let has = |name: &&str| session.inputs().iter().any(|input| input.name() == *name);
    if inputs.iter().all(has) && session.outputs().len() >= outputs {
        return Ok(());
    }
    Err(LoadFailed::new(LoadFailedKind::BadFile, "The model file is not of this kind of voice: download it again."))
}
