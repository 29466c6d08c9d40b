//! Plays speech through one stream that stays open.
//!
//! Opening a device costs more than all the rest of a turn, and a sleeping one swallows the first words; so the stream is opened
//! at the press, plays silence from its ring when there is nothing to say, and is only rebuilt when the device is gone or the person
//! changed it. When nobody has spoken for a while it is closed, because even silence takes the processor every 10 ms.

mod decode;
mod output;
mod ring;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::audio::Pcm;
use aura_core::error::{Code, Error, Result};
use aura_core::ports::{Device, Output, Speaker};
use bytes::Bytes;
use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;

use self::output::Line;
use crate::hosts::{ANSWER_LIMIT, Hosts, Missing, PLAY_FRAMES, Way, explain};
use crate::off::off_runtime;

/// The question for the default output takes a millisecond; a sound server that needs longer is not waited for.
const DEFAULT_LIMIT: Duration = Duration::from_millis(300);

/// How long the stream stays open after it was used last: as long as one turn follows another.
const RESTS: Duration = Duration::from_secs(20);

/// Callbacks are never longer than this: 40 ms at 48 kHz.
const MOST_FRAMES: u32 = 4 * PLAY_FRAMES;

/// The outputs that the sound system offers.
pub struct SoundSpeaker {
    hosts: Arc<Hosts>,
    /// Frames per callback; grows when the computer is too busy for short ones.
    frames: AtomicU32,
    open: Arc<Mutex<Option<Open>>>,
    rests: Duration,
}

/// The stream that is open.
struct Open {
    /// What was asked for; `None`: the default output.
    name: Option<String>,
    /// What it turned out to be.
    id: String,
    line: Arc<Line>,
}

impl Default for SoundSpeaker {
    fn default() -> Self {
        Self { hosts: Arc::default(), frames: AtomicU32::new(PLAY_FRAMES), open: Arc::default(), rests: RESTS }
    }
}

impl SoundSpeaker {
    /// One that closes its stream so long after it was used last.
    pub fn resting_after(rests: Duration) -> Self {
        Self { rests, ..Self::default() }
    }

    /// Whether the open stream still is the one that is wanted.
    async fn fits(&self, open: &Open, name: Option<&str>) -> bool {
        if open.line.is_lost() || open.name.as_deref() != name {
            return false;
        }
        let frames = self.frames.load(Ordering::Relaxed);
        if open.line.stumbles() && frames < MOST_FRAMES {
            self.frames.store(2 * frames, Ordering::Relaxed);
            return false;
        }
        if name.is_some() {
            return true;
        }
        // Headphones were plugged in: sound servers make them the default, but do not move a stream that names its device.
        let hosts = self.hosts.clone();
        match off_runtime("aura-default-output", DEFAULT_LIMIT, move || hosts.default_output()).await {
            Ok(Some(id)) => id == open.id,
            _ => true,
        }
    }
}

#[async_trait]
impl Speaker for SoundSpeaker {
    async fn open(&self, device: Option<&str>) -> Result<Arc<dyn Output>> {
        // Held while opening, so that two callers do not open two streams.
        let mut open = self.open.lock().await;
        if let Some(now) = &*open {
            if self.fits(now, device).await {
                return Ok(now.line.clone());
            }
            if now.line.is_lost() {
                self.hosts.forget();
            }
            *open = None;
        }
        let (tell, told) = oneshot::channel();
        let (hosts, name, frames) =
            (self.hosts.clone(), device.map(str::to_owned), self.frames.load(Ordering::Relaxed));
        std::thread::Builder::new()
            .name("aura-speaker".into())
            .spawn(move || keep(&hosts, name.as_deref(), frames, tell))
            .map_err(Error::internal)?;
        let (id, line) = match tokio::time::timeout(ANSWER_LIMIT, told).await {
            Ok(Ok(opened)) => opened?,
            Ok(Err(_)) => return Err(Error::internal("the speaker's thread ended early")),
            Err(_) => {
                self.hosts.forget();
                return Err(Error::new(
                    Code::NoSpeaker,
                    "The sound system does not answer. Restart it or your computer.",
                ));
            }
        };
        let line = Arc::new(line);
        *open = Some(Open { name: device.map(str::to_owned), id, line: line.clone() });
        tokio::spawn(rest(Arc::downgrade(&self.open), Arc::downgrade(&line), self.rests));
        Ok(line)
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        crate::microphone::list(self.hosts.clone(), Way::Out).await
    }

    fn decode(&self, file: Bytes) -> Result<Pcm> {
        decode::decode(file)
    }
}

/// Closes the stream when nobody has used it for so long. Ends with the stream.
async fn rest(place: Weak<Mutex<Option<Open>>>, line: Weak<Line>, rests: Duration) {
    let mut used = Instant::now();
    loop {
        tokio::time::sleep(rests / 4).await;
        let Some(place) = place.upgrade() else { return };
        // Held, so that nobody takes the stream while it is looked at.
        let mut open = place.lock().await;
        let Some(now) = open.as_ref().filter(|now| std::ptr::eq(Arc::as_ptr(&now.line), line.as_ptr())) else { return };
        if Arc::strong_count(&now.line) > 1 || now.line.is_playing() {
            used = Instant::now();
        } else if used.elapsed() >= rests {
            *open = None;
            return;
        }
    }
}

/// Opens the stream and keeps it while the other end is used. A stream must stay on the thread that made it.
fn keep(hosts: &Hosts, name: Option<&str>, frames: u32, tell: oneshot::Sender<Result<(String, Line)>>) {
    let attempt = || {
        let found = hosts.find(Way::Out, name)?;
        let (stream, line, end) = output::open(&found, frames).map_err(Missing::Refused)?;
        cpal::traits::StreamTrait::play(&stream).map_err(Missing::Refused)?;
        Ok((found.id, stream, line, end))
    };
    let opened = attempt().or_else(|_| {
        // Devices vanish and come back: once more with everything looked up anew.
        hosts.forget();
        attempt()
    });
    match opened {
        Ok((id, stream, line, end)) => {
            if tell.send(Ok((id, line))).is_ok() {
                // Returns when the line is dropped.
                let _ = end.recv();
            }
            drop(stream);
        }
        Err(missing) => {
            let _ = tell.send(Err(explain(Way::Out, name, &missing)));
        }
    }
}
