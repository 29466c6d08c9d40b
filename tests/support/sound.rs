//! A private sound server: a speaker whose output can be measured, and a microphone that files can be played into.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::process::{Environment, Running, in_own_process, run, wait_for_file, wait_until};

/// The Debian package of the sound server.
const SERVER: &str = "pulseaudio";
/// The Debian package of its tools.
const TOOLS: &str = "pulseaudio-utils";

/// Samples per second of the private server.
pub const RATE: u32 = 48_000;

/// The configuration. `speaker` is the default output; `microphone` is the default input and records what is played into `cable`.
const SCRIPT: &str = "
load-module module-native-protocol-unix socket=SOCKET auth-anonymous=1
load-module module-null-sink sink_name=speaker rate=48000 channels=2 sink_properties=device.description=Speaker
load-module module-null-sink sink_name=cable rate=48000 channels=2
load-module module-remap-source source_name=microphone master=cable.monitor source_properties=device.description=Microphone
set-default-sink speaker
set-default-source microphone
";

/// A private PulseAudio.
#[derive(Debug)]
pub struct Sound {
    keepers: Vec<Running>,
    server: Running,
    folder: TempDir,
}

impl Sound {
    /// Starts the server and waits until its devices run.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = serve(folder.path());
        let mut sound = Self { keepers: Vec::new(), server, folder };
        // A null sink without a reader works in blocks of seconds, and delays the first samples. `microphone` reads the other sink. At
        // the sink's own rate nothing is resampled.
        for source in ["speaker.monitor", "microphone"] {
            let mut command = Command::new("parec");
            command.args(["--latency-msec=10", &format!("--rate={RATE}"), "-d", source]).envs(sound.environment());
            sound.keepers.push(Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), TOOLS));
        }
        std::thread::sleep(Duration::from_millis(300));
        sound
    }

    /// The variables by which a program uses this server and no other.
    pub fn environment(&self) -> Environment {
        environment(self.folder.path(), self.server.id())
    }

    /// Like [`Self::environment`], with ALSA routed to the server, for programs that use only ALSA.
    pub fn alsa_environment(&self) -> Environment {
        let file = self.folder.path().join("asound.conf");
        std::fs::write(&file, "pcm.!default { type pulse }\nctl.!default { type pulse }\n")
            .expect("the folder can be written");
        let mut environment = self.environment();
        environment.push(("ALSA_CONFIG_PATH", file.into()));
        environment
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("native")
}

fn environment(folder: &Path, server: u32) -> Environment {
    let mut address = OsString::from("unix:");
    address.push(socket(folder));
    vec![
        ("PULSE_SERVER", address),
        ("XDG_RUNTIME_DIR", folder.into()),
        ("HOME", folder.into()),
        ("PIPEWIRE_RUNTIME_DIR", folder.into()),
        ("AURA_TEST_SOUND", server.to_string().into()),
    ]
}

fn serve(folder: &Path) -> Running {
    let script = folder.join("default.pa");
    std::fs::write(&script, SCRIPT.replace("SOCKET", &socket(folder).to_string_lossy()))
        .expect("the folder can be written");
    let mut command = Command::new("pulseaudio");
    command.args([
        "-n",
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--use-pid-file=no",
        "--disable-shm=yes",
        "--log-target=stderr",
        "-F",
    ]);
    command
        .arg(&script)
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("PULSE_SERVER")
        .env_remove("DISPLAY");
    let mut server = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), SERVER);
    wait_for_file(&socket(folder));
    assert!(server.is_alive(), "pulseaudio ended at once");
    server
}

/// Runs a test's body in a process whose only sound server is a private one. See [`in_own_process`].
pub fn with_sound(test: &str, body: impl FnOnce()) {
    let prepare = || {
        let sound = Sound::start();
        let environment = sound.environment();
        (sound, environment)
    };
    in_own_process(test, prepare, body);
}

/// Kills the private server that this process uses, like a crash of the sound system.
pub fn crash() {
    let id = std::env::var("AURA_TEST_SOUND").expect("a private sound server");
    run(Command::new("kill").args(["-9", &id]), "procps");
}

/// Starts a new server at the address of the crashed one, for this process and its children.
pub fn restart() -> Running {
    let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").expect("a private sound server"));
    std::fs::remove_file(socket(&folder)).expect("the old socket");
    serve(&folder)
}

/// Runs `pactl` on the private server that this process uses.
pub fn pactl(arguments: &[&str]) -> String {
    run(Command::new("pactl").args(arguments), TOOLS)
}

/// Plays a sound file into the microphone. The returned program ends with the file.
pub fn play_into_microphone(file: &Path) -> Running {
    let mut command = Command::new("paplay");
    command.args(["-d", "cable", "--latency-msec=20"]).arg(file);
    Running::start(&mut command, TOOLS)
}

/// Plays a sound file of [`RATE`] into the microphone in a loop, until the returned value is dropped.
pub fn play_into_microphone_endlessly(file: &Path) -> Running {
    let mut reader = hound::WavReader::open(file).expect("the sound file can be read");
    let samples: Vec<u8> = reader.samples::<i16>().flatten().flat_map(i16::to_le_bytes).collect();
    let mut command = Command::new("pacat");
    command.args(["-d", "cable", "--latency-msec=100", "--format=s16le", "--channels=1", &format!("--rate={RATE}")]);
    let mut player = Running::start(command.stdin(Stdio::piped()).stderr(Stdio::null()), TOOLS);
    let mut input = player.stdin().expect("standard input was piped");
    // The end of the player closes the pipe, which ends this thread.
    std::thread::spawn(move || while input.write_all(&samples).is_ok() {});
    player
}

/// Creates a sound file with a sox effect, such as `synth 1 sine 440`. The extension selects the format.
pub fn make_file(path: &Path, rate: u32, channels: u8, effect: &str) {
    let (rate, channels) = (rate.to_string(), channels.to_string());
    let mut command = Command::new("sox");
    command.args(["-n", "-r", &rate, "-c", &channels]).arg(path).args(effect.split_whitespace());
    run(&mut command, "sox");
}

/// Creates a sound file of [`RATE`] that voice activity takes for speech and that is nowhere like itself: a hum of 200 Hz with all its
/// overtones, as a voice has, and white noise.
pub fn make_noise(path: &Path, seconds: u32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(path, spec).expect("the folder can be written");
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let period = RATE / 200;
    for i in 0..RATE * seconds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // From -8000 to 8000 within each period.
        let hum = (i % period * 16_000 / period) as i16 - 8_000;
        wav.write_sample((state >> 48) as i16 / 6 + hum).expect("the file can be written");
    }
    wav.finalize().expect("the file can be written");
}

/// Measures what is played, millisecond by millisecond.
#[derive(Debug)]
pub struct SoundMonitor {
    peaks: Arc<Mutex<Vec<(Instant, f32)>>>,
    _reader: Running,
}

impl SoundMonitor {
    /// Starts to measure the private speaker that this process uses.
    pub fn open() -> Self {
        Self::of("speaker.monitor")
    }

    /// Starts to measure what the private microphone hears.
    pub fn of_microphone() -> Self {
        Self::of("cable.monitor")
    }

    fn of(source: &str) -> Self {
        let mut command = Command::new("parec");
        command.args(["-d", source, "--latency-msec=5", "--format=s16le", "--rate=48000", "--channels=1"]);
        let mut reader = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()), TOOLS);
        let mut sound = reader.stdout().expect("standard output was piped");
        let peaks = Arc::new(Mutex::new(Vec::new()));
        let into = peaks.clone();
        std::thread::spawn(move || {
            // One millisecond at a time. A read blocks for samples, so it returns when the last of them was played.
            let mut piece = [0; 2 * RATE as usize / 1000];
            while sound.read_exact(&mut piece).is_ok() {
                let peak = piece
                    .chunks_exact(2)
                    .map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])).abs() / 32768.0)
                    .fold(0.0, f32::max);
                into.lock().push((Instant::now(), peak));
            }
        });
        let monitor = Self { peaks, _reader: reader };
        assert!(
            wait_until(Duration::from_secs(30), || !monitor.all().is_empty()),
            "{source} outputs no samples, not even silence"
        );
        std::thread::sleep(Duration::from_millis(200));
        monitor
    }

    /// Every millisecond so far: its time, and its peak between 0 and 1.
    pub fn all(&self) -> Vec<(Instant, f32)> {
        self.peaks.lock().clone()
    }

    /// Waits for the first millisecond since `after` with a peak above `louder`; returns its time.
    pub fn onset(&self, after: Instant, louder: f32, limit: Duration) -> Option<Instant> {
        let mut found = None;
        // Those before were looked at.
        let mut known = 0;
        wait_until(limit, || {
            let peaks = self.peaks.lock();
            found = peaks[known..].iter().find(|(at, peak)| *at >= after && *peak > louder).map(|(at, _)| *at);
            known = peaks.len();
            found.is_some()
        });
        found
    }

    /// The time of the last millisecond with a peak above `louder`.
    pub fn last(&self, louder: f32) -> Option<Instant> {
        self.peaks.lock().iter().rev().find(|(_, peak)| *peak > louder).map(|(at, _)| *at)
    }
}
