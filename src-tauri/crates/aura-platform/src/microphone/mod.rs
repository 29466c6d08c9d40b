//! Records from the microphone.
//!
//! Three threads take part. The sound system's own calls back with samples, which go into a ring and nowhere else. The owner
//! opens the stream and keeps it; starting one on PulseAudio can block for seconds. The pump empties the ring, brings the samples to
//! the rate of speech, sends them on, and watches that they keep coming.

mod capture;
mod pump;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use async_trait::async_trait;
use aura_core::error::{Code, Error, Result};
use aura_core::ports::{Device, Microphone, Recording};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::hosts::{ANSWER_LIMIT, Found, Hosts, Missing, Way, explain};
use crate::off::{Stuck, off_runtime};

/// Blocks that may wait for the listener: more than two seconds.
const WAITING: usize = 256;

/// How often it is looked whether the microphone is still connected while it records.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// The microphones that the sound system offers.
#[derive(Default)]
pub struct SoundMicrophone {
    hosts: Arc<Hosts>,
}

#[async_trait]
impl Microphone for SoundMicrophone {
    async fn record(&self, device: Option<&str>) -> Result<Recording> {
        let (blocks, out) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let (tell, told) = oneshot::channel();
        let owner = Owner { hosts: self.hosts.clone(), name: device.map(str::to_owned), blocks, stop: stop.clone() };
        std::thread::Builder::new()
            .name("aura-microphone".into())
            .spawn(move || owner.run(tell))
            .map_err(Error::internal)?;
        let pump = match tokio::time::timeout(ANSWER_LIMIT, told).await {
            Ok(Ok(Ok(pump))) => pump,
            Ok(Ok(Err(error))) => return Err(error),
            Ok(Err(_)) => return Err(Error::internal("the microphone's thread ended early")),
            Err(_) => {
                stop.cancel();
                return Err(silent());
            }
        };
        // The pump sleeps between callbacks; a stop must not wait for the next one.
        let stopped = stop.clone();
        tokio::spawn(async move {
            stopped.cancelled().await;
            pump.unpark();
        });
        Ok(Recording::new(out, stop))
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        list(self.hosts.clone(), Way::In).await
    }
}

/// The devices of one kind, for both directions.
pub(crate) async fn list(hosts: Arc<Hosts>, way: Way) -> Result<Vec<Device>> {
    match off_runtime("aura-devices", ANSWER_LIMIT, move || hosts.list(way)).await {
        Ok(Ok(devices)) => Ok(devices),
        Ok(Err(cause)) => Err(explain(way, None, &Missing::Refused(cause))),
        Err(Stuck::Limit) => Err(match way {
            Way::In => silent(),
            Way::Out => Error::new(Code::NoSpeaker, "The sound system does not answer. Restart it or your computer."),
        }),
        Err(Stuck::Broke) => Err(Error::internal("the thread that lists devices ended early")),
    }
}

/// No sample came.
fn silent() -> Error {
    Error::new(
        Code::NoMicrophone,
        "The microphone gives no sound. Check that it is connected and not switched off, or pick another in Settings.",
    )
}

/// Opens the stream and keeps it until the recording ends. A stream must stay on the thread that made it.
struct Owner {
    hosts: Arc<Hosts>,
    name: Option<String>,
    blocks: mpsc::Sender<Result<Vec<i16>>>,
    stop: CancellationToken,
}

impl Owner {
    fn run(self, tell: oneshot::Sender<Result<std::thread::Thread>>) {
        let opened = self.open();
        let (stream, feed, id) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        };
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let shared = feed.shared.clone();
        let pump = pump::Pump::new(feed, self.blocks, self.stop.clone());
        let pump = std::thread::Builder::new().name("aura-microphone-pump".into()).spawn(move || {
            pump.run();
            drop(ended);
        });
        match pump {
            Ok(pump) => {
                shared.wake(pump.thread().clone());
                // A caller that gave up has cancelled; the pump sees that.
                let _ = tell.send(Ok(pump.thread().clone()));
            }
            Err(cause) => {
                let _ = tell.send(Err(Error::internal(cause)));
                return;
            }
        }
        if let Err(cause) = cpal::traits::StreamTrait::play(&stream) {
            tracing::warn!(%cause, "the microphone could not be started");
            shared.fail(cause);
        }
        // The pump ends at stop, at loss, or when nobody listens; its end of the channel closes with it.
        while end.recv_timeout(LOOK_AFTER) == Err(RecvTimeoutError::Timeout) {
            if self.hosts.is_gone(&id) {
                shared.fail(cpal::ErrorKind::DeviceNotAvailable.into());
            }
        }
        drop(stream);
        if shared.lost.load(Ordering::Acquire) {
            self.hosts.forget();
        }
    }

    /// Opens the device; when that fails, once more with everything looked up anew.
    fn open(&self) -> Result<(cpal::Stream, capture::Feed, String)> {
        let attempt = || {
            let found: Found = self.hosts.find(Way::In, self.name.as_deref())?;
            let (stream, feed) = capture::open(&found).map_err(Missing::Refused)?;
            Ok((stream, feed, found.id))
        };
        attempt()
            .or_else(|_| {
                self.hosts.forget();
                attempt()
            })
            .map_err(|missing| explain(Way::In, self.name.as_deref(), &missing))
    }
}
