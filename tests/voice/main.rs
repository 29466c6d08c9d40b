//! Spoken questions and answers: speech is played into a microphone, and a recogniser checks what the speaker plays.
//!
//! pocketsphinx is a small recogniser and the voices are synthetic, so the tests only check which of several sentences was spoken; see
//! [`aura_tests::speech::recognise`].

mod answers;
mod at_cursor;
mod blindfold;
mod by_name;
mod command_line;
mod errors;
mod first_words;
mod hands_free;
mod interruptions;
mod local_models;
mod mcp;
mod microphones;
mod other_sound;
mod push_to_talk;
mod recogniser;
mod screen;
mod screen_reader;
mod tasks;

/// Settings for questions to the sandbox's recogniser, which takes longer on a busy computer than AURA waits for a provider.
pub(crate) const PATIENT: &str = "[timeouts]\ntranscript_ms = 60000\n";
