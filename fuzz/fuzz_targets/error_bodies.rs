//! The bodies of errors.
#![no_main]

use aura_core::providers::wire::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::error_bodies(bytes));
