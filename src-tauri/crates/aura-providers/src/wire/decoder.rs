//! The interface of all streaming decoders: bytes in, events out.

use crate::types::Failure;

/// Decodes the body of a reply as it arrives.
pub(crate) trait Decoder: Send + 'static {
    /// The events it produces.
    type Output: Send + 'static;
    /// The most bytes that [`Decoder::push`] is given at once. The resulting events are delivered before the next bytes are decoded.
    const MAX_CHUNK: usize = usize::MAX;
    /// Decodes the next bytes, cut anywhere. Events before a failure are still delivered.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Self::Output>) -> Result<(), Failure>;
    /// Ends the body. Fails unless the answer is complete.
    fn finish(&mut self, out: &mut Vec<Self::Output>) -> Result<(), Failure>;
    /// Whether any content has been produced.
    fn has_content(&self) -> bool;
    /// Whether no further event can follow, even if the body goes on.
    fn is_complete(&self) -> bool;
    /// Whether the answer is complete, though usage may still follow. If the body breaks or stalls now, no content is missing.
    fn has_ended(&self) -> bool {
        false
    }
}

/// Decodes chunks for a test: the events, and the failure if there was one.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn decode_all<D: Decoder>(mut decoder: D, chunks: &[&[u8]]) -> (Vec<D::Output>, Option<Failure>) {
    let mut out = Vec::new();
    for chunk in chunks {
        if let Err(failure) = decoder.push(chunk, &mut out) {
            return (out, Some(failure));
        }
    }
    let failure = if decoder.is_complete() { None } else { decoder.finish(&mut out).err() };
    (out, failure)
}
