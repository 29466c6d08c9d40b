//! The acoustic loop: speech goes in through a microphone, speech comes out of a speaker, and a recogniser tells what it was.
//!
//! pocketsphinx is a small recogniser and the voices are synthetic: of the question it understands enough to be recognised, and of
//! the answer it tells which of several sentences was said, see [`aura_tests::speech::understand`].

mod answered;
mod commands;
mod ear;
mod seen;
mod talk;
mod trouble;
