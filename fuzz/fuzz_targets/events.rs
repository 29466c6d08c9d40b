//! Server-sent events, whole and in pieces.
#![no_main]

use aura_providers::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::events(bytes, fuzzing::seed(bytes)));
