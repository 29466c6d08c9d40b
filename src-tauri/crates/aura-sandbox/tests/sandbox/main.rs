//! The sandbox over a real socket, as a client of a provider sees it.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod control;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod groq;
#[cfg(test)]
mod log;
#[cfg(test)]
mod speech;
