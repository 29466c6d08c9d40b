//! One run of an ONNX model that a stop ends.

use aura_local::protocol::{FailedKind, LoadFailedKind};
use ort::session::{Session, SessionInputs, SessionOutputs};

use crate::model::{Failed, LoadFailed, Stop};

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
    let options = stop.run_options()?;
    let outcome = session.run_with_options(inputs, options).and_then(|outputs| take(&outputs));
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
