//! JSON streams and replies in every format, whole and in pieces.
#![no_main]

use aura_providers::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::replies(bytes, fuzzing::seed(bytes)));
