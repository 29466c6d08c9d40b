//! Real speech recognition and synthesis by installed programs, and generated test signals.

pub(crate) mod recogniser;
pub(crate) mod synthesiser;
pub(crate) mod test_signal;
