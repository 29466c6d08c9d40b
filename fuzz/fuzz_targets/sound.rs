//! Speech and the headers of WAV files, whole and in pieces.
#![no_main]

use aura_core::providers::wire::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::sound(bytes, fuzzing::seed(bytes)));
