//! Runs an ONNX graph with named tensors, so that a request can be stopped in the middle of it.

use std::borrow::Cow;

use aura_local::protocol::FailedKind;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Outlet, PrimitiveTensorElementType, Tensor};

use super::bad_file;
use crate::model::{Failed, LoadFailed, Stop};

/// A graph's inputs by their names.
pub(super) type Inputs<'a> = Vec<(Cow<'a, str>, SessionInputValue<'a>)>;

/// Runs the graph until it is done or the request is stopped.
pub(super) fn run<'r>(
    session: &'r mut Session,
    inputs: Inputs<'_>,
    stop: &'r Stop,
) -> Result<SessionOutputs<'r>, Failed> {
    let options = stop.run_options()?;
    session.run_with_options(inputs, options).map_err(|error| match stop.check() {
        Err(cancelled) => cancelled,
        Ok(()) => failed(error),
    })
}

/// A tensor that owns its data.
pub(super) fn tensor<T>(shape: &[usize], data: Vec<T>) -> Result<DynValue, Failed>
where
    T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
{
    Ok(Tensor::from_array((shape.to_vec(), data)).map_err(failed)?.into_dyn())
}

/// Takes an output out of what a run returned.
pub(super) fn take(outputs: &mut SessionOutputs<'_>, name: &str) -> Result<DynValue, Failed> {
    outputs.remove(name).ok_or_else(|| Failed::new(FailedKind::Engine, format!("The model returned no {name}.")))
}

/// The shape and the numbers of a tensor.
pub(super) fn numbers(value: &DynValue) -> Result<(Vec<usize>, &[f32]), Failed> {
    let (shape, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
    Ok((shape.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect(), data))
}

/// The last row of a tensor of rows, such as the scores after the last token.
pub(super) fn last_row(value: &DynValue) -> Result<Vec<f32>, Failed> {
    let (shape, data) = numbers(value)?;
    let width = shape.last().copied().unwrap_or(0);
    let start = data.len().checked_sub(width).filter(|_| width > 0);
    let start = start.ok_or_else(|| Failed::new(FailedKind::Engine, "The model returned no scores."))?;
    Ok(data[start..].to_vec())
}

pub(super) fn failed(error: ort::Error) -> Failed {
    Failed::new(FailedKind::Engine, format!("The speech model failed: {error}"))
}

/// The sides of an input or output that the graph fixes; -1 where it does not.
pub(super) fn sides(outlets: &[Outlet], name: &str) -> Option<Vec<i64>> {
    let outlet = outlets.iter().find(|outlet| outlet.name() == name)?;
    Some(outlet.dtype().tensor_shape()?.iter().copied().collect())
}

/// # Errors
/// When the graph lacks one of these inputs or outputs: it is another model's.
pub(super) fn expect(session: &Session, inputs: &[&str], outputs: &[&str], model: &str) -> Result<(), LoadFailed> {
    let lacks = |outlets: &[Outlet], names: &[&str]| {
        names.iter().find(|name| !outlets.iter().any(|outlet| outlet.name() == **name)).map(ToString::to_string)
    };
    match lacks(session.inputs(), inputs).or_else(|| lacks(session.outputs(), outputs)) {
        None => Ok(()),
        Some(name) => Err(bad_file(format!("This file is not a part of a {model} model: it has no {name}."))),
    }
}
