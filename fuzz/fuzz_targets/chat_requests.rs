//! Requests for a chat completion, as clients of the local API send them.
#![no_main]

use aura_server::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::chat_requests(bytes));
