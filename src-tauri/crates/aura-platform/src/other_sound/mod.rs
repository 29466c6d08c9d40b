//! Lowers what other programs play, on PulseAudio and PipeWire.
//!
//! A volume belongs to the server, and stays when the program ends that set it. So every change is saved before it is made, and undone at the
//! end, at the next start, or when the program plays again.

mod lowering;
mod remembered;
mod server;

use std::fs::{self, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use async_trait::async_trait;
use aura_core::ports::{Lowered, OtherSound};
use aura_core::{private_file, replace_file};
use parking_lot::Mutex;
use pulseaudio::protocol::{ProtocolError, SinkInputInfo};

use self::lowering::{Lowering, Stream, Volume};
use self::server::{OWN_NAME, Server, property};
use crate::blocking::run_blocking;

/// Time between two looks for streams that have begun.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How the names of speech-dispatcher's programs begin, through which Orca speaks. It does not tell its role.
const SPEECH_DISPATCHER: &str = "speech-dispatcher";

/// Longest wait for the server where somebody waits for the result.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The sound of other programs, by the server's volumes of their streams.
pub(crate) struct PulseOtherSound(Arc<Worker>);

struct Worker {
    /// Where the changes are saved.
    file: PathBuf,
    /// Held by the thread that lowers or restores.
    busy: Mutex<()>,
}

impl PulseOtherSound {
    /// Saves its changes in this folder. Undoes those that a crash has left, on a thread of its own.
    pub(crate) fn new(data: &std::path::Path) -> Self {
        let worker = Arc::new(Worker { file: data.join("lowered-sound.json"), busy: Mutex::default() });
        if worker.file.exists() {
            let worker = worker.clone();
            start_thread(move || worker.run(None));
        }
        Self(worker)
    }
}

#[async_trait]
impl OtherSound for PulseOtherSound {
    async fn can_be_lowered(&self) -> bool {
        matches!(run_blocking("aura-other-sound", WAIT_TIMEOUT, || Server::connect().is_ok()).await, Ok(true))
    }

    fn lower(&self) -> Lowered {
        let (lowered, released) = channel::<()>();
        let worker = self.0.clone();
        start_thread(move || worker.run(Some(&released)));
        Box::new(lowered)
    }

    async fn restored(&self) {
        let worker = self.0.clone();
        let waited = run_blocking("aura-other-sound", WAIT_TIMEOUT, move || drop(worker.busy.lock())).await;
        if waited.is_err() {
            tracing::warn!("other programs may still be quieter; they are as loud as before after the next start");
        }
    }
}

fn start_thread(run: impl FnOnce() + Send + 'static) {
    if let Err(cause) = std::thread::Builder::new().name("aura-other-sound".into()).spawn(run) {
        tracing::warn!(%cause, "other programs stay as loud as they are");
    }
}

impl Worker {
    /// Lowers other programs until `released` has no sender any more, then restores them; without it, restores them only. Blocks.
    fn run(&self, released: Option<&Receiver<()>>) {
        let _busy = self.busy.lock();
        let is_released = || released.is_none_or(|released| released.try_recv() == Err(TryRecvError::Disconnected));
        if released.is_some() && is_released() {
            return;
        }
        // Two processes that lower at once would each take the other's volume for the original one.
        let lock = private_file().create(true).truncate(false).open(self.file.with_extension("lock"));
        if lock.as_ref().is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock))) {
            return;
        }
        let mut lowering = self.saved();
        if let Some(released) = released
            && let Err(error) = self.lower(&mut lowering, released)
        {
            tracing::warn!(%error, "other programs cannot be lowered");
        }
        // The connection may have failed meanwhile.
        match Server::connect().and_then(|mut server| restore(&mut server, &mut lowering)) {
            Ok(()) => self.save(&lowering),
            Err(error) => tracing::warn!(%error, "other programs are as loud as before after the next start"),
        }
    }

    fn lower(&self, lowering: &mut Lowering, released: &Receiver<()>) -> Result<(), ProtocolError> {
        let mut server = Server::connect()?;
        let cookie = server.cookie()?;
        // What a crash has left, before its volumes pass for those that the person set.
        restore(&mut server, lowering)?;
        loop {
            let streams = of_others(&server.streams()?);
            let volumes = lowering.lower(cookie, &streams);
            if !volumes.is_empty() {
                self.save(lowering);
            }
            set(&mut server, &volumes)?;
            if released.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Disconnected) {
                return Ok(());
            }
        }
    }

    fn saved(&self) -> Lowering {
        let saved = fs::read(&self.file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        saved.unwrap_or_default()
    }

    fn save(&self, lowering: &Lowering) {
        let saved = if lowering.is_empty() {
            fs::remove_file(&self.file).or_else(|cause| match cause.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(cause),
            })
        } else {
            serde_json::to_vec(lowering).map_err(Into::into).and_then(|bytes| replace_file(&self.file, &bytes))
        };
        if let Err(cause) = saved {
            tracing::warn!(%cause, "the volumes of other programs cannot be saved");
        }
    }
}

fn restore(server: &mut Server, lowering: &mut Lowering) -> Result<(), ProtocolError> {
    if lowering.is_empty() {
        return Ok(());
    }
    let cookie = server.cookie()?;
    let streams = of_others(&server.streams()?);
    set(server, &lowering.restore(cookie, &streams))?;
    if lowering.is_empty() {
        return Ok(());
    }
    // A server without this module remembers nothing.
    let Ok(entries) = server.remembered() else { return Ok(()) };
    for mut entry in entries {
        let corrected = entry.name.to_str().ok().and_then(|program| lowering.correct(program, &entry.volume));
        if let Some(volume) = corrected {
            entry.volume = volume;
            server.remember(&entry)?;
        }
    }
    Ok(())
}

fn set(server: &mut Server, volumes: &[Volume]) -> Result<(), ProtocolError> {
    for Volume { index, channels } in volumes {
        match server.set_volume(*index, channels) {
            // It has ended meanwhile.
            Ok(()) | Err(ProtocolError::ServerError(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The streams of other programs. A screen reader stays as loud as it is, and so does what the server itself passes on.
fn of_others(streams: &[SinkInputInfo]) -> Vec<Stream> {
    let own_process = std::process::id().to_string();
    let is_other = |stream: &&SinkInputInfo| {
        let program = property(&stream.props, c"application.name").unwrap_or_default();
        let has = |name, value: &str| property(&stream.props, name).is_some_and(|known| known == value);
        stream.client_index.is_some()
            && stream.has_volume
            && stream.volume_writable
            && !has(c"application.process.id", &own_process)
            && program.as_bytes() != OWN_NAME.to_bytes()
            && !program.starts_with(SPEECH_DISPATCHER)
            && !has(c"media.role", "a11y")
    };
    let streams = streams.iter().filter(is_other);
    let stream = |info: &SinkInputInfo| Stream {
        index: info.index,
        program: property(&info.props, c"module-stream-restore.id"),
        volume: info.cvolume.channels().iter().map(pulseaudio::protocol::Volume::as_u32).collect(),
    };
    streams.map(stream).collect()
}
