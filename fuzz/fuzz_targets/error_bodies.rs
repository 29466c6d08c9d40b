//! Error bodies under every status.
#![no_main]

use aura_providers::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::error_bodies(bytes));
