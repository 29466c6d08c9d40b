//! Streams and replies of JSON in every dialect, whole and in pieces.
#![no_main]

use aura_core::providers::wire::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::replies(bytes, fuzzing::seed(bytes)));
