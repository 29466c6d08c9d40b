//! The acoustic loop: speech goes in through a microphone, speech comes out of a speaker, and a recogniser tells what it was.
//!
//! The sentences are such that pocketsphinx, a small recogniser, hears their chief words in any of the synthetic voices used here.

mod answered;
mod seen;
mod talk;
mod trouble;
