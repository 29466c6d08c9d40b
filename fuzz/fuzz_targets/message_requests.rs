//! Requests for a message, as clients of the local API send them.
#![no_main]

use aura_server::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::message_requests(bytes));
