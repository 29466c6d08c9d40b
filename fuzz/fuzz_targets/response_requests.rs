//! Requests for a response, as clients of the local API send them.
#![no_main]

use aura_server::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::response_requests(bytes));
