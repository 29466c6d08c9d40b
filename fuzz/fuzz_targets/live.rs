//! The messages of live transcriptions, one a line.
#![no_main]

use aura_providers::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::live(bytes, fuzzing::seed(bytes)));
