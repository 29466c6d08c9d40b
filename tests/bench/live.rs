//! `cargo xtask bench live`: the time from the release of the key to the transcript, by live transcription, by uploading the recording while
//! it is made, and by sending it at the release, directly and over a shaped link.
//!
//! The assistant is the real one with a microphone that delivers a reading person in real time; the provider is the sandbox, which takes the
//! same time for its transcript in every way. That favours sending at the release: a model for live speech has heard everything but the end
//! by then. Times are taken from outside: from the operation `release` to the event with the transcript.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_core::api::{self, ChangeSettings, Nothing, Press, SaveKey};
use aura_core::error::Result;
use aura_core::event::Event;
use aura_core::ports::{Device, Microphone, Recording};
use aura_core::record::TurnRecord;
use aura_core::{Assistant, Setup};
use aura_sandbox::{Delays, FixedAnswers, FixedAudio, Sandbox, SandboxConfig, TestSignal};
use aura_testkit::fake_ports::FakePorts;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::{broadcast, mpsc};
use tokio::time::sleep_until;

/// A person who reads, 10 s.
const SPEECH: &[u8] = include_bytes!("../fixtures/speech/beckett.wav");
/// How long the provider takes for a transcript, after it has all audio.
const STT_MS: u64 = 150;
/// The shaped link: bytes per second, and the delay of each direction.
const LINK: (f64, Duration) = (5_000_000.0 / 8.0, Duration::from_millis(20));
/// Samples of a block, 20 ms.
const BLOCK: usize = 320;

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(turns) = std::env::args().nth(1).and_then(|turns| turns.parse::<usize>().ok()).filter(|n| *n > 0) else {
        eprintln!("usage: bench-live TURNS; `cargo xtask bench live` calls it");
        return ExitCode::from(2);
    };
    tokio::runtime::Runtime::new().unwrap().block_on(measure(turns));
    ExitCode::SUCCESS
}

async fn measure(turns: usize) {
    let build = if cfg!(debug_assertions) { "debug" } else { "optimised" };
    println!(
        "a question of 3 s and of 10 s, {build} build, {turns} of each kind in turns, {STT_MS} ms for a transcript"
    );
    println!("release to transcript, milliseconds: p50 (p95)\n");
    println!("{:26} {:>6} {:>16} {:>16} {:>16}", "link", "speech", "live", "uploaded", "at the release");
    for (name, link) in [("none", None), ("5 Mbit/s, 40 ms round trip", Some(LINK))] {
        for seconds in [3, 10] {
            let mut bench = Bench::start(link, seconds).await;
            let mut times: [Vec<f64>; 3] = Default::default();
            for turn in 0..=turns {
                for (way, times) in Way::ALL.into_iter().zip(&mut times) {
                    let time = bench.turn(way).await;
                    if turn > 0 {
                        times.push(time);
                    }
                }
            }
            let shown =
                times.each_mut().map(|times| format!("{:.0} ({:.0})", quantile(times, 0.5), quantile(times, 0.95)));
            let [live, uploaded, whole] = &shown;
            println!("{name:26} {seconds:4} s {live:>16} {uploaded:>16} {whole:>16}");
        }
    }
}

/// When the recording is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// While it is made, to a model for live speech.
    Live,
    /// While it is made, as the body of an ordinary request.
    Upload,
    /// At the release.
    Whole,
}

impl Way {
    const ALL: [Self; 3] = [Self::Live, Self::Upload, Self::Whole];

    /// The model that is chosen, and the one that is called.
    fn models(self) -> (&'static str, &'static str) {
        match self {
            Self::Live => ("gpt-transcribe", "gpt-live-transcribe"),
            Self::Upload | Self::Whole => ("whisper-1", "whisper-1"),
        }
    }
}

fn quantile(times: &mut [f64], part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * part).round() as usize]
}

struct Bench {
    assistant: Assistant,
    events: broadcast::Receiver<Event>,
    seconds: usize,
    _sandbox: Sandbox,
    _data: tempfile::TempDir,
}

impl Bench {
    async fn start(link: Option<(f64, Duration)>, seconds: usize) -> Self {
        let audio = Some(FixedAudio { sound: TestSignal::Tone, ms: 20 });
        let fixed = FixedAnswers { transcript: Some("what does the reading person say".into()), audio };
        let delays = Delays { stt_ms: STT_MS, ..Delays::default() };
        let sandbox = Sandbox::start(SandboxConfig { fixed, delays, ..SandboxConfig::default() }).await.unwrap();
        let mut url = sandbox.openai_base_url();
        if let Some((rate, delay)) = link {
            let port = shaped(sandbox.port(), rate, delay).await;
            url = url.replace(&format!(":{}/", sandbox.port()), &format!(":{port}/"));
        }
        let data = tempfile::tempdir().unwrap();
        let speech = aura_audio::decode(bytes::Bytes::from_static(SPEECH)).unwrap().to_speech();
        let mut ports = FakePorts::default().ports();
        ports.microphone = Arc::new(Reading(speech));
        let setup = Setup { data: data.path().to_owned(), ..Setup::default() };
        let assistant = Assistant::start(ports, setup).await.unwrap();
        assistant.start_background().await;
        let routes = ["stt", "llm", "vlm", "tts"].map(|service| (service.to_owned(), json!({"provider": "own"})));
        let routes: serde_json::Map<_, _> = routes.into_iter().collect();
        let changes = json!({
            "providers": {"own": {"preset": "openai", "base_url": url}},
            "routes": routes,
            "speaking": {"muted": true},
        });
        api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        let key = SaveKey { provider: "own".into(), key: sandbox.key().into(), session_only: true };
        api::save_key(&assistant, key).await.unwrap();
        let events = assistant.subscribe();
        Self { assistant, events, seconds, _sandbox: sandbox, _data: data }
    }

    /// Asks one question; returns the milliseconds from the release to the transcript.
    async fn turn(&mut self, way: Way) -> f64 {
        let stt = json!({"provider": "own", "model": way.models().0});
        let changes = json!({"listening": {"streaming": way != Way::Whole}, "routes": {"stt": stt}});
        api::change_settings(&self.assistant, ChangeSettings { changes }).await.unwrap();
        api::press(&self.assistant, Press::default()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(self.seconds as u64)).await;
        let released = Instant::now();
        api::release(&self.assistant, Nothing {}).await.unwrap();
        let mut waited = None;
        loop {
            match self.events.recv().await.unwrap() {
                Event::Transcript { .. } => waited = Some(released.elapsed()),
                Event::Done { record } => {
                    check(&record, way);
                    return waited.expect("the question is known").as_secs_f64() * 1e3;
                }
                _ => {}
            }
        }
    }
}

/// Whether the transcript came in the way that is measured.
fn check(record: &TurnRecord, way: Way) {
    let attempts: Vec<_> = record.stages.iter().flat_map(|stage| &stage.attempts).collect();
    let is_expected = attempts[0].route.model == way.models().1 && attempts[0].kind.is_none();
    assert!(is_expected, "{way:?}: {:?} {attempts:?}", record.error);
}

/// A microphone that hears these samples again and again, in real time.
#[derive(Debug)]
struct Reading(Vec<i16>);

#[async_trait::async_trait]
impl Microphone for Reading {
    async fn record(&self, _: &[String]) -> Result<Recording> {
        let (blocks, inbox) = mpsc::channel(64);
        let stop = tokio_util::sync::CancellationToken::new();
        let (stopped, samples) = (stop.clone(), self.0.clone());
        tokio::spawn(async move {
            let mut due = tokio::time::Instant::now();
            for block in samples.chunks_exact(BLOCK).cycle() {
                due += Duration::from_millis(20);
                if stopped.run_until_cancelled(sleep_until(due)).await.is_none() {
                    return;
                }
                if blocks.send(Ok(block.to_vec())).await.is_err() {
                    return;
                }
            }
        });
        Ok(Recording::new(inbox, stop))
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }
}

/// A link to a port of this computer with a limited rate, in bytes per second, and a delay in each direction. Returns its own port.
async fn shaped(port: u16, rate: f64, delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(one_way(from_client, to_server, rate, delay));
            tokio::spawn(one_way(from_server, to_client, rate, delay));
        }
    });
    own
}

/// Bytes leave one after the other at the rate, and arrive after the delay.
async fn one_way(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, rate: f64, delay: Duration) {
    let (queue, mut arriving) = mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(256);
    let deliver = async move {
        while let Some((at, bytes)) = arriving.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let take = async move {
        let mut free = tokio::time::Instant::now();
        let mut buffer = vec![0; 1_500];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            free = free.max(tokio::time::Instant::now()) + Duration::from_secs_f64(read as f64 / rate);
            sleep_until(free).await;
            if queue.send((free + delay, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(deliver, take);
}
